//! Answers that are none: each in turn a different kind of wrong.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{BufMut, BytesMut};

use crate::wire::{TYPE_MESSAGE, write_proto};

/// The next noise.
pub(super) fn noise() -> BytesMut {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let turn = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut out = BytesMut::new();
    match turn % 4 {
        // Nothing that belongs here.
        0 => scribble(&mut out, turn, 64),
        // Another protocol.
        1 => out.put_slice(
            b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nthis is not the server that you look for",
        ),
        // A right head and a wrong body.
        2 => {
            write_proto(&mut out, TYPE_MESSAGE, 64);
            out.put_u8(22);
            scribble(&mut out, turn, 63);
        }
        // A length beyond any bound.
        _ => {
            write_proto(&mut out, TYPE_MESSAGE, 1 << 47);
            scribble(&mut out, turn, 64);
        }
    }
    out
}

/// Bytes without a pattern (xorshift).
fn scribble(out: &mut BytesMut, seed: u64, len: usize) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.put_u8(state as u8);
    }
}
