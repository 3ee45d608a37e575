//! Writes JSON straight into one buffer.
//!
//! Why not build a `serde_json::Value`: a request is mostly vectors, and those go from the message into base64 text
//! without another copy. Commas are placed by looking at the last byte written, so callers only name what comes next.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// Floats encoded at a time: 768 bytes, a multiple of three, so no padding falls between two pieces.
const FLOATS_PER_PIECE: usize = 192;

/// A JSON document under construction. The caller keeps the order right; nothing here checks it.
#[derive(Debug, Default)]
pub(super) struct JsonWriter {
    out: Vec<u8>,
}

impl JsonWriter {
    /// Starts with room for `capacity` bytes.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { out: Vec::with_capacity(capacity) }
    }

    /// The document.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Opens an object or, with `[`, an array.
    pub(super) fn begin(&mut self, bracket: u8) {
        self.separate();
        self.out.push(bracket);
    }

    /// Closes an object or, with `]`, an array.
    pub(super) fn end(&mut self, bracket: u8) {
        self.out.push(bracket);
    }

    /// Writes the name of an object's next value.
    pub(super) fn key(&mut self, name: &str) {
        self.scalar(name);
        self.out.push(b':');
    }

    /// Writes a string, number, truth value or null. Numbers keep every digit.
    pub(super) fn scalar<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.separate();
        serde_json::to_writer(&mut self.out, value).expect("scalars serialize into memory");
    }

    /// Writes JSON text that has been checked already.
    pub(super) fn raw(&mut self, text: &str) {
        self.separate();
        self.out.extend_from_slice(text.trim().as_bytes());
    }

    /// Writes bytes as base64 text.
    pub(super) fn base64(&mut self, bytes: &[u8]) {
        self.separate();
        self.out.push(b'"');
        self.append_base64(bytes);
        self.out.push(b'"');
    }

    /// Writes floats as base64 text of little-endian f32.
    pub(super) fn base64_floats(&mut self, floats: &[f32]) {
        self.separate();
        self.out.push(b'"');
        let mut piece = [0u8; FLOATS_PER_PIECE * 4];
        for chunk in floats.chunks(FLOATS_PER_PIECE) {
            for (target, float) in piece.chunks_exact_mut(4).zip(chunk) {
                target.copy_from_slice(&float.to_le_bytes());
            }
            self.append_base64(&piece[..chunk.len() * 4]);
        }
        self.out.push(b'"');
    }

    fn append_base64(&mut self, bytes: &[u8]) {
        let start = self.out.len();
        let length = bytes.len().div_ceil(3) * 4;
        self.out.resize(start + length, 0);
        STANDARD.encode_slice(bytes, &mut self.out[start..]).expect("the buffer has the encoded length");
    }

    fn separate(&mut self) {
        if !matches!(self.out.last(), None | Some(b'[' | b'{' | b':')) {
            self.out.push(b',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut JsonWriter)) -> String {
        let mut json = JsonWriter::default();
        write(&mut json);
        String::from_utf8(json.into_bytes()).unwrap()
    }

    #[test]
    fn commas_stand_between_values_only() {
        let text = written(|json| {
            json.begin(b'{');
            json.key("a,[{:");
            json.begin(b'[');
            json.scalar(&1u64);
            json.begin(b'{');
            json.end(b'}');
            json.scalar("x:");
            json.raw(" [1] ");
            json.end(b']');
            json.key("b");
            json.scalar(&());
            json.end(b'}');
        });
        assert_eq!(text, r#"{"a,[{:":[1,{},"x:",[1]],"b":null}"#);
    }

    #[test]
    fn numbers_keep_every_digit() {
        let text = written(|json| {
            json.begin(b'[');
            json.scalar(&u64::MAX);
            json.scalar(&i64::MIN);
            json.scalar(&0.7f32);
            json.scalar(&0.1f64);
            json.end(b']');
        });
        assert_eq!(text, "[18446744073709551615,-9223372036854775808,0.7,0.1]");
    }

    #[test]
    fn long_vectors_are_one_base64_text() {
        for length in [1, 2, 191, 192, 193, 1000] {
            let floats: Vec<f32> = (0..length).map(|i| i as f32 * 0.37 - 5.0).collect();
            let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
            assert_eq!(written(|json| json.base64_floats(&floats)), format!("\"{}\"", STANDARD.encode(&bytes)));
            assert_eq!(written(|json| json.base64(&bytes)), format!("\"{}\"", STANDARD.encode(&bytes)));
        }
    }
}
