//! The server's order of values across types (nil, bool, integer, string, list, map, bytes, float, geo), which decides
//! positions in maps, ranks and comparisons. <https://aerospike.com/docs/develop/data-types/collections/ordering>

use std::cmp::Ordering;

use super::{Map, Value};

fn class(value: &Value) -> u8 {
    match value {
        Value::Nil => 1,
        Value::Bool(_) => 2,
        Value::Int(_) => 3,
        Value::String(_) => 4,
        Value::List(_) => 5,
        Value::Map(_) => 6,
        Value::Blob(_) => 7,
        Value::Float(_) => 8,
        Value::Opaque(..) => 9,
        Value::Infinity => 10,
        Value::Wildcard => 11,
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Wildcard, _) | (_, Value::Wildcard) => Ordering::Equal,
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
            (Value::String(a), Value::String(b)) | (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
            (Value::List(a), Value::List(b)) => a.cmp(b),
            (Value::Map(a), Value::Map(b)) => a.cmp(b),
            (Value::Opaque(_, a), Value::Opaque(_, b)) => a.cmp(b),
            _ => class(self).cmp(&class(other)),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Ord for Map {
    fn cmp(&self, other: &Self) -> Ordering {
        self.pairs.len().cmp(&other.pairs.len()).then_with(|| self.pairs.cmp(&other.pairs))
    }
}

impl PartialOrd for Map {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Map {}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn types_come_in_the_documented_order() {
        let sorted = [
            Value::Nil,
            Value::Bool(false),
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::Int(7),
            Value::string("a"),
            Value::string("aa"),
            Value::List(vec![Value::Int(1)]),
            Value::Map(Map::default()),
            Value::Blob(Bytes::from_static(b"a")),
            Value::Float(-1.5),
            Value::Infinity,
        ];
        for pair in sorted.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
    }
}
