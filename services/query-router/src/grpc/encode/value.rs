//! Ids and attribute values, as rows, columns and filters hold them.

use layer_proto::types::v1::{Id, Value, id, value::Kind};
use prost_types::Timestamp;
use uuid::Uuid;

use super::encoder::Encoder;
use super::vector::{self, VectorForm};

/// Longest string id that the origin takes, in bytes.
const MAX_ID_BYTES: usize = 64;

/// Writes an id.
pub(super) fn id<'a>(e: &mut Encoder<'a>, id: &'a Id) {
    match &id.kind {
        Some(id::Kind::UintValue(number)) => e.json.scalar(number),
        Some(id::Kind::StringValue(text)) => {
            e.field("string_value", |e| e.check(text.len() <= MAX_ID_BYTES, "must be at most 64 bytes"));
            e.json.scalar(text);
        }
        None => e.violation("must have uint_value or string_value"),
    }
}

/// Writes a required id.
pub(super) fn required_id<'a>(e: &mut Encoder<'a>, value: Option<&'a Id>) {
    match value {
        Some(value) => id(e, value),
        None => e.violation("is required"),
    }
}

/// Writes the value of an attribute of a document.
pub(super) fn attribute<'a>(e: &mut Encoder<'a>, value: &'a Value, form: VectorForm) {
    match &value.kind {
        Some(Kind::DenseVector(dense)) => e.field("dense_vector", |e| vector::dense(e, dense, form)),
        Some(Kind::SparseVector(sparse)) => e.field("sparse_vector", |e| vector::sparse(e, sparse)),
        Some(Kind::MultiVector(multi)) => e.field("multi_vector", |e| vector::multi(e, multi)),
        _ => operand(e, value),
    }
}

/// Writes a value that filters compare with: no vectors.
pub(super) fn operand<'a>(e: &mut Encoder<'a>, value: &'a Value) {
    match &value.kind {
        Some(Kind::NullValue(_)) => e.json.scalar(&()),
        Some(Kind::StringValue(text)) => e.json.scalar(text),
        Some(Kind::IntValue(number)) => e.json.scalar(number),
        Some(Kind::UintValue(number)) => e.json.scalar(number),
        Some(Kind::FloatValue(number)) => e.field("float_value", |e| float(e, *number)),
        Some(Kind::BoolValue(truth)) => e.json.scalar(truth),
        Some(Kind::BytesValue(bytes)) => e.json.base64(bytes),
        Some(Kind::DatetimeValue(time)) => e.field("datetime_value", |e| datetime(e, time)),
        Some(Kind::UuidValue(text)) => e.field("uuid_value", |e| uuid(e, text)),
        Some(Kind::DenseVector(_) | Kind::SparseVector(_) | Kind::MultiVector(_)) => {
            e.violation("must not be a vector here");
        }
        Some(Kind::Highlights(_) | Kind::JsonValue(_)) => e.violation("is of a kind that only answers have"),
        Some(kind) => array(e, kind),
        None => e.violation("must have a kind; null is null_value"),
    }
}

fn array<'a>(e: &mut Encoder<'a>, kind: &'a Kind) {
    match kind {
        Kind::StringArray(array) => e.list(&array.values, |e, text| e.json.scalar(text)),
        Kind::IntArray(array) => e.list(&array.values, |e, number| e.json.scalar(number)),
        Kind::UintArray(array) => e.list(&array.values, |e, number| e.json.scalar(number)),
        Kind::FloatArray(array) => {
            e.field("float_array", |e| e.field("values", |e| e.list(&array.values, |e, number| float(e, *number))))
        }
        Kind::BoolArray(array) => e.list(&array.values, |e, truth| e.json.scalar(truth)),
        Kind::DatetimeArray(array) => {
            e.field("datetime_array", |e| e.field("values", |e| e.list(&array.values, datetime)))
        }
        Kind::UuidArray(array) => {
            e.field("uuid_array", |e| e.field("values", |e| e.list(&array.values, |e, text| uuid(e, text))))
        }
        _ => e.array(|_| ()),
    }
}

/// Writes a finite double.
pub(super) fn float(e: &mut Encoder<'_>, number: f64) {
    if e.check(number.is_finite(), "must be finite") {
        e.json.scalar(&number);
    }
}

fn datetime(e: &mut Encoder<'_>, time: &Timestamp) {
    // The range that google.protobuf.Timestamp documents: the years 1 to 9999.
    let in_range = (-62_135_596_800..=253_402_300_799).contains(&time.seconds);
    if e.check(in_range && (0..1_000_000_000).contains(&time.nanos), "must be a time in the years 1 to 9999") {
        e.json.scalar(&time.to_string());
    }
}

fn uuid(e: &mut Encoder<'_>, text: &str) {
    e.check(Uuid::try_parse(text).is_ok(), "must be a UUID");
    e.json.scalar(text);
}
