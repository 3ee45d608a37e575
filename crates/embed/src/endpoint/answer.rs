//! Reading an endpoint's answers, and trusting none of it.

use base64::Engine as _;
use serde::Deserialize;

use crate::{EmbedError, Vector};

/// The most of an error's message that is kept, in bytes.
const MESSAGE_MAX: usize = 300;

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Numbers,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    Base64(String),
    Float(Vector),
}

/// The vectors of a good answer to a request of `count` texts, in the order of the texts. All have `dimension` numbers where that
/// is known, else as many as the first.
pub(super) fn vectors(body: &[u8], count: usize, dimension: Option<usize>) -> Result<Vec<Vector>, EmbedError> {
    let wrong = |reason: &str| EmbedError::Answer(reason.to_owned());
    let answer: Answer = serde_json::from_slice(body).map_err(|_| wrong("it is not the JSON of embeddings"))?;
    if answer.data.len() != count {
        return Err(wrong(&format!("{} vectors for {count} texts", answer.data.len())));
    }
    let mut vectors: Vec<Vector> = vec![Vec::new(); count];
    let mut dimension = dimension;
    for item in answer.data {
        let vector = item.embedding.read().ok_or_else(|| wrong("a vector is not base64 of numbers of 32 bits"))?;
        let wanted = *dimension.get_or_insert(vector.len());
        if vector.is_empty() || vector.len() != wanted {
            return Err(wrong(&format!("a vector has {} numbers, not {wanted}", vector.len())));
        }
        if !vector.iter().all(|number| number.is_finite()) {
            return Err(wrong("a vector is not finite"));
        }
        match vectors.get_mut(item.index) {
            Some(place) if place.is_empty() => *place = vector,
            _ => return Err(wrong("an index is twice, or of no text")),
        }
    }
    Ok(vectors)
}

impl Numbers {
    fn read(self) -> Option<Vector> {
        match self {
            Self::Float(vector) => Some(vector),
            Self::Base64(text) => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
                let (numbers, rest) = bytes.as_chunks::<4>();
                rest.is_empty().then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
            }
        }
    }
}

/// What a refusal says of itself.
#[derive(Default)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
}

/// Reads the body of a refusal: `{"error": {"message", "code"}}`, `{"error": text}` or `{"message": text}`.
pub(super) fn refusal(body: &[u8]) -> Refusal {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return Refusal::default() };
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let error = &body["error"];
    let message = [&error["message"], error, &body["message"]].into_iter().map(text).find(|text| !text.is_empty());
    let mut message = message.unwrap_or_default();
    message.truncate(message.floor_char_boundary(MESSAGE_MAX));
    Refusal { code: text(&error["code"]), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(body: &str, count: usize, dimension: Option<usize>) -> String {
        vectors(body.as_bytes(), count, dimension).unwrap_err().to_string()
    }

    #[test]
    fn both_forms_are_read_in_the_order_of_the_index() {
        let base64 =
            base64::engine::general_purpose::STANDARD.encode([1.5_f32.to_le_bytes(), 2.0_f32.to_le_bytes()].concat());
        let body =
            format!(r#"{{"data": [{{"index": 1, "embedding": [3, 4e-1]}}, {{"index": 0, "embedding": "{base64}"}}]}}"#);
        assert_eq!(vectors(body.as_bytes(), 2, None).unwrap(), [[1.5, 2.0], [3.0, 0.4]]);
    }

    #[test]
    fn every_lie_is_found() {
        let one = r#"{"data": [{"index": 0, "embedding": [1]}]}"#;
        assert!(reason("{}", 1, None).contains("not the JSON"));
        assert!(reason(one, 2, None).contains("1 vectors for 2 texts"));
        assert!(reason(one, 1, Some(3)).contains("1 numbers, not 3"));
        assert!(reason(r#"{"data": [{"index": 0, "embedding": []}]}"#, 1, None).contains("0 numbers"));
        assert!(reason(r#"{"data": [{"index": 1, "embedding": [1]}]}"#, 1, None).contains("index"));
        assert!(reason(r#"{"data": [{"index": 0, "embedding": [1e39]}]}"#, 1, None).contains("not finite"));
        assert!(reason(r#"{"data": [{"index": 0, "embedding": "AAAA"}]}"#, 1, None).contains("base64"));
        let twice = r#"{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}"#;
        assert!(reason(twice, 2, None).contains("twice"));
        let uneven = r#"{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}"#;
        assert!(reason(uneven, 2, None).contains("2 numbers, not 1"));
    }

    #[test]
    fn refusals_are_read_in_all_their_forms() {
        let read = |body: &str| refusal(body.as_bytes()).message;
        assert_eq!(read(r#"{"error": {"message": "no", "code": "c"}}"#), "no");
        assert_eq!(read(r#"{"error": "no"}"#), "no");
        assert_eq!(read(r#"{"message": "no"}"#), "no");
        assert_eq!(read("<html>"), "");
        assert_eq!(read(&format!(r#"{{"error": "{}"}}"#, "ß".repeat(400))).len(), MESSAGE_MAX);
    }
}
