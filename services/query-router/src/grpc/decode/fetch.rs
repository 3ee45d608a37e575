//! Documents that were fetched.
//!
//! A batch decodes thousands of them, so it is done in one pass over a document's text: each attribute's text is found and
//! read at once into the message, without a tree between. The text stays the origin's own until its type is known, which is
//! what keeps every digit.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use layer_proto::router::v1::Document;
use layer_proto::types::v1::{Id, Value, id};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::hints::Hints;
use super::object::{self, Raw, Unreadable};
use super::value;
use crate::fetch::{Asked, DocId};

/// A document, from the JSON text that callers over HTTP get.
pub(in crate::grpc) fn document(shown: &[u8], hints: &Hints) -> Result<Document, Unreadable> {
    let mut text = serde_json::Deserializer::from_slice(shown);
    let read = Shown(hints).deserialize(&mut text).and_then(|read| text.end().map(|()| read));
    let (id, attributes) = read.map_err(|_| Unreadable { field: "" })?;
    let attributes = attributes.ok_or(Unreadable { field: "attributes" })?;
    let id = id.map(|raw| object::id(raw).ok_or(Unreadable { field: "id" })).transpose()?;
    Ok(Document { id, attributes })
}

/// An id as it was asked for.
pub(in crate::grpc) fn asked(id: &Asked) -> Id {
    let kind = match id {
        Asked::Exactly(DocId::Uint(number)) => id::Kind::UintValue(*number),
        Asked::Exactly(DocId::Text(text)) => id::Kind::StringValue(text.to_string()),
        Asked::Digits(number) => id::Kind::StringValue(number.to_string()),
    };
    Id { kind: Some(kind) }
}

type Attributes = BTreeMap<String, Value>;

/// `{"id":…,"attributes":{…}}`
struct Shown<'h>(&'h Hints);

impl<'de> DeserializeSeed<'de> for Shown<'_> {
    type Value = (Option<Raw<'de>>, Option<Attributes>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Shown<'_> {
    type Value = (Option<Raw<'de>>, Option<Attributes>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut id, mut attributes) = (None, None);
        while let Some(Name(name)) = map.next_key()? {
            match name.as_ref() {
                "id" => id = Some(map.next_value()?),
                "attributes" => attributes = Some(map.next_value_seed(Values(self.0))?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok((id, attributes))
    }
}

/// Attributes by their names.
struct Values<'h>(&'h Hints);

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = Attributes;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Attributes, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
        let mut attributes = Attributes::new();
        while let Some(Name(name)) = map.next_key()? {
            let value = value::value(map.next_value()?, self.0.type_of(&name));
            attributes.insert(name.into_owned(), value);
        }
        Ok(attributes)
    }
}

/// A name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
