//! Attribute values of an answer.
//!
//! JSON says less than the schema: text may be a datetime, an array of numbers may be a vector. What is known of an
//! attribute's type is used; otherwise the value keeps the kind that JSON shows, and no digit is lost either way.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use layer_proto::types::v1::dense_vector::Elements;
use layer_proto::types::v1::value::Kind;
use layer_proto::types::v1::{
    BoolArray, DatetimeArray, DenseVector, EmptyArray, FloatArray, Floats, IntArray, MultiVector, SparseVector,
    StringArray, UintArray, UuidArray, Value,
};
use prost_types::{NullValue, Timestamp};

use super::super::attribute_type::AttributeType;
use super::highlight;
use super::object::{Raw, plain};

/// Reads a value. What the type does not fit is read as JSON shows it.
pub(in crate::grpc) fn value(raw: Raw<'_>, known: AttributeType) -> Value {
    let kind = typed(raw, known).or_else(|| untyped(raw)).unwrap_or_else(|| Kind::JsonValue(raw.get().to_owned()));
    Value { kind: Some(kind) }
}

fn typed(raw: Raw<'_>, known: AttributeType) -> Option<Kind> {
    match (known, raw.get().as_bytes().first()?) {
        (AttributeType::Plain, _) | (_, b'n') => None,
        (AttributeType::Uint, b'[') => plain(raw).map(|values| Kind::UintArray(UintArray { values })),
        (AttributeType::Uint, _) => plain(raw).map(Kind::UintValue),
        (AttributeType::Float, b'[') => doubles(raw).map(|values| Kind::FloatArray(FloatArray { values })),
        (AttributeType::Float, _) => plain(raw).map(Kind::FloatValue),
        (AttributeType::Uuid, b'[') => plain(raw).map(|values| Kind::UuidArray(UuidArray { values })),
        (AttributeType::Uuid, _) => plain(raw).map(Kind::UuidValue),
        (AttributeType::Datetime, b'[') => times(raw).map(|values| Kind::DatetimeArray(DatetimeArray { values })),
        (AttributeType::Datetime, _) => time(&plain::<String>(raw)?).map(Kind::DatetimeValue),
        (AttributeType::Bytes, _) => decoded(raw).map(|bytes| Kind::BytesValue(bytes.into())),
        (AttributeType::Vector, _) => dense(raw).map(Kind::DenseVector).or_else(|| multi(raw).map(Kind::MultiVector)),
        (AttributeType::Sparse, _) => sparse(raw),
        (AttributeType::Highlights, _) => highlight::highlights(raw).map(Kind::Highlights),
    }
}

fn untyped(raw: Raw<'_>) -> Option<Kind> {
    match raw.get().as_bytes().first()? {
        b'n' => Some(Kind::NullValue(NullValue::NullValue as i32)),
        b't' | b'f' => plain(raw).map(Kind::BoolValue),
        b'"' => plain(raw).map(Kind::StringValue),
        b'[' => array(raw),
        b'{' => sparse(raw),
        _ => number(raw.get()),
    }
}

fn number(text: &str) -> Option<Kind> {
    if let Ok(number) = text.parse() {
        return Some(Kind::IntValue(number));
    }
    text.parse().map(Kind::UintValue).or_else(|_| text.parse().map(Kind::FloatValue)).ok()
}

/// The first element tells what an array may be; serde tells whether all of it is.
fn array(raw: Raw<'_>) -> Option<Kind> {
    match raw.get()[1..].trim_start().as_bytes().first()? {
        b']' => Some(Kind::EmptyArray(EmptyArray {})),
        b'"' => plain(raw).map(|values| Kind::StringArray(StringArray { values })),
        b't' | b'f' => plain(raw).map(|values| Kind::BoolArray(BoolArray { values })),
        b'[' => multi(raw).map(Kind::MultiVector),
        _ => numbers(raw),
    }
}

fn numbers(raw: Raw<'_>) -> Option<Kind> {
    let integers = || {
        plain(raw)
            .map(|values| Kind::IntArray(IntArray { values }))
            .or_else(|| plain(raw).map(|values| Kind::UintArray(UintArray { values })))
    };
    // Whatever has one of these is no integer, and mostly the first number shows it.
    let fraction = raw.get().contains(['.', 'e', 'E']);
    let integers = if fraction { None } else { integers() };
    integers.or_else(|| doubles(raw).map(|values| Kind::FloatArray(FloatArray { values })))
}

fn doubles(raw: Raw<'_>) -> Option<Vec<f64>> {
    floats(raw.get(), f64::is_finite).or_else(|| plain(raw))
}

/// The numbers of an array; none where it has something else, or a number that the type has no place for. The text is
/// known to be JSON, so that commas separate them. The standard library reads a number faster than serde does, to the
/// nearest float as well.
fn floats<T: FromStr + Copy>(text: &str, is_finite: fn(T) -> bool) -> Option<Vec<T>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let number = |text: &str| {
        let text = text.trim_ascii();
        let read = text.starts_with(|first: char| first == '-' || first.is_ascii_digit()).then(|| text.parse().ok());
        read.flatten().filter(|number| is_finite(*number))
    };
    let mut values = Vec::with_capacity(1 + inner.bytes().filter(|byte| *byte == b',').count());
    for text in inner.split(',') {
        values.push(number(text)?);
    }
    Some(values)
}

/// Reads a dense vector, from numbers or from base64.
pub(super) fn dense(raw: Raw<'_>) -> Option<DenseVector> {
    let elements = match raw.get().as_bytes().first()? {
        b'"' => Elements::LittleEndian(decoded(raw)?.into()),
        _ => Elements::Floats(Floats { values: floats(raw.get(), f32::is_finite).or_else(|| plain(raw))? }),
    };
    Some(DenseVector { elements: Some(elements) })
}

fn multi(raw: Raw<'_>) -> Option<MultiVector> {
    super::object::list(raw, dense).map(|vectors| MultiVector { vectors })
}

fn sparse(raw: Raw<'_>) -> Option<Kind> {
    plain(raw).map(|weights| Kind::SparseVector(SparseVector { weights }))
}

fn decoded(raw: Raw<'_>) -> Option<Vec<u8>> {
    STANDARD.decode(plain::<String>(raw)?).ok()
}

fn times(raw: Raw<'_>) -> Option<Vec<Timestamp>> {
    plain::<Vec<String>>(raw)?.iter().map(|text| time(text)).collect()
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}
