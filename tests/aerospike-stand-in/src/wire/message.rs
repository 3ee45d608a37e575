//! A message: its header, its fields and its operations.

use bytes::{Buf, Bytes};

use super::{HEADER, info1, info2, info3};
use crate::code::Code;
use crate::value::{Value, from_particle};

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpKind {
    Read,
    Write,
    CdtRead,
    CdtModify,
    Increment,
    ExpressionRead,
    ExpressionModify,
    Append,
    Prepend,
    Touch,
    DeleteAll,
    /// Bits, HyperLogLog and what else the stand-in leaves out.
    Other,
}

impl OpKind {
    fn of(code: u8) -> Self {
        match code {
            1 => Self::Read,
            2 => Self::Write,
            3 => Self::CdtRead,
            4 => Self::CdtModify,
            5 => Self::Increment,
            7 => Self::ExpressionRead,
            8 => Self::ExpressionModify,
            9 => Self::Append,
            10 => Self::Prepend,
            11 => Self::Touch,
            14 => Self::DeleteAll,
            _ => Self::Other,
        }
    }

    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Read | Self::CdtRead | Self::ExpressionRead)
    }
}

/// One operation of a message.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    pub(crate) kind: OpKind,
    /// The code on the wire: an answer repeats it.
    pub(crate) code: u8,
    pub(crate) particle: u8,
    /// The bin's name; empty: none.
    pub(crate) bin: Bytes,
    pub(crate) data: Bytes,
}

impl Op {
    pub(crate) fn value(&self) -> Result<Value, Code> {
        from_particle(self.particle, self.data.clone())
    }
}

/// The fields that the stand-in knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    pub(crate) namespace: Option<Bytes>,
    pub(crate) set: Option<Bytes>,
    pub(crate) key: Option<Bytes>,
    pub(crate) digest: Option<[u8; 20]>,
    pub(crate) filter: Option<Bytes>,
    pub(crate) batch: Option<Bytes>,
    /// A query's number: what has it is a query.
    pub(crate) query: Option<Bytes>,
    /// A query's partitions, two bytes each, little-endian.
    pub(crate) partitions: Option<Bytes>,
    /// A secondary index or a program: the stand-in has neither.
    pub(crate) unsupported: bool,
}

impl Fields {
    /// Reads `count` fields: length, type, bytes.
    pub(crate) fn read(data: &mut Bytes, count: usize) -> Result<Self, Code> {
        let mut fields = Self::default();
        for _ in 0..count {
            let len = take(data, 4)?.get_u32() as usize;
            let mut field = take(data, len)?;
            let kind = if field.has_remaining() { field.get_u8() } else { return Err(Code::PARAMETER) };
            match kind {
                0 => fields.namespace = Some(field),
                1 if !field.is_empty() => fields.set = Some(field),
                2 => fields.key = Some(field),
                4 => fields.digest = Some(field.as_ref().try_into().map_err(|_| Code::PARAMETER)?),
                7 => fields.query = Some(field),
                11 => fields.partitions = Some(field),
                22 | 30..=33 | 44 => fields.unsupported = true,
                41 | 42 => fields.batch = Some(field),
                43 => fields.filter = Some(field),
                _ => {}
            }
        }
        Ok(fields)
    }
}

/// A message that asks something of one record, of a batch or of all records.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) info1: u8,
    pub(crate) info2: u8,
    pub(crate) info3: u8,
    pub(crate) generation: u32,
    /// Seconds to live, or a special value.
    pub(crate) ttl: u32,
    /// Milliseconds that the caller waits; zero: the server's own limit.
    pub(crate) timeout_ms: u32,
    pub(crate) fields: Fields,
    pub(crate) ops: Vec<Op>,
}

impl Message {
    /// Reads a whole message, from the byte that is its header's length.
    pub(crate) fn read(mut data: Bytes) -> Result<Self, Code> {
        let mut header = take(&mut data, HEADER)?;
        if header.get_u8() as usize != HEADER {
            return Err(Code::PARAMETER);
        }
        let (info1, info2, info3) = (header.get_u8(), header.get_u8(), header.get_u8());
        // The fourth byte of flags (transactions, verbosity) and the result code.
        header.advance(2);
        let (generation, ttl, timeout_ms) = (header.get_u32(), header.get_u32(), header.get_u32());
        let (fields, ops) = (header.get_u16() as usize, header.get_u16() as usize);
        let fields = Fields::read(&mut data, fields)?;
        let ops = read_ops(&mut data, ops)?;
        Ok(Self { info1, info2, info3, generation, ttl, timeout_ms, fields, ops })
    }

    pub(crate) fn is_write(&self) -> bool {
        self.info2 & info2::WRITE != 0
    }

    pub(crate) fn is_delete(&self) -> bool {
        self.is_write() && self.info2 & info2::DELETE != 0
    }

    pub(crate) fn is_batch(&self) -> bool {
        self.info1 & info1::BATCH != 0
    }

    pub(crate) fn is_replace(&self) -> bool {
        self.info3 & (info3::CREATE_OR_REPLACE | info3::REPLACE_ONLY) != 0
    }

    /// Whether the operation reads every bin; without that flag, a read of no bin asks for the header.
    pub(crate) fn is_read_all(&self, op: &Op) -> bool {
        op.kind == OpKind::Read && op.bin.is_empty() && self.info1 & info1::GET_ALL != 0
    }

    pub(crate) fn responds_to_all(&self) -> bool {
        self.info2 & info2::RESPOND_ALL_OPS != 0
    }
}

/// Reads `count` operations.
pub(crate) fn read_ops(data: &mut Bytes, count: usize) -> Result<Vec<Op>, Code> {
    (0..count).map(|_| read_op(data)).collect()
}

fn read_op(data: &mut Bytes) -> Result<Op, Code> {
    let len = take(data, 4)?.get_u32() as usize;
    let mut op = take(data, len)?;
    let mut head = take(&mut op, 4)?;
    let (code, particle, _version, name) = (head.get_u8(), head.get_u8(), head.get_u8(), head.get_u8());
    let bin = take(&mut op, name as usize)?;
    Ok(Op { kind: OpKind::of(code), code, particle, bin, data: op })
}

/// Splits `len` bytes off the front.
pub(super) fn take(data: &mut Bytes, len: usize) -> Result<Bytes, Code> {
    if len > data.len() { Err(Code::PARAMETER) } else { Ok(data.split_to(len)) }
}
