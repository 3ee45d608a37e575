//! Reads the answer to a write by filter: which rows it hit.

use bytes::{Bytes, BytesMut};
use http::{
    Response,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body_util::BodyExt;
use layer_wire::{AffectedRewriter, IdLimits, Ids, Pieces};

use crate::{body::Watched, core::Relayable, refusal::Refusal};

/// What is kept of an answer at the most, without lists that are taken out: with them, a million ids of a caller that
/// asked for them.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// An answer that was read, and the rows that it lists where they are known for certain.
pub type Read = (Result<Response<Relayable>, Refusal>, Option<Ids>);

/// Reads a good answer whole, within bounds. `take_out`: the lists are left out of what is relayed.
pub async fn read(answer: Response<Watched>, limits: IdLimits, take_out: bool) -> Read {
    if answer.headers().contains_key(CONTENT_ENCODING) {
        return (Ok(answer.map(Relayable::Origin)), None);
    }
    let (mut head, mut body) = answer.into_parts();
    let (mut rewriter, mut kept) = (AffectedRewriter::new(limits, take_out), Pieces::new());
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => frame.into_data().into_iter().for_each(|piece| rewriter.push(piece, &mut kept)),
            Err(error) => return (unread(&error.to_string()), None),
        }
        if kept.len_bytes() > ANSWER_BYTES_MAX {
            return (too_long(head, rewriter, kept, body, take_out), None);
        }
    }
    let affected = rewriter.finish(&mut kept);
    head.headers.remove(TRANSFER_ENCODING);
    let body = joined(&mut kept);
    if head.headers.contains_key(CONTENT_LENGTH) {
        head.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    match affected {
        Err(error) if take_out => (unread(&error.to_string()), None),
        affected => {
            let listed = affected.ok().and_then(|affected| affected.ids);
            (Ok(Response::from_parts(head, Relayable::Whole(body))), listed)
        }
    }
}

/// More than is kept: the caller's own lists go on as they come.
fn too_long(
    head: http::response::Parts,
    rewriter: AffectedRewriter,
    mut kept: Pieces,
    rest: Watched,
    take_out: bool,
) -> Result<Response<Relayable>, Refusal> {
    if take_out {
        return unread("it is too long");
    }
    // It hands on what it still holds; that the answer is not whole yet is known.
    let _ = rewriter.finish(&mut kept);
    Ok(Response::from_parts(head, Relayable::Origin(rest.after(joined(&mut kept)))))
}

fn unread(reason: &str) -> Result<Response<Relayable>, Refusal> {
    Err(Refusal::Upstream(format!("the write was applied, but the origin's answer cannot be read: {reason}")))
}

fn joined(pieces: &mut Pieces) -> Bytes {
    let mut all = BytesMut::with_capacity(usize::try_from(pieces.len_bytes()).unwrap_or(0));
    pieces.drain().for_each(|piece| all.extend_from_slice(&piece));
    all.freeze()
}
