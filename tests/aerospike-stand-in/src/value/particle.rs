//! Values as they lie in a message's operations: a type code and bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Reader, Value, types, write_value};
use crate::code::Code;

/// The wire code of a value's type.
pub(crate) fn particle_type(value: &Value) -> u8 {
    match value {
        Value::Nil | Value::Infinity | Value::Wildcard => types::NULL,
        Value::Bool(_) => types::BOOL,
        Value::Int(_) => types::INTEGER,
        Value::Float(_) => types::FLOAT,
        Value::String(_) => types::STRING,
        Value::Blob(_) => types::BLOB,
        Value::List(_) => types::LIST,
        Value::Map(_) => types::MAP,
        Value::Opaque(kind, _) => *kind,
    }
}

/// Reads a value of an operation. `Nil` for the code that means none.
pub(crate) fn from_particle(kind: u8, mut data: Bytes) -> Result<Value, Code> {
    let value = match kind {
        types::NULL => Value::Nil,
        types::INTEGER if data.len() == 8 => Value::Int(data.get_i64()),
        types::FLOAT if data.len() == 8 => Value::Float(data.get_f64()),
        types::BOOL if data.len() == 1 => Value::Bool(data[0] != 0),
        types::STRING => Value::String(data),
        types::BLOB => Value::Blob(data),
        types::LIST | types::MAP => {
            let mut reader = Reader::new(data);
            let value = reader.value()?;
            let fits = matches!((kind, &value), (types::LIST, Value::List(_)) | (types::MAP, Value::Map(_)));
            if !fits || !reader.is_at_end() {
                return Err(Code::PARAMETER);
            }
            value
        }
        types::HLL | types::GEO | 7..=12 => Value::Opaque(kind, data),
        _ => return Err(Code::PARAMETER),
    };
    Ok(value)
}

/// Appends a value's bytes.
pub(crate) fn write_particle(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Nil | Value::Infinity | Value::Wildcard => {}
        Value::Bool(bool) => out.put_u8(u8::from(*bool)),
        Value::Int(int) => out.put_i64(*int),
        Value::Float(float) => out.put_f64(*float),
        Value::String(data) | Value::Blob(data) | Value::Opaque(_, data) => out.put_slice(data),
        Value::List(_) | Value::Map(_) => write_value(out, value),
    }
}

/// Bytes that a value takes, for the record limit and the usage.
pub(crate) fn particle_size(value: &Value) -> usize {
    match value {
        Value::String(data) | Value::Blob(data) | Value::Opaque(_, data) => data.len(),
        Value::List(_) | Value::Map(_) => {
            let mut out = BytesMut::new();
            write_value(&mut out, value);
            out.len()
        }
        _ => 8,
    }
}
