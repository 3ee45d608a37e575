//! Documents to stage, out of files, of lines of JSON, or of an object store.
//!
//! What is staged of a file or an object is where it is, not what is in it: the chunk worker reads it
//! (`docs/operations/pipelines.md`, "Sources"). A line's text is staged itself. Documents come in batches that one call of
//! `StageDocuments` takes, and their ids are the same each time, so that staging again what has not changed changes nothing.

mod files;
mod lines;
mod objects;

use layer_proto::pipeline::v1::{Chunk, StagedDocument};
use serde_json::{Map, Value};

pub use self::{files::Files, lines::Lines, objects::Objects};

/// Documents of a batch, and bytes of text, unless one document alone has more.
const BATCH_DOCUMENTS: usize = 1_000;
const BATCH_BYTES: usize = 8 << 20;
/// The longest id of a document, in bytes: what the service takes.
const ID_MAX: usize = 256;
/// The id of the one chunk that is staged.
const CHUNK: &str = "source";

/// Why documents cannot be had from a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A pattern is none.
    #[error("{pattern}: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read, or cannot be a document.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// A line is no document.
    #[error("{file}, line {line}: {reason}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// Why, with the member's name.
        reason: String,
    },
    /// The object store's error.
    #[error(transparent)]
    Store(#[from] layer_object_store::Error),
}

/// What keeps an id from being a document's.
fn wrong_id(id: &str) -> Option<String> {
    if !(1..=ID_MAX).contains(&id.len()) {
        return Some(format!("its id must have 1 to {ID_MAX} bytes, it has {}", id.len()));
    }
    id.chars().any(char::is_control).then(|| "its id must not have control characters".to_owned())
}

/// A document whose source is elsewhere.
fn elsewhere(id: String, source: String) -> StagedDocument {
    staged(id, None, Map::from_iter([("source".to_owned(), Value::from(source))]))
}

fn staged(document_id: String, text: Option<String>, metadata: Map<String, Value>) -> StagedDocument {
    let metadata_json = if metadata.is_empty() { String::new() } else { Value::Object(metadata).to_string() };
    let chunk = Chunk { chunk_id: CHUNK.to_owned(), text, metadata_json };
    StagedDocument { document_id, chunks: vec![chunk], priority: 0 }
}
