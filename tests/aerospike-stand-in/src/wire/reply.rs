//! Answers.

use bytes::{BufMut, Bytes, BytesMut};

use super::{HEADER, TYPE_MESSAGE, info3, write_proto};
use crate::code::Code;
use crate::value::{Value, particle_type, write_particle};

/// How full a part of a batch's answer gets before it is sent, as in the server.
const PART_BYTES: usize = 128 << 10;

/// What one operation gave.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) code: u8,
    pub(crate) bin: Bytes,
    pub(crate) value: Value,
}

/// What a transaction came to.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) code: Code,
    pub(crate) generation: u16,
    /// When the record expires, in seconds since 2010; zero: never.
    pub(crate) void_time: u32,
    pub(crate) answers: Vec<Answer>,
}

impl Reply {
    pub(crate) fn of(code: Code) -> Self {
        Self { code, generation: 0, void_time: 0, answers: Vec::new() }
    }
}

/// Appends the answer to a message that is no batch.
pub(crate) fn write_single(out: &mut BytesMut, reply: &Reply) {
    let mut body = BytesMut::new();
    write_reply(&mut body, reply, 0);
    write_proto(out, TYPE_MESSAGE, body.len());
    out.put_slice(&body);
}

/// Appends a batch's answer: its rows in parts, then the end. `end` is the code in the end: not OK where the batch broke off.
pub(crate) fn write_batch(out: &mut BytesMut, rows: &[(u32, Reply)], end: Code) {
    let mut part = BytesMut::new();
    for (index, reply) in rows {
        write_reply(&mut part, reply, *index);
        if part.len() >= PART_BYTES {
            flush(out, &mut part);
        }
    }
    flush(out, &mut part);
    write_end(out, end);
}

fn flush(out: &mut BytesMut, part: &mut BytesMut) {
    if !part.is_empty() {
        write_proto(out, TYPE_MESSAGE, part.len());
        out.put_slice(&part.split());
    }
}

/// Appends the end of a batch or a scan.
pub(crate) fn write_end(out: &mut BytesMut, code: Code) {
    write_proto(out, TYPE_MESSAGE, HEADER);
    write_header(out, info3::LAST, &Reply::of(code), 0, 0);
}

/// Appends one record of a scan: `fields` are their number and their bytes.
pub(crate) fn write_scanned(out: &mut BytesMut, reply: &Reply, fields: (u16, &[u8])) {
    let mut body = BytesMut::new();
    write_header(&mut body, 0, reply, 0, fields.0);
    body.put_slice(fields.1);
    write_answers(&mut body, &reply.answers);
    write_proto(out, TYPE_MESSAGE, body.len());
    out.put_slice(&body);
}

/// The header; `index` lies where a request has its timeout.
fn write_header(out: &mut BytesMut, info3: u8, reply: &Reply, index: u32, fields: u16) {
    out.put_slice(&[HEADER as u8, 0, 0, info3, 0, reply.code.0]);
    out.put_u32(u32::from(reply.generation));
    out.put_u32(reply.void_time);
    out.put_u32(index);
    out.put_u16(fields);
    out.put_u16(reply.answers.len() as u16);
}

fn write_reply(out: &mut BytesMut, reply: &Reply, index: u32) {
    write_header(out, 0, reply, index, 0);
    write_answers(out, &reply.answers);
}

fn write_answers(out: &mut BytesMut, answers: &[Answer]) {
    for answer in answers {
        let mut data = BytesMut::new();
        write_particle(&mut data, &answer.value);
        out.put_u32((4 + answer.bin.len() + data.len()) as u32);
        out.put_slice(&[answer.code, particle_type(&answer.value), 0, answer.bin.len() as u8]);
        out.put_slice(&answer.bin);
        out.put_slice(&data);
    }
}
