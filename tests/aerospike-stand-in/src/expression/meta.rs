//! What is known of a record beside its bins.

use super::Subject;
use super::compile::Type;
use super::operator::Meta;
use crate::store::unix_nanos;
use crate::value::Value;

impl Meta {
    pub(super) fn gives(self) -> Type {
        match self {
            Self::SetName => Type::String,
            Self::KeyExists | Self::IsTombstone => Type::Bool,
            _ => Type::Int,
        }
    }

    pub(super) fn of(self, subject: &Subject<'_>) -> Value {
        let record = subject.record;
        match self {
            Self::LastUpdate => Value::Int(unix_nanos(record.last_update_ms)),
            Self::SinceUpdate => Value::Int(subject.now_ms.saturating_sub(record.last_update_ms) as i64),
            Self::VoidTime if record.void_time == 0 => Value::Int(-1),
            Self::VoidTime => Value::Int(unix_nanos(u64::from(record.void_time) * 1000)),
            Self::Ttl if record.void_time == 0 => Value::Int(-1),
            Self::Ttl => Value::Int((i64::from(record.void_time) - (subject.now_ms / 1000) as i64).max(0)),
            Self::SetName => Value::String(record.set.clone().unwrap_or_default()),
            Self::KeyExists => Value::Bool(record.key.is_some()),
            Self::IsTombstone => Value::Bool(false),
            Self::RecordSize => Value::Int(record.size() as i64),
        }
    }
}

/// A digest's remainder, as the server takes it: of its last four bytes.
pub(super) fn digest_modulo(subject: &Subject<'_>, modulo: i64) -> Value {
    let digest = subject.digest;
    let tail = u32::from_le_bytes([digest[16], digest[17], digest[18], digest[19]]);
    Value::Int(i64::from(tail) % modulo)
}
