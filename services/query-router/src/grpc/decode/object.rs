//! One JSON object of an answer, read field by field without losing any.
//!
//! What is known is taken out; what is left goes to `additional_fields` as its own text. A field that is known but has
//! a shape that the contract does not is left too: a new kind of number in `performance` must not fail a query.

use std::collections::BTreeMap;

use layer_proto::types::v1::{Id, id};
use prost_types::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// An answer that is not what the wire promises.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::grpc) struct Unreadable {
    /// The field that cannot be read; empty for the whole.
    pub(in crate::grpc) field: &'static str,
}

/// A value as the text that the origin wrote.
pub(super) type Raw<'a> = &'a RawValue;

/// The fields of an object that are not taken yet.
#[derive(Debug)]
pub(super) struct Object<'a>(BTreeMap<String, Raw<'a>>);

impl<'a> Object<'a> {
    /// Reads an object from a body.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Unreadable> {
        serde_json::from_slice(body).map(Self).map_err(|_| Unreadable { field: "" })
    }

    /// Reads an object; none if the value is something else.
    pub(super) fn of(raw: Raw<'a>) -> Option<Self> {
        serde_json::from_str(raw.get()).ok().map(Self)
    }

    /// Takes a field if it is there and `read` understands it.
    pub(super) fn take<T>(&mut self, name: &str, read: impl FnOnce(Raw<'a>) -> Option<T>) -> Option<T> {
        let value = read(self.0.get(name)?)?;
        self.0.remove(name);
        Some(value)
    }

    /// Takes a field that must be understood if it is there and not null.
    pub(super) fn require<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Raw<'a>) -> Option<T>,
    ) -> Result<Option<T>, Unreadable> {
        match self.0.remove(name) {
            Some(raw) if raw.get() != "null" => read(raw).map(Some).ok_or(Unreadable { field: name }),
            _ => Ok(None),
        }
    }

    /// Takes a field if serde reads it.
    pub(super) fn plain<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.take(name, plain)
    }

    /// Takes a count, which some writer may have written as a float.
    pub(super) fn count(&mut self, name: &str) -> Option<u64> {
        self.take(name, |raw| plain(raw).or_else(|| whole(plain(raw)?)))
    }

    /// Takes a point in time.
    pub(super) fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.take(name, |raw| plain::<String>(raw)?.parse().ok())
    }

    /// Takes an object.
    pub(super) fn object(&mut self, name: &str) -> Option<Object<'a>> {
        self.take(name, Object::of)
    }

    /// Takes every field that is left.
    pub(super) fn entries(self) -> impl Iterator<Item = (String, Raw<'a>)> {
        self.0.into_iter()
    }

    /// Every field that is left, as text. Nulls say nothing and are dropped.
    pub(super) fn rest(self) -> BTreeMap<String, String> {
        let left = self.0.into_iter().filter(|(_, raw)| raw.get() != "null");
        left.map(|(name, raw)| (name, raw.get().to_owned())).collect()
    }
}

/// Reads a value by serde.
pub(super) fn plain<T: DeserializeOwned>(raw: Raw<'_>) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// Reads an array; none if the value is something else or `each` does not understand an element.
pub(super) fn list<'a, T>(raw: Raw<'a>, each: impl FnMut(Raw<'a>) -> Option<T>) -> Option<Vec<T>> {
    let items: Vec<Raw<'a>> = serde_json::from_str(raw.get()).ok()?;
    items.into_iter().map(each).collect()
}

/// Reads an id.
pub(super) fn id(raw: Raw<'_>) -> Option<Id> {
    let kind = match plain::<u64>(raw) {
        Some(number) => id::Kind::UintValue(number),
        None => id::Kind::StringValue(plain(raw)?),
    };
    Some(Id { kind: Some(kind) })
}

fn whole(number: f64) -> Option<u64> {
    // Above 2^53 a float does not say which integer it means.
    let exact = (0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0;
    exact.then_some(number as u64)
}
