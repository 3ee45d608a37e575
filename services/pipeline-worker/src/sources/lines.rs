//! Lines of JSON: each is a document, with its text in it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
};

use layer_proto::pipeline::v1::StagedDocument;
use serde_json::{Map, Value};

use super::{BATCH_BYTES, BATCH_DOCUMENTS, SourceError, staged, wrong_id};

/// The longest line, in bytes.
const LINE_MAX: u64 = 64 << 20;

/// A file of lines of JSON.
#[derive(Debug)]
pub struct Lines {
    name: String,
    file: BufReader<File>,
    line: u64,
    id_field: String,
    text_field: String,
}

impl Lines {
    /// Opens a file. Each line that is not empty is an object; its member `id_field` (a text or a whole number) is the document's id,
    /// `text_field` its text, all others are its metadata.
    ///
    /// # Errors
    /// [`SourceError::File`] where it cannot be opened.
    pub fn open(path: &Path, id_field: &str, text_field: &str) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        let file =
            File::open(path).map_err(|error| SourceError::File { file: name.clone(), reason: error.to_string() })?;
        let (id_field, text_field) = (id_field.to_owned(), text_field.to_owned());
        Ok(Self { name, file: BufReader::new(file), line: 0, id_field, text_field })
    }

    fn wrong(&self, reason: impl Into<String>) -> SourceError {
        SourceError::Line { file: self.name.clone(), line: self.line, reason: reason.into() }
    }

    /// The next line that is not empty, and its size.
    fn line(&mut self) -> Result<Option<(StagedDocument, usize)>, SourceError> {
        loop {
            let mut line = String::new();
            self.line += 1;
            let read = self.file.by_ref().take(LINE_MAX).read_line(&mut line);
            match read.map_err(|error| self.wrong(error.to_string()))? {
                0 => return Ok(None),
                size if size as u64 == LINE_MAX => return Err(self.wrong(format!("is longer than {LINE_MAX} bytes"))),
                _ if line.trim().is_empty() => {}
                size => return Ok(Some((self.document(&line)?, size))),
            }
        }
    }

    fn document(&self, line: &str) -> Result<StagedDocument, SourceError> {
        let mut members: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| self.wrong(format!("is no JSON object: {error}")))?;
        let id = match members.remove(&self.id_field) {
            Some(Value::String(id)) => id,
            Some(Value::Number(id)) if id.is_u64() => id.to_string(),
            _ => return Err(self.wrong(format!("`{}` must be a text or a whole number", self.id_field))),
        };
        if let Some(reason) = wrong_id(&id) {
            return Err(self.wrong(format!("`{}`: {reason}", self.id_field)));
        }
        match members.remove(&self.text_field) {
            Some(Value::String(text)) => Ok(staged(id, Some(text), members)),
            _ => Err(self.wrong(format!("`{}` must be a text", self.text_field))),
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Vec<StagedDocument>, SourceError>;

    /// It blocks. After an error it goes on with the next line.
    fn next(&mut self) -> Option<Self::Item> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH_DOCUMENTS && bytes < BATCH_BYTES {
            match self.line() {
                Ok(Some((document, size))) => {
                    batch.push(document);
                    bytes += size;
                }
                Ok(None) => break,
                Err(error) => return Some(Err(error)),
            }
        }
        (!batch.is_empty()).then_some(Ok(batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<StagedDocument>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let batches: Result<Vec<_>, _> = Lines::open(file.path(), "key", "body").unwrap().collect();
        Ok(batches.map_err(|error| error.to_string().split_once(", ").unwrap().1.to_owned())?.concat())
    }

    #[test]
    fn lines_are_documents() {
        let found = of("{\"key\": \"a\", \"body\": \"x\", \"n\": 1}\n\n{\"key\": 7, \"body\": \"y\"}").unwrap();
        let ids: Vec<_> = found.iter().map(|document| document.document_id.as_str()).collect();
        assert_eq!(ids, ["a", "7"]);
        assert_eq!(found[0].chunks[0].text.as_deref(), Some("x"));
        assert_eq!(
            (found[0].chunks[0].metadata_json.as_str(), found[1].chunks[0].metadata_json.as_str()),
            (r#"{"n":1}"#, "")
        );
    }

    #[test]
    fn wrong_lines_are_named() {
        assert_eq!(
            of("{\"key\": \"a\", \"body\": \"x\"}\n{\"body\": \"x\"}").unwrap_err(),
            "line 2: `key` must be a text or a whole number"
        );
        assert_eq!(of("{\"key\": \"a\"}").unwrap_err(), "line 1: `body` must be a text");
        assert!(of("[1]").unwrap_err().starts_with("line 1: is no JSON object"));
        assert!(of("{\"key\": \"\", \"body\": \"x\"}").unwrap_err().contains("1 to 256 bytes"));
    }

    #[test]
    fn batches_are_bounded() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = |id: usize| format!("{{\"key\": \"{id}\", \"body\": \"x\"}}\n");
        std::fs::write(file.path(), (0..2_500).map(line).collect::<String>()).unwrap();
        let sizes: Vec<usize> =
            Lines::open(file.path(), "key", "body").unwrap().map(|batch| batch.unwrap().len()).collect();
        assert_eq!(sizes, [1_000, 1_000, 500]);
    }
}
