//! Reads.

use super::{Context, Failure, check_filter, check_key, check_set, find, ops};
use crate::code::Code;
use crate::store::{Digest, Namespace, Record};
use crate::wire::{Answer, Message, Reply, info1};

pub(super) fn run(
    context: &Context<'_>,
    namespace: &mut Namespace,
    message: &Message,
    digest: &Digest,
) -> Result<Reply, Failure> {
    let record = find(context, namespace, digest).ok_or(Code::NOT_FOUND)?;
    let failed = |code| Failure::with(code, &record);
    check_set(message, &record).map_err(failed)?;
    check_filter(context, message, digest, &record).map_err(failed)?;
    check_key(message, &record).map_err(failed)?;
    let answers = answers(context, message, digest, &record).map_err(failed)?;
    Ok(Reply { code: Code::OK, generation: record.generation, void_time: record.void_time, answers })
}

fn answers(context: &Context<'_>, message: &Message, digest: &Digest, record: &Record) -> Result<Vec<Answer>, Code> {
    if message.info1 & info1::NO_BINS != 0 {
        return Ok(Vec::new());
    }
    if message.info1 & info1::GET_ALL != 0 {
        return Ok(ops::read_all(record));
    }
    if message.ops.is_empty() {
        return Err(Code::PARAMETER);
    }
    let mut answers = Vec::new();
    for op in &message.ops {
        let value = ops::read(context, op, digest, record)?;
        if message.responds_to_all() || value.is_some() {
            answers.push(ops::answer(op, value));
        }
    }
    Ok(answers)
}
