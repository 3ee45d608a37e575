//! What `layer pipeline run` reads: files and globs, lines of JSON, prefixes of a bucket.

use std::path::{Path, PathBuf};

use layer_object_store::ObjectStore;
use layer_proto::pipeline::v1::StagedDocument;
use pipeline_worker::sources::{Files, Lines, Objects, SourceError};

use crate::failure::Failure;

/// What marks a prefix of a bucket.
const BUCKET: &str = "s3://";
/// The members of a line that are a document's id and text.
const LINE_MEMBERS: (&str, &str) = ("id", "text");

/// What was named on the command line, found before anything is done.
pub(super) struct Given {
    files: Option<Files>,
    lines: Vec<PathBuf>,
    objects: Vec<Objects>,
}

impl Given {
    /// Finds what `named` names; files are within `folder`.
    pub(super) fn find(folder: &Path, named: &[String], store: Option<&ObjectStore>) -> Result<Self, Failure> {
        let (buckets, local): (Vec<_>, Vec<_>) = named.iter().cloned().partition(|name| name.starts_with(BUCKET));
        let (lines, patterns): (Vec<_>, Vec<_>) = local.into_iter().partition(|name| is_lines(name));
        let lines: Vec<_> = lines.into_iter().map(|name| folder.join(name)).collect();
        if let Some(missing) = lines.iter().find(|path| !path.is_file()) {
            return Err(Failure::usage(format!("{}: there is no such file", missing.display())));
        }
        let files = match patterns.is_empty() {
            true => None,
            false => Some(Files::find(folder, &patterns).map_err(|error| Failure::usage(error.to_string()))?),
        };
        let objects = buckets.iter().map(|name| objects(name, store)).collect::<Result<_, _>>()?;
        Ok(Self { files, lines, objects })
    }

    /// The next documents to stage; none behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<StagedDocument>>, Failure> {
        if let Some(documents) = self.files.as_mut().and_then(Iterator::next) {
            return Ok(Some(documents));
        }
        self.files = None;
        while let Some(objects) = self.objects.last_mut() {
            if let Some(documents) = objects.next_batch().await.map_err(failed)? {
                return Ok(Some(documents));
            }
            self.objects.pop();
        }
        Ok(None)
    }

    /// Files of lines, which are read one by one.
    pub(super) fn lines(&self) -> impl Iterator<Item = Result<Lines, Failure>> {
        self.lines.iter().map(|path| Lines::open(path, LINE_MEMBERS.0, LINE_MEMBERS.1).map_err(failed))
    }
}

pub(super) fn failed(error: SourceError) -> Failure {
    Failure::new(error.to_string())
}

fn is_lines(name: &str) -> bool {
    name.ends_with(".jsonl") || name.ends_with(".ndjson")
}

/// The objects of `s3://bucket/prefix`; the bucket is that of the object store's settings.
fn objects(name: &str, store: Option<&ObjectStore>) -> Result<Objects, Failure> {
    let Some(store) = store else {
        return Err(Failure::usage("s3://: needs LAYER_OBJECT_STORE_* (backend s3, bucket, region or endpoint)"));
    };
    let place = name.strip_prefix(BUCKET).unwrap_or(name);
    Ok(Objects::new(store.clone(), place.split_once('/').map_or("", |(_, prefix)| prefix)))
}
