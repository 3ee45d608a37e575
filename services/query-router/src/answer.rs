//! Answers that Layer reads: schema and metadata, without the attributes that are Layer's own.

use bytes::Bytes;
use http::{
    Request, Response,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING},
    uri::{PathAndQuery, Uri},
};
use http_body_util::{BodyExt, Limited};
use layer_wire::{RESERVED_PREFIX, strip_reserved_metadata, strip_reserved_rows, strip_reserved_schema};
use serde_json::{Map, Value, json};

use crate::{
    body::{BoxError, Source},
    core::Relayable,
    refusal::Refusal,
};

/// A schema has at most 1,024 names of 128 bytes with some settings each; this is ten times that.
pub const SCHEMA_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Recall answers hold rows only when asked for their ground truth: a debugging call, of a few rows by default.
pub const RECALL_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What Layer changes in an answer.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// A schema loses its reserved attributes.
    Schema,
    /// Metadata lose theirs, and gain the block `layer` where it was asked for.
    Metadata {
        /// It was asked for.
        include: bool,
    },
    /// The rows of a recall lose theirs.
    Recall,
}

impl Change {
    fn bytes_max(self) -> usize {
        if matches!(self, Self::Recall) { RECALL_BYTES_MAX } else { SCHEMA_BYTES_MAX }
    }

    fn apply(self, body: Bytes) -> Bytes {
        match self {
            Self::Schema => strip_reserved_schema(body),
            Self::Metadata { include: false } => strip_reserved_metadata(body),
            Self::Metadata { include: true } => with_layer_block(body),
            Self::Recall => strip_reserved_rows(body),
        }
    }
}

/// Takes `include=layer` off a request's query: it is Layer's word, not the origin's.
pub fn take_include(mut request: Request<Source>) -> (Request<Source>, bool) {
    let uri = request.uri();
    let Some(query) = uri.query().filter(|query| query.split('&').any(|pair| pair == "include=layer")) else {
        return (request, false);
    };
    let rest: Vec<&str> = query.split('&').filter(|pair| *pair != "include=layer").collect();
    let path = match rest.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), rest.join("&")),
    };
    if let Ok(path) = PathAndQuery::try_from(path) {
        *request.uri_mut() = Uri::from(path);
    }
    (request, true)
}

/// Reads a good answer whole and changes it; any other is relayed as it streams.
pub async fn edit(answer: Response<Relayable>, change: Change) -> Result<Response<Relayable>, Refusal> {
    if !answer.status().is_success() {
        return Ok(answer);
    }
    read_whole(answer, change.bytes_max(), |body| change.apply(body)).await
}

/// Reads an answer of at most `bytes_max` whole and changes it.
pub async fn read_whole(
    answer: Response<Relayable>,
    bytes_max: usize,
    change: impl FnOnce(Bytes) -> Bytes,
) -> Result<Response<Relayable>, Refusal> {
    if answer.headers().contains_key(CONTENT_ENCODING) {
        return Err(Refusal::Upstream("the origin compressed an answer that was asked for uncompressed".to_owned()));
    }
    let (mut head, body) = answer.into_parts();
    let Relayable::Origin(body) = body else { return Ok(Response::from_parts(head, body)) };
    let unread = |error: BoxError| Refusal::Upstream(format!("the origin's answer cannot be read: {error}"));
    let read = Limited::new(body, bytes_max).collect().await.map_err(unread)?;
    let body = change(read.to_bytes());
    head.headers.remove(TRANSFER_ENCODING);
    if head.headers.contains_key(CONTENT_LENGTH) {
        head.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    Ok(Response::from_parts(head, Relayable::Whole(body)))
}

/// Appends the member `layer`, in the bytes, so that all others stay as the origin wrote them.
fn with_layer_block(body: Bytes) -> Bytes {
    let Ok(Value::Object(metadata)) = serde_json::from_slice::<Value>(&body) else { return body };
    let block = layer_block(&metadata).to_string();
    let stripped = strip_reserved_metadata(body);
    let Some(end) = stripped.iter().rposition(|byte| *byte == b'}') else { return stripped };
    let comma = if metadata.is_empty() { "" } else { "," };
    Bytes::from([&stripped[..end], comma.as_bytes(), b"\"layer\":", block.as_bytes(), &stripped[end..]].concat())
}

/// What Layer knows of a namespace: whether everything written is indexed, and which reserved attributes it carries.
fn layer_block(metadata: &Map<String, Value>) -> Value {
    let indexed = metadata.get("index").and_then(|index| index.get("status")).and_then(Value::as_str);
    let names = metadata.get("schema").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let reserved: Vec<&String> = names.filter(|name| name.starts_with(RESERVED_PREFIX)).collect();
    json!({"is_stable": indexed.map(|status| status == "up-to-date"), "reserved_attributes": reserved})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layer_block_is_appended_and_the_rest_is_kept_to_the_byte() {
        let body = r#"{"schema":{"a":"int","_hevlayer_upserted_at":"int"},"approx_row_count":18446744073709551615, "index":{"status":"up-to-date"} }"#;
        let edited = with_layer_block(Bytes::from_static(body.as_bytes()));
        let kept = r#"{"schema":{"a":"int"},"approx_row_count":18446744073709551615, "index":{"status":"up-to-date"} ,"layer":"#;
        let edited = std::str::from_utf8(&edited).unwrap();
        assert!(edited.starts_with(kept), "{edited}");
        let layer = &serde_json::from_str::<Value>(edited).unwrap()["layer"];
        assert_eq!(*layer, json!({"is_stable": true, "reserved_attributes": ["_hevlayer_upserted_at"]}));
    }

    #[test]
    fn answers_of_another_shape_stay() {
        for body in ["[]", "not json", ""] {
            assert_eq!(with_layer_block(Bytes::from_static(body.as_bytes())), body.as_bytes());
        }
        assert!(serde_json::from_slice::<Value>(&with_layer_block(Bytes::from_static(b"{}"))).is_ok());
    }
}
