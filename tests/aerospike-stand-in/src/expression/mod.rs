//! Expressions: MessagePack lists that start with a code. They are taken apart and their types checked as the server does
//! (a wrong one is code 4), then evaluated over a record in three-valued logic: what touches an absent bin, or a bin of
//! another type, is unknown. A filter that is unknown is not true.
//!
//! Left out (code 16): regular expressions, geography, bits, HyperLogLog, lists other than `in_list`, and paths.

mod arithmetic;
mod call;
mod compile;
mod eval;
mod meta;
mod operator;

use bytes::Bytes;

use crate::code::Code;
use crate::store::{Digest, Record};
use crate::value::{Reader, Value};
use compile::{Type, compile};

/// What an expression is evaluated over.
pub(crate) struct Subject<'a> {
    pub(crate) record: &'a Record,
    pub(crate) digest: &'a Digest,
    /// Milliseconds since 2010.
    pub(crate) now_ms: u64,
}

/// Flags of operations with expressions.
mod flags {
    pub(super) const CREATE_ONLY: i64 = 1;
    pub(super) const UPDATE_ONLY: i64 = 1 << 1;
    pub(super) const ALLOW_DELETE: i64 = 1 << 2;
    pub(super) const POLICY_NO_FAIL: i64 = 1 << 3;
    pub(super) const EVAL_NO_FAIL: i64 = 1 << 4;
    pub(super) const READ: i64 = EVAL_NO_FAIL;
    pub(super) const WRITE: i64 = (1 << 5) - 1;
}

/// Whether the filter is true.
pub(crate) fn matches(filter: Bytes, subject: &Subject<'_>) -> Result<bool, Code> {
    let (expression, kind) = compile(filter)?;
    if kind != Type::Bool {
        return Err(Code::PARAMETER);
    }
    Ok(matches!(eval::eval(&expression, subject)?, Some(Value::Bool(true))))
}

/// What an expression gives, for an operation that reads it.
pub(crate) fn read(data: Bytes, subject: &Subject<'_>) -> Result<Value, Code> {
    let (expression, asked) = parse(data, flags::READ)?;
    match evaluate(expression, subject)? {
        Some(value) => Ok(value),
        None if asked & flags::EVAL_NO_FAIL != 0 => Ok(Value::Nil),
        None => Err(Code::NOT_APPLICABLE),
    }
}

/// What an expression makes of a bin; `None`: the bin stays as it is.
pub(crate) fn write(data: Bytes, bin: Option<&Value>, subject: &Subject<'_>) -> Result<Option<Value>, Code> {
    let (expression, asked) = parse(data, flags::WRITE)?;
    let denied = match bin {
        Some(_) if asked & flags::CREATE_ONLY != 0 => Some(Code::BIN_EXISTS),
        None if asked & flags::UPDATE_ONLY != 0 => Some(Code::BIN_NOT_FOUND),
        _ => None,
    };
    match denied {
        Some(_) if asked & flags::POLICY_NO_FAIL != 0 => return Ok(None),
        Some(code) => return Err(code),
        None => {}
    }
    match evaluate(expression, subject)? {
        None if asked & flags::EVAL_NO_FAIL != 0 => Ok(None),
        None => Err(Code::NOT_APPLICABLE),
        Some(Value::Nil) if bin.is_some() && asked & flags::ALLOW_DELETE == 0 => {
            // The server lets it pass under any flag, not only under the one that says so.
            if asked != 0 { Ok(None) } else { Err(Code::NOT_APPLICABLE) }
        }
        Some(value) => Ok(Some(value)),
    }
}

fn parse(data: Bytes, allowed: i64) -> Result<(Bytes, i64), Code> {
    let mut reader = Reader::new(data);
    let len = reader.list_len()?;
    if len == 0 || len > 2 {
        return Err(Code::PARAMETER);
    }
    let expression = reader.element()?;
    let asked = if len == 2 { reader.int()? } else { 0 };
    if asked & !allowed != 0 { Err(Code::PARAMETER) } else { Ok((expression, asked)) }
}

fn evaluate(expression: Bytes, subject: &Subject<'_>) -> Result<Option<Value>, Code> {
    let (expression, _) = compile(expression)?;
    eval::eval(&expression, subject)
}
