//! Operations on bins, and their answers.

use super::{Context, modify};
use crate::cdt;
use crate::code::Code;
use crate::expression::{self, Subject};
use crate::store::{Digest, Record};
use crate::value::Value;
use crate::wire::{Answer, Message, Op, OpKind};

/// The answer to an operation; none is an answer too, where every operation has one.
pub(super) fn answer(op: &Op, value: Option<Value>) -> Answer {
    Answer { code: op.code, bin: op.bin.clone(), value: value.unwrap_or(Value::Nil) }
}

/// Every bin.
pub(super) fn read_all(record: &Record) -> Vec<Answer> {
    /// The code of a read.
    const READ: u8 = 1;
    record.bins.iter().map(|(bin, value)| Answer { code: READ, bin: bin.clone(), value: value.clone() }).collect()
}

/// What a reading operation finds; `None` for nothing.
pub(super) fn read(context: &Context<'_>, op: &Op, digest: &Digest, record: &Record) -> Result<Option<Value>, Code> {
    match op.kind {
        OpKind::Read => Ok(record.bin(&op.bin).cloned()),
        OpKind::CdtRead => match record.bin(&op.bin) {
            Some(bin) => cdt::read(bin, op.data.clone()).map(not_nil),
            None => Ok(None),
        },
        OpKind::ExpressionRead => {
            let subject = Subject { record, digest, now_ms: context.store.clock.now_ms() };
            expression::read(op.data.clone(), &subject).map(not_nil)
        }
        OpKind::Other => Err(Code::UNSUPPORTED),
        _ => Err(Code::PARAMETER),
    }
}

fn not_nil(value: Value) -> Option<Value> {
    if value.is_nil() { None } else { Some(value) }
}

/// Does the operations of a write, in order.
pub(super) fn apply(
    context: &Context<'_>,
    message: &Message,
    digest: &Digest,
    record: &mut Record,
) -> Result<Vec<Answer>, Code> {
    let to_all = message.responds_to_all();
    let mut answers = Vec::new();
    for op in &message.ops {
        if op.kind == OpKind::Touch {
            // The server gives a touch no place among the answers, whoever asks for all.
            continue;
        }
        if message.is_read_all(op) {
            answers.extend(read_all(record));
        } else if op.kind.is_read() {
            let value = read(context, op, digest, record)?;
            // A plain read or a map's of an absent bin has no answer; an expression's always has.
            if to_all || value.is_some() || op.kind == OpKind::ExpressionRead {
                answers.push(answer(op, value));
            }
        } else {
            let value = change(context, op, digest, record)?;
            if to_all || value.is_some() {
                answers.push(answer(op, value));
            }
        }
    }
    Ok(answers)
}

fn change(context: &Context<'_>, op: &Op, digest: &Digest, record: &mut Record) -> Result<Option<Value>, Code> {
    match op.kind {
        OpKind::Write => record.set_bin(&op.bin, op.value()?),
        OpKind::Increment | OpKind::Append | OpKind::Prepend => {
            let value = modify::modify(op.kind, record.bin(&op.bin), op.value()?)?;
            record.set_bin(&op.bin, value);
        }
        OpKind::DeleteAll => record.bins.clear(),
        OpKind::CdtModify => {
            let (value, result) = cdt::modify(record.bin(&op.bin), op.data.clone())?;
            record.set_bin(&op.bin, value);
            return Ok(not_nil(result));
        }
        OpKind::ExpressionModify => {
            let subject = Subject { record, digest, now_ms: context.store.clock.now_ms() };
            if let Some(value) = expression::write(op.data.clone(), record.bin(&op.bin), &subject)? {
                record.set_bin(&op.bin, value);
            }
        }
        _ => return Err(Code::UNSUPPORTED),
    }
    Ok(None)
}
