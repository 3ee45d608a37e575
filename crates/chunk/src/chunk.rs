//! A piece of a document's text, and where in it it stands.

use serde::Serialize;

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its text, without white space around it; only in Markdown the first line may be indented.
    pub text: String,
    /// Where it stands.
    pub position: Position,
}

/// Where a chunk stands in the text that was taken out of the file (for Markdown and plain text, that is the file).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Which chunk it is, from 0.
    pub chunk_index: u32,
    /// How many chunks the document has.
    pub chunk_count: u32,
    /// Where it begins, in bytes of UTF-8.
    pub start_byte: u64,
    /// Where it ends, in bytes: the first that is not part of it.
    pub end_byte: u64,
    /// Where it begins, in characters (Unicode scalar values).
    pub start_char: u64,
    /// Where it ends, in characters.
    pub end_char: u64,
    /// The page that it begins on, from 1; PDF only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// The headings that it stands under, outermost first; Markdown only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headings: Vec<String>,
}

impl Position {
    /// The members of the chunk's metadata, as the JSON text of an object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings are always JSON")
    }
}
