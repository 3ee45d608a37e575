//! The wire: a proto header of eight bytes (version, type, length), then an info text, a security message or a message with
//! fields and operations. <https://github.com/aerospike/aerospike-client-go> and `as/include/base/proto.h` name every bit.

mod batch;
mod message;
mod reply;

pub(crate) use batch::{Batch, Row};
pub(crate) use message::{Fields, Message, Op, OpKind};
pub(crate) use reply::{Answer, Reply, write_batch, write_end, write_scanned, write_single};

use bytes::{BufMut, BytesMut};

/// The only version of the proto header there is.
pub(crate) const VERSION: u8 = 2;
/// Types of proto messages.
pub(crate) const TYPE_INFO: u8 = 1;
pub(crate) const TYPE_SECURITY: u8 = 2;
pub(crate) const TYPE_MESSAGE: u8 = 3;
pub(crate) const TYPE_COMPRESSED: u8 = 4;
/// The longest message taken, as in the server.
pub(crate) const BODY_MAX: u64 = 128 << 20;
/// A message's header: 22 bytes, its own length first.
pub(crate) const HEADER: usize = 22;

/// First byte of flags.
pub(crate) mod info1 {
    pub(crate) const READ: u8 = 1;
    pub(crate) const GET_ALL: u8 = 1 << 1;
    pub(crate) const BATCH: u8 = 1 << 3;
    pub(crate) const NO_BINS: u8 = 1 << 5;
}

/// Second byte of flags.
pub(crate) mod info2 {
    pub(crate) const WRITE: u8 = 1;
    pub(crate) const DELETE: u8 = 1 << 1;
    pub(crate) const GENERATION: u8 = 1 << 2;
    pub(crate) const GENERATION_GT: u8 = 1 << 3;
    pub(crate) const DURABLE_DELETE: u8 = 1 << 4;
    pub(crate) const CREATE_ONLY: u8 = 1 << 5;
    pub(crate) const RESPOND_ALL_OPS: u8 = 1 << 7;
}

/// Third byte of flags.
pub(crate) mod info3 {
    pub(crate) const LAST: u8 = 1;
    pub(crate) const UPDATE_ONLY: u8 = 1 << 3;
    pub(crate) const CREATE_OR_REPLACE: u8 = 1 << 4;
    pub(crate) const REPLACE_ONLY: u8 = 1 << 5;
}

/// Appends a proto header.
pub(crate) fn write_proto(out: &mut BytesMut, kind: u8, len: usize) {
    out.put_u64(u64::from(VERSION) << 56 | u64::from(kind) << 48 | len as u64);
}
