//! Scans: every record of a set, or of the namespace, in the partitions asked for, under a filter. There are no secondary
//! indexes.

use bytes::{BufMut, BytesMut};

use super::{Context, check_filter, ops};
use crate::code::Code;
use crate::store::{Digest, Namespace, Record};
use crate::wire::{Answer, Message, Reply, info1, write_scanned};

/// Partitions of a namespace.
const PARTITIONS: u16 = 4096;

/// Appends the whole answer to a scan.
pub(crate) fn scan(context: &Context<'_>, message: &Message, out: &mut BytesMut) -> Result<(), Code> {
    let name = message.fields.namespace.as_ref().ok_or(Code::NAMESPACE)?;
    let namespace = context.store.namespace(name).ok_or(Code::NAMESPACE)?;
    if message.fields.unsupported || message.is_write() {
        return Err(Code::UNSUPPORTED);
    }
    let partitions = partitions(message);
    for (digest, record) in found(context, &namespace, message, &partitions) {
        let mut fields = BytesMut::new();
        write_field(&mut fields, 4, digest);
        write_field(&mut fields, 0, name);
        let mut count = 2;
        for (kind, data) in [(1, &record.set), (2, &record.key)] {
            if let Some(data) = data {
                write_field(&mut fields, kind, data);
                count += 1;
            }
        }
        let (generation, void_time) = (record.generation, record.void_time);
        let reply = Reply { generation, void_time, answers: answers(message, record), ..Reply::of(Code::OK) };
        write_scanned(out, &reply, (count, &fields));
    }
    Ok(())
}

fn found<'a>(
    context: &'a Context<'_>,
    namespace: &'a Namespace,
    message: &'a Message,
    partitions: &'a [u16],
) -> impl Iterator<Item = (&'a Digest, &'a Record)> {
    let now = context.store.clock.now_secs();
    namespace.records().filter(move |(digest, record)| {
        let partition = u16::from_le_bytes([digest[0], digest[1]]) % PARTITIONS;
        let in_set = message.fields.set.is_none() || record.set == message.fields.set;
        in_set
            && !record.is_expired(now)
            && (partitions.is_empty() || partitions.contains(&partition))
            && check_filter(context, message, digest, record).is_ok()
    })
}

/// The partitions asked for; none: all.
fn partitions(message: &Message) -> Vec<u16> {
    let bytes = message.fields.partitions.as_deref().unwrap_or_default();
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn answers(message: &Message, record: &Record) -> Vec<Answer> {
    if message.info1 & info1::NO_BINS != 0 {
        return Vec::new();
    }
    let all = ops::read_all(record);
    let asked = |answer: &Answer| message.ops.is_empty() || message.ops.iter().any(|op| op.bin == answer.bin);
    all.into_iter().filter(asked).collect()
}

fn write_field(out: &mut BytesMut, kind: u8, data: &[u8]) {
    out.put_u32(data.len() as u32 + 1);
    out.put_u8(kind);
    out.put_slice(data);
}
