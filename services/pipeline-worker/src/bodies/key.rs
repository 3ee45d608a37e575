//! Where a body is: `pipelines/<queue>/<stage>/<document>/<minted>-<digest>`.
//!
//! The key tells all that the sweeper must know to ask whether a row names the body, and when it was made. Documents' ids
//! are written so that they can be read back and hold no slash.

use std::borrow::Cow;

use crate::state::Body;

/// What every body's key begins with.
const ROOT: &str = "pipelines/";
/// What is staged has no stage of its own; no stage's name holds a dot.
const STAGED: &str = "staged.";

/// What a body is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// The queue's id.
    pub(crate) queue: i64,
    /// The stage that put it out; none: it was staged.
    pub(crate) stage: Option<&'a str>,
    /// The document.
    pub(crate) document: &'a str,
}

impl Place<'_> {
    /// The key of its body.
    pub(crate) fn key(&self, body: &Body) -> String {
        let Self { queue, stage, document } = self;
        let stage = stage.unwrap_or(STAGED);
        #[allow(clippy::cast_sign_loss, reason = "the same 64 bits")]
        let digest = body.digest as u64;
        format!("{ROOT}{queue}/{stage}/{}/{:013}-{digest:016x}", escaped(document), body.minted_ms)
    }
}

/// What the keys of a queue's bodies begin with.
pub(crate) fn queue_prefix(queue: i64) -> String {
    format!("{ROOT}{queue}/")
}

/// The document and body that `key` is of; the number of chunks is not known. `None`: it is no body's.
pub(crate) fn parse(key: &str) -> Option<(String, Body)> {
    let mut parts = key.strip_prefix(ROOT)?.split('/');
    let (_queue, _stage, document, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (minted, digest) = name.split_once('-')?;
    #[allow(clippy::cast_possible_wrap, reason = "the same 64 bits")]
    let digest = u64::from_str_radix(digest, 16).ok()? as i64;
    let body = Body { minted_ms: minted.parse().ok()?, digest, chunks: 0 };
    (parts.next().is_none()).then_some((unescaped(document)?, body))
}

/// What no part of a key may hold, percent-encoded; else as it is.
fn escaped(document: &str) -> Cow<'_, str> {
    match document {
        "." => "%2E".into(),
        ".." => "%2E%2E".into(),
        _ if document.contains(['%', '/', '\\']) => {
            document.replace('%', "%25").replace('/', "%2F").replace('\\', "%5C").into()
        }
        _ => document.into(),
    }
}

fn unescaped(document: &str) -> Option<String> {
    percent_encoding::percent_decode_str(document).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_what_they_are_of() {
        for document in ["a", "a/b", "100%", "%2F", "ä ö", "a\\b", "..", ".", &"/".repeat(256)] {
            let body = Body { minted_ms: 1_700_000_000_000, digest: -2, chunks: 3 };
            let key = Place { queue: 7, stage: Some("chunking"), document }.key(&body);
            assert!(key.starts_with("pipelines/7/chunking/") && key.len() <= 1024, "{key}");
            assert_eq!(parse(&key).unwrap(), (document.to_owned(), Body { chunks: 0, ..body }));
        }
    }

    #[test]
    fn what_was_staged_is_kept_apart_from_what_stages_put_out() {
        let body = Body { minted_ms: 1, digest: 2, chunks: 0 };
        let staged = Place { queue: 1, stage: None, document: "a" }.key(&body);
        assert_eq!(staged, "pipelines/1/staged./a/0000000000001-0000000000000002");
        assert_ne!(staged, Place { queue: 1, stage: Some("staged"), document: "a" }.key(&body));
    }

    #[test]
    fn other_keys_are_no_bodies() {
        for key in
            ["", "pipelines/", "pipelines/1/s/a", "pipelines/1/s/a/b", "pipelines/1/s/a/1-2/3", "blobs/1/s/a/1-2"]
        {
            assert_eq!(parse(key), None, "{key}");
        }
    }
}
