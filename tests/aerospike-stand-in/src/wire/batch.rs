//! A batch: rows of a key and a message each, where a row may repeat the message before it.

use bytes::{Buf, Bytes};

use super::message::{read_ops, take};
use super::{Fields, Message};
use crate::code::Code;

/// The most rows of a batch: the server's `batch-max-requests` where it is not configured.
const ROWS_MAX: usize = 5000;
/// Says: answer every row, whatever the others came to.
const RESPOND_ALL: u8 = 0x4;

/// What a row's first byte says.
mod row {
    pub(super) const REPEAT: u8 = 0x1;
    pub(super) const INFO: u8 = 0x2;
    pub(super) const GENERATION: u8 = 0x4;
    pub(super) const TTL: u8 = 0x8;
    pub(super) const INFO4: u8 = 0x10;
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The caller's number of the row; the answer carries it.
    pub(crate) index: u32,
    /// What it asks; rows that repeat share it.
    pub(crate) message: std::sync::Arc<Message>,
    pub(crate) digest: [u8; 20],
}

/// The rows of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) respond_all: bool,
    pub(crate) rows: Vec<Row>,
    /// The rows after these could not be read.
    pub(crate) is_cut: bool,
}

impl Batch {
    /// Reads the batch of a message. What the message says for all rows (timeout, filter) goes into each.
    pub(crate) fn read(parent: &Message) -> Result<Self, Code> {
        let mut data = parent.fields.batch.clone().ok_or(Code::PARAMETER)?;
        let mut head = take(&mut data, 5)?;
        let count = head.get_u32() as usize;
        match count {
            0 => return Err(Code::PARAMETER),
            count if count > ROWS_MAX => return Err(Code::BATCH_MAX_REQUESTS),
            _ => {}
        }
        let respond_all = head.get_u8() & RESPOND_ALL != 0;
        let mut rows: Vec<Row> = Vec::new();
        for _ in 0..count {
            match read_row(&mut data, rows.last(), parent) {
                Ok(row) => rows.push(row),
                Err(_) => return Ok(Self { respond_all, rows, is_cut: true }),
            }
        }
        Ok(Self { respond_all, rows, is_cut: false })
    }
}

fn read_row(data: &mut Bytes, before: Option<&Row>, parent: &Message) -> Result<Row, Code> {
    let mut head = take(data, 25)?;
    let index = head.get_u32();
    let mut digest = [0; 20];
    head.copy_to_slice(&mut digest);
    let flags = head.get_u8();
    let message = if flags & row::REPEAT != 0 {
        before.ok_or(Code::PARAMETER)?.message.clone()
    } else {
        std::sync::Arc::new(read_message(data, flags, parent)?)
    };
    Ok(Row { index, message, digest })
}

fn read_message(data: &mut Bytes, flags: u8, parent: &Message) -> Result<Message, Code> {
    let info1 = take(data, 1)?.get_u8();
    let (info2, info3) = if flags & row::INFO != 0 {
        let mut info = take(data, 2)?;
        (info.get_u8(), info.get_u8())
    } else {
        (0, 0)
    };
    if flags & row::INFO4 != 0 {
        take(data, 1)?;
    }
    let generation = if flags & row::GENERATION != 0 { u32::from(take(data, 2)?.get_u16()) } else { 0 };
    let ttl = if flags & row::TTL != 0 { take(data, 4)?.get_u32() } else { 0 };
    let mut counts = take(data, 4)?;
    let (fields, ops) = (counts.get_u16() as usize, counts.get_u16() as usize);
    let mut fields = Fields::read(data, fields)?;
    fields.filter = fields.filter.or_else(|| parent.fields.filter.clone());
    let ops = read_ops(data, ops)?;
    Ok(Message { info1, info2, info3, generation, ttl, timeout_ms: parent.timeout_ms, fields, ops })
}
