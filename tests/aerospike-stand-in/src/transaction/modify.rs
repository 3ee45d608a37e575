//! Add, append, prepend.

use bytes::Bytes;

use crate::code::Code;
use crate::value::Value;
use crate::wire::OpKind;

/// The bin's new value. An absent bin takes the operand.
pub(super) fn modify(kind: OpKind, bin: Option<&Value>, operand: Value) -> Result<Value, Code> {
    match (kind, bin, operand) {
        (OpKind::Increment, None, operand @ (Value::Int(_) | Value::Float(_))) => Ok(operand),
        (OpKind::Increment, Some(Value::Int(int)), Value::Int(by)) => Ok(Value::Int(int.wrapping_add(by))),
        (OpKind::Increment, Some(Value::Float(float)), Value::Float(by)) => Ok(Value::Float(float + by)),
        (OpKind::Append | OpKind::Prepend, None, operand @ (Value::String(_) | Value::Blob(_))) => Ok(operand),
        (OpKind::Append, Some(Value::String(text)), Value::String(more)) => Ok(Value::String(join(text, &more))),
        (OpKind::Append, Some(Value::Blob(blob)), Value::Blob(more)) => Ok(Value::Blob(join(blob, &more))),
        (OpKind::Prepend, Some(Value::String(text)), Value::String(more)) => Ok(Value::String(join(&more, text))),
        (OpKind::Prepend, Some(Value::Blob(blob)), Value::Blob(more)) => Ok(Value::Blob(join(&more, blob))),
        _ => Err(Code::INCOMPATIBLE_TYPE),
    }
}

fn join(first: &[u8], second: &[u8]) -> Bytes {
    Bytes::from([first, second].concat())
}
