//! Answers as the wire documents them against typed messages.

mod answers;
mod documents;
mod settings;
mod values;

use layer_proto::types::v1::value::Kind;
use layer_proto::types::v1::{Id, id};

use super::*;

pub(super) fn uint_id(number: u64) -> Option<Id> {
    Some(Id { kind: Some(id::Kind::UintValue(number)) })
}

pub(super) fn text_id(text: &str) -> Option<Id> {
    Some(Id { kind: Some(id::Kind::StringValue(text.to_owned())) })
}

/// The attribute `a` of a row that has this JSON as its value, with what the request said of types.
pub(super) fn attribute(name: &str, json: &str, types: &[(&str, &str)]) -> Kind {
    let request = layer_proto::router::v1::QueryRequest {
        query: Some(Default::default()),
        attribute_types: types.iter().map(|(name, kind)| (name.to_string(), kind.to_string())).collect(),
        ..Default::default()
    };
    let body = format!(r#"{{"rows":[{{"id":1,{name:?}:{json}}}]}}"#);
    let mut answer = query(body.as_bytes(), &Hints::of_query(&request)).expect("readable");
    let mut row = answer.result.as_mut().unwrap().rows.remove(0);
    row.attributes.remove(name).unwrap().kind.unwrap()
}
