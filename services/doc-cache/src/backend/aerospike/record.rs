//! What lies in a record: the bins, written and read in this one place.
//!
//! `v` numbers the format of the value. Token and holds keep their meaning in every format, so replicas of two versions
//! may run side by side while one takes the other's place: a value of an unknown format is not served, and is cleared all
//! the same.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aerospike::{Record, Value};
use bytes::Bytes;

use crate::backend::{Body, WriteId};

/// The format of values that this code writes.
pub const FORMAT: i64 = 1;

/// The format's number.
pub const BIN_FORMAT: &str = "v";
/// The key's token.
pub const BIN_TOKEN: &str = "tok";
/// The value's bytes.
pub const BIN_DATA: &str = "data";
/// What the bytes are.
pub const BIN_TYPE: &str = "type";
/// How they are compressed.
pub const BIN_COMPRESSION: &str = "comp";
/// In a key's record: the generation under which the value was filled. In a namespace's: its own.
pub const BIN_GENERATION: &str = "gen";
/// In a key's record: the epoch under which the value was filled. In the epoch's: itself.
pub const BIN_EPOCH: &str = "epoch";
/// When the value is served no more, in epoch milliseconds.
pub const BIN_EXPIRES: &str = "exp";
/// Open holds: write id to epoch milliseconds.
pub const BIN_HOLDS: &str = "holds";

/// The bins of a value: what a hold, a release or a clear takes away.
pub const VALUE_BINS: [&str; 6] = [BIN_DATA, BIN_TYPE, BIN_COMPRESSION, BIN_GENERATION, BIN_EPOCH, BIN_EXPIRES];

/// A key's record.
#[derive(Debug, Default)]
pub struct KeyRecord {
    /// The token, where there is one.
    pub token: Option<u64>,
    /// The value, of whatever generation and epoch.
    pub value: Option<StoredValue>,
    /// Writes in flight.
    pub holds: Holds,
}

/// A value and what it was filled under.
#[derive(Debug)]
pub struct StoredValue {
    /// What is served.
    pub body: Body,
    /// The generation of its lease.
    pub generation: u64,
    /// The epoch of its lease.
    pub epoch: u64,
    /// When it is served no more.
    pub expires_ms: i64,
}

/// A namespace's record.
#[derive(Debug, Default)]
pub struct NamespaceRecord {
    /// The generation, where there is one.
    pub generation: Option<u64>,
    /// Writes in flight.
    pub holds: Holds,
}

/// Writes in flight and when each hold runs out.
#[derive(Debug, Default)]
pub struct Holds(Vec<(Value, i64)>);

impl KeyRecord {
    /// Reads a record's bins.
    pub fn of(record: &mut Record) -> Self {
        Self { token: number(record, BIN_TOKEN), value: value(record), holds: Holds::of(record) }
    }
}

impl NamespaceRecord {
    /// Reads a record's bins.
    pub fn of(record: &mut Record) -> Self {
        Self { generation: number(record, BIN_GENERATION), holds: Holds::of(record) }
    }
}

impl StoredValue {
    /// Whether it may be served.
    pub fn serves(&self, generation: u64, epoch: u64, now_ms: i64) -> bool {
        self.generation == generation && self.epoch == epoch && self.expires_ms > now_ms
    }

    /// How long it may be served yet.
    pub fn remaining(&self, now_ms: i64) -> Duration {
        Duration::from_millis(u64::try_from(self.expires_ms - now_ms).unwrap_or(0))
    }
}

impl Holds {
    fn of(record: &Record) -> Self {
        let entry = |(id, until): (&Value, &Value)| match until {
            Value::Int(until) => Some((id.clone(), *until)),
            _ => None,
        };
        Self(match record.bins.get(BIN_HOLDS) {
            Some(Value::SortedMap(map)) => map.iter().filter_map(entry).collect(),
            Some(Value::OrderedMap(map)) => map.iter().filter_map(entry).collect(),
            Some(Value::HashMap(map)) => map.iter().filter_map(entry).collect(),
            _ => Vec::new(),
        })
    }

    /// How many stand.
    pub fn open(&self, now_ms: i64) -> u32 {
        u32::try_from(self.0.iter().filter(|(_, until)| *until > now_ms).count()).unwrap_or(u32::MAX)
    }

    /// Those that ran out.
    pub fn expired(&self, now_ms: i64) -> Vec<Value> {
        self.0.iter().filter(|(_, until)| *until <= now_ms).map(|(id, _)| id.clone()).collect()
    }
}

/// The epoch in the epoch's record.
pub fn epoch(record: &Record) -> Option<u64> {
    number(record, BIN_EPOCH)
}

/// A write's id as a map's key.
pub fn hold_id(write: WriteId) -> Value {
    Value::Blob(write.to_vec())
}

/// A random number as a bin holds it.
pub fn number_value(number: u64) -> Value {
    Value::Int(number.cast_signed())
}

/// Wall-clock time. Replicas share it through the records; it decides when a hold has run out and nothing else.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A number in a bin.
pub fn number(record: &Record, bin: &str) -> Option<u64> {
    match record.bins.get(bin) {
        Some(Value::Int(number)) => Some(number.cast_unsigned()),
        _ => None,
    }
}

fn value(record: &mut Record) -> Option<StoredValue> {
    if !matches!(record.bins.get(BIN_FORMAT), Some(Value::Int(FORMAT))) {
        return None;
    }
    let data = match record.bins.swap_remove(BIN_DATA) {
        Some(Value::Blob(data)) => Bytes::from(data),
        _ => return None,
    };
    let content_type = match record.bins.swap_remove(BIN_TYPE) {
        Some(Value::String(content_type)) => content_type,
        _ => return None,
    };
    let compression = i32::try_from(number(record, BIN_COMPRESSION)?.cast_signed()).ok()?;
    Some(StoredValue {
        body: Body { data, content_type, compression },
        generation: number(record, BIN_GENERATION)?,
        epoch: number(record, BIN_EPOCH)?,
        expires_ms: number(record, BIN_EXPIRES)?.cast_signed(),
    })
}
