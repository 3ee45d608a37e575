//! Values: what bins hold, as the server's type table has them.

mod msgpack;
mod order;
mod particle;

pub(crate) use msgpack::{Kind, Reader, write_value};
pub(crate) use particle::{from_particle, particle_size, particle_type, write_particle};

use bytes::Bytes;

/// A map's flag: kept in the order of its keys.
pub(crate) const MAP_KEY_ORDERED: u8 = 0x01;
/// A result's flag: pairs in the order of the answer.
pub(crate) const MAP_PRESERVE_ORDER: u8 = 0x08;

/// Wire codes of the types of bins.
pub(crate) mod types {
    pub(crate) const NULL: u8 = 0;
    pub(crate) const INTEGER: u8 = 1;
    pub(crate) const FLOAT: u8 = 2;
    pub(crate) const STRING: u8 = 3;
    pub(crate) const BLOB: u8 = 4;
    pub(crate) const BOOL: u8 = 17;
    pub(crate) const HLL: u8 = 18;
    pub(crate) const MAP: u8 = 19;
    pub(crate) const LIST: u8 = 20;
    pub(crate) const GEO: u8 = 23;
}

/// A value. Strings are bytes: the server does not look whether they are UTF-8.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(Bytes),
    Blob(Bytes),
    List(Vec<Value>),
    Map(Map),
    /// A type that is stored and given back, and never looked into: its wire code and its bytes.
    Opaque(u8, Bytes),
    /// Above everything, in intervals.
    Infinity,
    /// Equal to everything.
    Wildcard,
}

/// A map. Its pairs always lie in the order of their keys, as the server answers them even where the map is unordered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Map {
    /// `MAP_*` flags; zero: unordered.
    pub(crate) flags: u8,
    pub(crate) pairs: Vec<(Value, Value)>,
}

impl Map {
    /// Where the key lies, or where it would.
    pub(crate) fn find(&self, key: &Value) -> Result<usize, usize> {
        self.pairs.binary_search_by(|(k, _)| k.cmp(key))
    }

    /// The last of equal keys wins, as in a message with doubles.
    pub(crate) fn from_pairs(flags: u8, pairs: Vec<(Value, Value)>) -> Self {
        let mut map = Self { flags, pairs: Vec::with_capacity(pairs.len()) };
        for (key, value) in pairs {
            map.put(key, value);
        }
        map
    }

    pub(crate) fn put(&mut self, key: Value, value: Value) {
        match self.find(&key) {
            Ok(at) => self.pairs[at].1 = value,
            Err(at) => self.pairs.insert(at, (key, value)),
        }
    }
}

impl Value {
    #[cfg(test)]
    pub(crate) fn string(text: &str) -> Self {
        Self::String(Bytes::copy_from_slice(text.as_bytes()))
    }

    pub(crate) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            _ => None,
        }
    }

    pub(crate) fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }
}
