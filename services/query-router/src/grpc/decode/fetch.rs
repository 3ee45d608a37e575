//! Documents that were fetched.

use layer_proto::router::v1::Document;
use layer_proto::types::v1::{Id, id};

use super::hints::Hints;
use super::object::{self, Object, Unreadable};
use super::query::values;
use crate::fetch::{Asked, DocId};

/// A document, from the JSON text that callers over HTTP get.
pub(in crate::grpc) fn document(shown: &[u8], hints: &Hints) -> Result<Document, Unreadable> {
    let mut object = Object::parse(shown)?;
    let id = object.require("id", object::id)?;
    let attributes = object.require("attributes", Object::of)?.ok_or(Unreadable { field: "attributes" })?;
    Ok(Document { id, attributes: values(attributes, hints) })
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
