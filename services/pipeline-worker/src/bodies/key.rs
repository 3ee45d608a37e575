//! Where a body is: `pipelines/<queue>/<stage>/<document>/<minted>-<digest>`, or a part of a pack that several bodies of a call
//! share: `pipelines/<queue>/<stage>/<minted>-<id>`.
//!
//! The key tells all that the sweeper must know to ask whether a row names the body, and when it was made. Documents' ids
//! are written so that they can be read back and hold no slash.

use std::borrow::Cow;

use crate::state::{Body, InPack};

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

/// What is stored under a key.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stored {
    /// A document's body; the number of chunks is not known.
    Body(String, Body),
    /// What several bodies share.
    Pack {
        /// When it was made, as its bodies.
        minted_ms: i64,
        /// What names it in the state.
        id: i64,
    },
}

impl Place<'_> {
    /// The key of its body, were it an object of its own. It names the body in the cache, wherever it is stored.
    pub(crate) fn key(&self, body: &Body) -> String {
        format!("{}{}/{}", self.prefix(), escaped(self.document), name(body.minted_ms, body.digest))
    }

    /// The key of the pack that holds it.
    pub(crate) fn pack_key(&self, body: &Body, pack: &InPack) -> String {
        format!("{}{}", self.prefix(), name(body.minted_ms, pack.id))
    }

    fn prefix(&self) -> String {
        format!("{}{}/", queue_prefix(self.queue), self.stage.unwrap_or(STAGED))
    }
}

fn name(minted_ms: i64, id: i64) -> String {
    #[allow(clippy::cast_sign_loss, reason = "the same 64 bits")]
    let id = id as u64;
    format!("{minted_ms:013}-{id:016x}")
}

fn parse_name(name: &str) -> Option<(i64, i64)> {
    let (minted, id) = name.split_once('-')?;
    #[allow(clippy::cast_possible_wrap, reason = "the same 64 bits")]
    let id = u64::from_str_radix(id, 16).ok()? as i64;
    Some((minted.parse().ok()?, id))
}

/// What the keys of a queue's bodies begin with.
pub(crate) fn queue_prefix(queue: i64) -> String {
    format!("{ROOT}{queue}/")
}

/// What `key` is of. `None`: it is neither a body's nor a pack's.
pub(crate) fn parse(key: &str) -> Option<Stored> {
    let mut parts = key.strip_prefix(ROOT)?.splitn(4, '/');
    let (_queue, _stage, third) = (parts.next()?, parts.next()?, parts.next()?);
    let Some(last) = parts.next() else {
        let (minted_ms, id) = parse_name(third)?;
        return Some(Stored::Pack { minted_ms, id });
    };
    let (minted_ms, digest) = parse_name(last)?;
    Some(Stored::Body(unescaped(third)?, Body { minted_ms, digest, chunks: 0, pack: None }))
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
            let body = Body { minted_ms: 1_700_000_000_000, digest: -2, chunks: 3, pack: None };
            let key = Place { queue: 7, stage: Some("chunking"), document }.key(&body);
            assert!(key.starts_with("pipelines/7/chunking/") && key.len() <= 1024, "{key}");
            assert_eq!(parse(&key).unwrap(), Stored::Body(document.to_owned(), Body { chunks: 0, ..body }));
        }
    }

    #[test]
    fn packs_are_told_from_bodies() {
        let pack = InPack { id: -3, start: 0, bytes: 9 };
        let body = Body { minted_ms: 1_700_000_000_000, digest: 5, chunks: 3, pack: Some(pack) };
        let key = Place { queue: 7, stage: None, document: "a" }.pack_key(&body, &pack);
        assert_eq!(key, "pipelines/7/staged./1700000000000-fffffffffffffffd");
        assert_eq!(parse(&key), Some(Stored::Pack { minted_ms: 1_700_000_000_000, id: -3 }));
    }

    #[test]
    fn what_was_staged_is_kept_apart_from_what_stages_put_out() {
        let body = Body { minted_ms: 1, digest: 2, chunks: 0, pack: None };
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
