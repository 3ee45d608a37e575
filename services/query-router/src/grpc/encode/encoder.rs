//! One walk over a request that writes the wire's JSON and collects what is wrong with it.
//!
//! Checking and writing in one walk keeps them from disagreeing. Nothing is sent unless the walk found no fault, so
//! what was written of a faulty request is thrown away. Each fault names its field by the path in the proto message, as
//! in `query.filters.all_of.filters[2].comparison.value`.

use std::fmt::Write as _;

use bytes::Bytes;
use tonic_types::FieldViolation;

use super::json::JsonWriter;

/// How deep filters and scores may nest together. Prost gives up at 100 levels of messages, and a list costs two.
pub(super) const MAX_DEPTH: usize = 32;
/// Faults reported at most: all details must fit the 8 KiB that gRPC clients accept as metadata by default.
const MAX_VIOLATIONS: usize = 16;
/// Bytes of a reported field path at most.
const MAX_PATH_BYTES: usize = 160;

#[derive(Debug)]
enum Segment<'a> {
    Field(&'static str),
    Index(usize),
    Key(&'a str),
}

/// The JSON so far, the faults so far, and where the walk is.
#[derive(Debug)]
pub(super) struct Encoder<'a> {
    /// The JSON so far.
    pub(super) json: JsonWriter,
    path: Vec<Segment<'a>>,
    depth: usize,
    violations: Vec<FieldViolation>,
}

impl<'a> Encoder<'a> {
    /// Starts a walk over a message of `message_bytes` encoded bytes.
    pub(super) fn new(message_bytes: usize) -> Self {
        // Base64 is a third longer than what it encodes; the rest is names and punctuation.
        let json = JsonWriter::with_capacity(message_bytes + message_bytes / 2 + 256);
        Self { json, path: Vec::new(), depth: 0, violations: Vec::new() }
    }

    /// The JSON, or every fault found.
    pub(super) fn finish(self) -> Result<Bytes, Vec<FieldViolation>> {
        if self.violations.is_empty() { Ok(self.json.into_bytes().into()) } else { Err(self.violations) }
    }

    /// Walks into a field of the current message.
    pub(super) fn field<T>(&mut self, name: &'static str, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.inside(Segment::Field(name), walk)
    }

    /// Walks into an element of the current repeated field.
    pub(super) fn index<T>(&mut self, index: usize, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.inside(Segment::Index(index), walk)
    }

    /// Walks into an entry of the current map.
    pub(super) fn entry<T>(&mut self, key: &'a str, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.inside(Segment::Key(key), walk)
    }

    fn inside<T>(&mut self, segment: Segment<'a>, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(segment);
        let result = walk(self);
        self.path.pop();
        result
    }

    /// Walks into a filter or score, which may contain others.
    pub(super) fn nested(&mut self, walk: impl FnOnce(&mut Self)) {
        if self.depth == MAX_DEPTH {
            return self.violation(format!("filters and scores may nest at most {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        walk(self);
        self.depth -= 1;
    }

    /// Records a fault of the current field.
    pub(super) fn violation(&mut self, description: impl Into<String>) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(FieldViolation::new(self.path_text(), description));
        }
    }

    /// Records a fault of the current field unless `holds`; answers `holds`.
    pub(super) fn check(&mut self, holds: bool, description: &str) -> bool {
        if !holds {
            self.violation(description);
        }
        holds
    }

    /// Writes an object's value under `name`, with the walk in the field of the same name.
    pub(super) fn member(&mut self, name: &'static str, walk: impl FnOnce(&mut Self)) {
        self.json.key(name);
        self.field(name, walk);
    }

    /// Writes `walk` in braces.
    pub(super) fn object(&mut self, walk: impl FnOnce(&mut Self)) {
        self.json.begin(b'{');
        walk(self);
        self.json.end(b'}');
    }

    /// Writes `walk` in brackets.
    pub(super) fn array(&mut self, walk: impl FnOnce(&mut Self)) {
        self.json.begin(b'[');
        walk(self);
        self.json.end(b']');
    }

    /// Writes a list, with the walk in each element in turn.
    pub(super) fn list<T>(&mut self, items: &'a [T], mut each: impl FnMut(&mut Self, &'a T)) {
        self.array(|e| {
            for (index, item) in items.iter().enumerate() {
                e.index(index, |e| each(e, item));
            }
        });
    }

    fn path_text(&self) -> String {
        let mut text = String::new();
        for segment in &self.path {
            match segment {
                Segment::Field(name) if text.is_empty() => text.push_str(name),
                Segment::Field(name) => _ = write!(text, ".{name}"),
                Segment::Index(index) => _ = write!(text, "[{index}]"),
                Segment::Key(key) => _ = write!(text, "[{key:?}]"),
            }
        }
        shorten(text)
    }
}

/// Keeps the end of a long path, which names the field at fault.
fn shorten(mut path: String) -> String {
    if path.len() > MAX_PATH_BYTES {
        let cut = path.ceil_char_boundary(path.len() - MAX_PATH_BYTES);
        path.replace_range(..cut, "…");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_the_path() {
        let mut e = Encoder::new(0);
        e.field("query", |e| e.field("rows", |e| e.index(2, |e| e.entry("a\"b", |e| e.violation("wrong")))));
        let violations = e.finish().unwrap_err();
        assert_eq!(violations[0].field, "query.rows[2][\"a\\\"b\"]");
        assert_eq!(violations[0].description, "wrong");
    }

    #[test]
    fn faults_and_paths_are_bounded() {
        let key = "ü".repeat(1000);
        let mut e = Encoder::new(0);
        for _ in 0..100 {
            e.field("schema", |e| e.entry(&key, |e| e.violation("wrong")));
        }
        let violations = e.finish().unwrap_err();
        assert_eq!(violations.len(), MAX_VIOLATIONS);
        assert!(violations[0].field.len() <= MAX_PATH_BYTES + '…'.len_utf8());
        assert!(violations[0].field.ends_with("ü\"]"));
    }
}
