//! Values and filters as JSON, for HTTP calls that another part of Layer answers over gRPC.
//!
//! The same reading and writing as for the origin's wire, with one difference: what a caller sends is refused where it has
//! no type of the contract, or would lose digits in it. An answer of the origin is never refused for that.

use std::collections::BTreeMap;

use layer_proto::types::v1::value::Kind;
use layer_proto::types::v1::{Filter, Value};
use serde_json::value::RawValue;

use super::attribute_type::AttributeType;
use super::decode;
use super::encode;

pub(crate) use super::decode::filter as read_filter;

const NO_TYPE: &str = "is of no type that an attribute can have";
const TOO_LARGE: &str = "is larger than 64-bit floats are";
const TOO_LONG: &str = "holds an integer that 64 bits do not hold";

/// Reads an attribute's value.
///
/// # Errors
/// What is wrong with it, to be put behind its name.
pub(crate) fn read_value(raw: &RawValue) -> Result<Value, &'static str> {
    let value = decode::value(raw, AttributeType::Plain);
    match value.kind.as_ref().map_or(Some(NO_TYPE), |kind| fault(kind, raw.get())) {
        Some(fault) => Err(fault),
        None => Ok(value),
    }
}

fn fault(kind: &Kind, text: &str) -> Option<&'static str> {
    let is_float = match kind {
        Kind::JsonValue(_) => return Some(NO_TYPE),
        Kind::FloatValue(number) if !number.is_finite() => return Some(TOO_LARGE),
        Kind::FloatValue(_) | Kind::FloatArray(_) => true,
        _ => false,
    };
    (is_float && !text.contains(['.', 'e', 'E'])).then_some(TOO_LONG)
}

/// Writes attributes as the JSON of a row has them; one that has no JSON is left out.
pub(crate) fn write_values(values: &BTreeMap<String, Value>) -> BTreeMap<&str, Box<RawValue>> {
    let written = values.iter().filter_map(|(name, value)| Some((name.as_str(), write_value(value)?)));
    written.collect()
}

fn write_value(value: &Value) -> Option<Box<RawValue>> {
    match &value.kind {
        Some(Kind::JsonValue(text)) => RawValue::from_string(text.clone()).ok(),
        _ => written(encode::value_text(value)),
    }
}

/// Writes a filter; none where it is no filter of the wire.
pub(crate) fn write_filter(filter: &Filter) -> Option<Box<RawValue>> {
    written(encode::filter_text(filter))
}

fn written(text: Result<bytes::Bytes, Vec<tonic_types::FieldViolation>>) -> Option<Box<RawValue>> {
    RawValue::from_string(String::from_utf8(text.ok()?.into()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn values_come_back_as_they_were_sent() {
        for text in [
            "null",
            "true",
            "\"a\\u0000b\"",
            "-9223372036854775808",
            "18446744073709551615",
            "0.1",
            "[1,2]",
            "[18446744073709551615]",
            "[1.5,2.0]",
            "[]",
            "[\"a\"]",
            "[[0.1,2.0],[3.0,4.0]]",
            "{\"a\":0.5}",
        ] {
            let value = read_value(&raw(text)).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(write_value(&value).unwrap().get(), text);
        }
    }

    #[test]
    fn what_would_lose_digits_or_has_no_type_is_refused() {
        for (text, fault) in [
            ("18446744073709551616", TOO_LONG),
            ("[1,99999999999999999999]", TOO_LONG),
            ("[-1,18446744073709551615]", TOO_LONG),
            ("1e999", TOO_LARGE),
            ("[1.5,1e999]", NO_TYPE),
            ("[1,\"a\"]", NO_TYPE),
            ("[[1],\"a\"]", NO_TYPE),
            ("{\"a\":{}}", NO_TYPE),
            ("{\"a\":1e300}", NO_TYPE),
        ] {
            assert_eq!(read_value(&raw(text)), Err(fault), "{text}");
        }
    }
}
