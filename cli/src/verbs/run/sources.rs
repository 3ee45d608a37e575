//! What `layer pipeline run` reads: files and globs, lines of JSON, prefixes of a bucket.
//!
//! Text goes to the pipeline as it is. Other files are named, and the worker reads them: it runs in this process.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use layer_object_store::ObjectStore;
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// Files that are named and not sent are below this folder: all of them may be anywhere on this machine.
const ROOT: &str = "/";
/// The largest text that is sent as it is, in bytes.
const TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Objects of one page of a listing.
const PAGE: usize = 1000;

/// A document to stage.
#[derive(Debug, PartialEq)]
pub(super) struct Source {
    /// Its id.
    pub(super) document: String,
    /// Its text, where that is sent.
    pub(super) text: Option<String>,
    /// What the chunker is told.
    pub(super) metadata: Value,
}

/// What was named on the command line, found.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Files that are documents.
    pub(super) sources: Vec<Source>,
    /// Files of JSON lines, each line a document.
    pub(super) lines: Vec<PathBuf>,
    /// Prefixes of keys in the bucket.
    pub(super) prefixes: Vec<String>,
    /// The folder that named files are in.
    pub(super) directory: Option<PathBuf>,
}

impl Given {
    /// Finds what `named` names, before anything is done.
    pub(super) fn find(named: &[String], store: Option<&ObjectStore>) -> Result<Self, Failure> {
        let mut given = Self::default();
        for name in named {
            match name.strip_prefix("s3://") {
                Some(place) => given.prefixes.push(prefix(place, store)?),
                None => given.files(name)?,
            }
        }
        match given.sources.is_empty() && given.lines.is_empty() && given.prefixes.is_empty() {
            true => Err(Failure::usage("there is no such file")),
            false => Ok(given),
        }
    }

    fn files(&mut self, pattern: &str) -> Result<(), Failure> {
        let wrong = |reason: &dyn std::fmt::Display| Failure::usage(format!("`{pattern}`: {reason}"));
        let found = match Path::new(pattern).exists() {
            // A file's own name may look like a pattern.
            true => vec![PathBuf::from(pattern)],
            false => glob::glob(pattern)
                .map_err(|error| wrong(&error))?
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| wrong(&error))?,
        };
        let mut files: Vec<_> = found.into_iter().filter(|path| path.is_file()).collect();
        if files.is_empty() {
            return Err(wrong(&"there is no such file"));
        }
        files.sort();
        for path in files {
            if path.extension().is_some_and(|extension| extension == "jsonl" || extension == "ndjson") {
                self.lines.push(path);
            } else {
                let real = path.canonicalize().map_err(|error| wrong(&error))?;
                self.directory = Some(PathBuf::from(ROOT));
                self.sources.push(file(&path, &real));
            }
        }
        Ok(())
    }
}

/// The document that a file is: named by its path as it was given.
fn file(path: &Path, real: &Path) -> Source {
    let place = real.strip_prefix(ROOT).unwrap_or(real);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Source {
        document: path.display().to_string(),
        text: None,
        metadata: json!({"source": format!("file:{}", place.display()), "name": name}),
    }
}

/// The documents of a file of JSON lines: each an object with `id` and `text`; other members become metadata.
pub(super) fn lines(path: &Path) -> Result<impl Iterator<Item = Result<Source, Failure>>, Failure> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::new(format!("{shown}: {error}")))?;
    let read = BufReader::new(file).lines().enumerate();
    let kept = read.filter(|(_, line)| line.as_ref().map_or(true, |line| !line.trim().is_empty()));
    Ok(kept.map(move |(at, line)| {
        let wrong = |reason: &dyn std::fmt::Display| Failure::new(format!("{shown}:{}: {reason}", at + 1));
        let line = line.map_err(|error| wrong(&error))?;
        document(&line).map_err(|reason| wrong(&reason))
    }))
}

fn document(line: &str) -> Result<Source, String> {
    let mut object: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("is no JSON object: {error}"))?;
    let document = match object.remove("id") {
        Some(Value::String(id)) => id,
        Some(Value::Number(id)) => id.to_string(),
        _ => return Err("`id` must be a text or a number".to_owned()),
    };
    let Some(Value::String(text)) = object.remove("text") else { return Err("`text` must be a text".to_owned()) };
    if text.len() as u64 > TEXT_BYTES_MAX {
        return Err(format!("`text` has {} bytes; at most {TEXT_BYTES_MAX}", text.len()));
    }
    Ok(Source { document, text: Some(text), metadata: Value::Object(object) })
}

/// The prefix in `bucket/prefix`; the bucket is that of the object store's settings.
fn prefix(place: &str, store: Option<&ObjectStore>) -> Result<String, Failure> {
    let Some(_) = store else {
        return Err(Failure::usage("s3://: needs LAYER_OBJECT_STORE_* (backend s3, bucket, region or endpoint)"));
    };
    Ok(place.split_once('/').map_or("", |(_, prefix)| prefix).to_owned())
}

/// The documents that the objects of a prefix are.
pub(super) async fn objects(store: &ObjectStore, prefix: &str) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.list(prefix, after.as_deref(), PAGE).await;
        let page = page.map_err(|error| Failure::new(format!("s3://…/{prefix}: {error}")))?;
        after = page.objects.last().map(|object| object.key.clone());
        sources.extend(page.objects.iter().map(|object| object_source(&object.key)));
        if !page.more || after.is_none() {
            return Ok(sources);
        }
    }
}

fn object_source(key: &str) -> Source {
    let name = key.rsplit('/').next().unwrap_or(key);
    Source { document: key.to_owned(), text: None, metadata: json!({"source": format!("object:{key}"), "name": name}) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_name_and_by_pattern_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.md", "a.md", "c.jsonl", "d[1].md"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let named = |name: &str| folder.path().join(name).display().to_string();
        let given = Given::find(&[named("?.md"), named("*.jsonl"), named("d[1].md")], None).unwrap();
        let documents: Vec<_> = given.sources.iter().map(|source| source.document.clone()).collect();
        assert_eq!(documents, [named("a.md"), named("b.md"), named("d[1].md")]);
        assert_eq!(given.lines, [PathBuf::from(named("c.jsonl"))]);
        assert!(given.sources[0].metadata["source"].as_str().unwrap().ends_with("/a.md"));
        assert!(Given::find(&[named("none*")], None).is_err());
        assert!(Given::find(&["s3://bucket/x".to_owned()], None).is_err());
    }

    #[test]
    fn a_line_is_a_document_and_says_what_is_wrong_with_it() {
        let source = document(r#"{"id": 7, "text": "hello", "author": "x"}"#).unwrap();
        assert_eq!((&*source.document, source.text.as_deref()), ("7", Some("hello")));
        assert_eq!(source.metadata, json!({"author": "x"}));
        for (line, wrong) in [("[]", "JSON object"), (r#"{"text":"x"}"#, "`id`"), (r#"{"id":"a","text":1}"#, "`text`")]
        {
            assert!(document(line).unwrap_err().contains(wrong), "{line}");
        }
    }
}
