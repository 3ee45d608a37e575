//! Files within a folder, by patterns.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use layer_proto::pipeline::v1::StagedDocument;

use super::{BATCH_DOCUMENTS, SourceError, elsewhere, wrong_id};

/// Files that were found. The id of each is its path within the folder.
#[derive(Debug)]
pub struct Files {
    left: std::collections::btree_set::IntoIter<String>,
    count: usize,
}

impl Files {
    /// The files within `folder` that any of `patterns` names: paths, folders (with all that is in them), or globs (`**/*.pdf`), all
    /// relative to the folder. It blocks.
    ///
    /// # Errors
    /// [`SourceError`] where a pattern is none, names nothing, or leads out of the folder.
    pub fn find(folder: &Path, patterns: &[String]) -> Result<Self, SourceError> {
        let root = folder.canonicalize().map_err(|error| file(folder, &error))?;
        let mut found = BTreeSet::new();
        for pattern in patterns {
            let before = found.len();
            for path in matching(&root, pattern)? {
                found.insert(within(&root, &path)?);
            }
            if found.len() == before {
                let reason = "there is no such file, or it was named already".to_owned();
                return Err(SourceError::Pattern { pattern: pattern.clone(), reason });
            }
        }
        Ok(Self { count: found.len(), left: found.into_iter() })
    }

    /// How many files there are.
    pub fn count(&self) -> usize {
        self.count
    }
}

impl Iterator for Files {
    type Item = Vec<StagedDocument>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch: Vec<_> = self.left.by_ref().take(BATCH_DOCUMENTS).map(document).collect();
        (!batch.is_empty()).then_some(batch)
    }
}

fn document(path: String) -> StagedDocument {
    let source = format!("file:{path}");
    elsewhere(path, source)
}

fn matching(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, SourceError> {
    let wrong = |reason: String| SourceError::Pattern { pattern: pattern.to_owned(), reason };
    let named = root.join(pattern);
    if named.is_file() {
        return Ok(vec![named]);
    }
    let base = root.to_str().map(glob::Pattern::escape).ok_or_else(|| wrong("the folder is not UTF-8".to_owned()))?;
    let whole = match named.is_dir() {
        true => format!("{base}/{}/**/*", glob::Pattern::escape(pattern)),
        false => format!("{base}/{pattern}"),
    };
    let paths = glob::glob(&whole).map_err(|error| wrong(error.to_string()))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| wrong(error.to_string()))?;
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// The path of a file within the folder, as its id.
fn within(root: &Path, path: &Path) -> Result<String, SourceError> {
    let real = path.canonicalize().map_err(|error| file(path, &error))?;
    let relative = real.strip_prefix(root).map_err(|_| file(path, &"is not within the folder"))?;
    let id = relative.to_str().ok_or_else(|| file(path, &"its name is not UTF-8"))?;
    wrong_id(id).map_or_else(|| Ok(id.to_owned()), |reason| Err(file(path, &reason)))
}

fn file(path: &Path, reason: &dyn std::fmt::Display) -> SourceError {
    SourceError::File { file: path.display().to_string(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_once_and_within_the_folder_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("in/deep")).unwrap();
        for name in ["in/a.md", "in/deep/b.pdf", "in/deep/c.txt", "out.md"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let root = folder.path().join("in");
        let find = |patterns: &[&str]| {
            let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            Files::find(&root, &patterns)
        };
        let ids = |patterns: &[&str]| -> Vec<String> {
            find(patterns).unwrap().flatten().map(|document| document.document_id).collect()
        };
        assert_eq!(ids(&["a.md"]), ["a.md"]);
        assert_eq!(ids(&["deep"]), ["deep/b.pdf", "deep/c.txt"]);
        assert_eq!(ids(&["**/*.pdf", "deep/c.*"]), ["deep/b.pdf", "deep/c.txt"]);
        assert_eq!(ids(&["."]).len(), 3);
        for wrong in ["none.md", "../out.md", "[", "/etc/hostname"] {
            assert!(find(&[wrong]).is_err(), "{wrong}");
        }
        let document = find(&["a.md"]).unwrap().next().unwrap().remove(0);
        assert_eq!(document.chunks[0].metadata_json, r#"{"source":"file:a.md"}"#);
    }
}
