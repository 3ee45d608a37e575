//! Leases as callers carry them: opaque bytes, of a fixed form that a later version can tell from its own.

use bytes::{BufMut as _, BytesMut};
use layer_proto::cache::v1 as proto;

use crate::backend::Lease;

/// The form of the bytes.
const VERSION: u8 = 1;
const BYTES: usize = 1 + 3 * 8;

/// The bytes of a lease.
pub(super) fn write(lease: &Lease) -> proto::Lease {
    let mut token = BytesMut::with_capacity(BYTES);
    token.put_u8(VERSION);
    token.put_u64(lease.token);
    token.put_u64(lease.generation);
    token.put_u64(lease.epoch);
    proto::Lease { token: token.freeze() }
}

/// The lease that the bytes stand for; `None` where no lookup gives such bytes.
pub(super) fn read(lease: &proto::Lease) -> Option<Lease> {
    let (version, rest) = lease.token.split_first()?;
    let numbers: &[u8; BYTES - 1] = rest.try_into().ok()?;
    let number = |at: usize| numbers[8 * at..].first_chunk().copied().map(u64::from_be_bytes);
    let lease = Lease { token: number(0)?, generation: number(1)?, epoch: number(2)? };
    (*version == VERSION).then_some(lease)
}

/// Whether `token` has the form of a lease.
#[cfg(test)]
fn is_lease(token: &'static [u8]) -> bool {
    read(&proto::Lease { token: bytes::Bytes::from_static(token) }).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_comes_back_as_it_went_and_nothing_else_is_one() {
        let lease = Lease { token: 1, generation: u64::MAX, epoch: 3 };
        let written = write(&lease);
        assert!(written.token.len() <= 64);
        assert_eq!(read(&written), Some(lease));
        assert!(!is_lease(b"") && !is_lease(&[VERSION; BYTES - 1]) && !is_lease(&[VERSION; BYTES + 1]));
        assert!(!is_lease(&[VERSION + 1; BYTES]) && is_lease(&[VERSION; BYTES]));
    }
}
