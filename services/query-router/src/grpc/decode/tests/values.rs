use layer_proto::types::v1::dense_vector::Elements;
use layer_proto::types::v1::{
    BoolArray, DatetimeArray, DenseVector, EmptyArray, FloatArray, Floats, IntArray, MultiVector, SparseVector,
    StringArray, UintArray, UuidArray,
};
use prost_types::Timestamp;

use super::*;

fn untyped(json: &str) -> Kind {
    attribute("a", json, &[])
}

fn typed(kind: &str, json: &str) -> Kind {
    attribute("a", json, &[("a", kind)])
}

fn floats(values: &[f32]) -> DenseVector {
    DenseVector { elements: Some(Elements::Floats(Floats { values: values.to_vec() })) }
}

#[test]
fn scalars_have_the_kind_that_json_shows() {
    for (json, kind) in [
        ("null", Kind::NullValue(0)),
        ("true", Kind::BoolValue(true)),
        ("\"a\\u00fc\\n\"", Kind::StringValue("aü\n".to_owned())),
        ("\"2024-03-02T00:00:00Z\"", Kind::StringValue("2024-03-02T00:00:00Z".to_owned())),
        ("0", Kind::IntValue(0)),
        ("-9223372036854775808", Kind::IntValue(i64::MIN)),
        ("9223372036854775807", Kind::IntValue(i64::MAX)),
        ("9223372036854775808", Kind::UintValue(1 << 63)),
        ("18446744073709551615", Kind::UintValue(u64::MAX)),
        ("18446744073709551616", Kind::FloatValue(18_446_744_073_709_551_616.0)),
        ("1.0", Kind::FloatValue(1.0)),
        ("1e3", Kind::FloatValue(1000.0)),
        ("0.1", Kind::FloatValue(0.1)),
        ("2.2250738585072014e-308", Kind::FloatValue(f64::MIN_POSITIVE)),
    ] {
        assert_eq!(untyped(json), kind, "{json}");
    }
}

#[test]
fn arrays_have_the_kind_of_their_elements() {
    for (json, kind) in [
        ("[]", Kind::EmptyArray(EmptyArray {})),
        ("[ ]", Kind::EmptyArray(EmptyArray {})),
        ("[ \"a\", \"b\"]", Kind::StringArray(StringArray { values: vec!["a".to_owned(), "b".to_owned()] })),
        ("[false]", Kind::BoolArray(BoolArray { values: vec![false] })),
        ("[1,-2]", Kind::IntArray(IntArray { values: vec![1, -2] })),
        ("[1,18446744073709551615]", Kind::UintArray(UintArray { values: vec![1, u64::MAX] })),
        ("[1,0.5]", Kind::FloatArray(FloatArray { values: vec![1.0, 0.5] })),
        ("[[0.7],[1]]", Kind::MultiVector(MultiVector { vectors: vec![floats(&[0.7]), floats(&[1.0])] })),
        ("{\"x\":0.5}", Kind::SparseVector(SparseVector { weights: [("x".to_owned(), 0.5)].into() })),
    ] {
        assert_eq!(untyped(json), kind, "{json}");
    }
}

#[test]
fn what_has_no_kind_keeps_its_text() {
    for json in ["[1,\"a\"]", "[null]", "{\"a\":{\"b\":18446744073709551615.10}}", "[{\"a\":1}]", "[[1],[\"a\"]]"] {
        assert_eq!(untyped(json), Kind::JsonValue(json.to_owned()));
    }
}

#[test]
fn declared_types_decide() {
    let uuid = "7a8f6d1e-3b0c-4c57-9a55-0f5f5f0a1b2c";
    let time = Timestamp { seconds: 1_709_337_600, nanos: 5_000_000 };
    for (kind, json, expected) in [
        ("uint", "7", Kind::UintValue(7)),
        ("[]uint", "[7]", Kind::UintArray(UintArray { values: vec![7] })),
        ("[]uint", "[]", Kind::UintArray(UintArray { values: vec![] })),
        ("float", "7", Kind::FloatValue(7.0)),
        ("[]float", "[7]", Kind::FloatArray(FloatArray { values: vec![7.0] })),
        ("uuid", &format!("{uuid:?}"), Kind::UuidValue(uuid.to_owned())),
        ("[]uuid", &format!("[{uuid:?}]"), Kind::UuidArray(UuidArray { values: vec![uuid.to_owned()] })),
        ("datetime", "\"2024-03-02T00:00:00.005000000Z\"", Kind::DatetimeValue(time)),
        ("datetime", "\"2024-03-02T01:00:00.005+01:00\"", Kind::DatetimeValue(time)),
        ("[]datetime", "[\"2024-03-02T00:00:00.005Z\"]", Kind::DatetimeArray(DatetimeArray { values: vec![time] })),
        ("bytes", "\"AP8B\"", Kind::BytesValue(vec![0, 255, 1].into())),
        ("[2]f32", "[1,0]", Kind::DenseVector(floats(&[1.0, 0.0]))),
        ("[][1]f32", "[[1],[0]]", Kind::MultiVector(MultiVector { vectors: vec![floats(&[1.0]), floats(&[0.0])] })),
        ("{}f16", "{}", Kind::SparseVector(SparseVector::default())),
        ("string", "\"x\"", Kind::StringValue("x".to_owned())),
    ] {
        assert_eq!(typed(kind, json), expected, "{kind} {json}");
    }
}

#[test]
fn a_value_that_is_not_of_its_declared_type_is_what_json_shows() {
    for (kind, json, expected) in [
        ("datetime", "\"soon\"", Kind::StringValue("soon".to_owned())),
        ("bytes", "\"no base64!\"", Kind::StringValue("no base64!".to_owned())),
        ("uint", "-1", Kind::IntValue(-1)),
        ("[2]f32", "\"no base64!\"", Kind::StringValue("no base64!".to_owned())),
        ("[2]f32", "null", Kind::NullValue(0)),
        ("float", "null", Kind::NullValue(0)),
    ] {
        assert_eq!(typed(kind, json), expected, "{kind} {json}");
    }
}

#[test]
fn the_attribute_vector_is_a_vector() {
    assert_eq!(attribute("vector", "[1,0]", &[]), Kind::DenseVector(floats(&[1.0, 0.0])));
    let Kind::DenseVector(encoded) = attribute("vector", "\"zczMPZqZGT8=\"", &[]) else { panic!("no vector") };
    let bytes: Vec<u8> = [0.1f32, 0.6].iter().flat_map(|float| float.to_le_bytes()).collect();
    assert_eq!(encoded.elements, Some(Elements::LittleEndian(bytes.into())));
    assert_eq!(attribute("vector", "\"plain text\"", &[]), Kind::StringValue("plain text".to_owned()));
    assert_eq!(attribute("vector", "\"abcd\"", &[("vector", "string")]), Kind::StringValue("abcd".to_owned()));
}

#[test]
fn vectors_keep_every_float_exactly() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let values: Vec<f32> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f32::from_bits(state as u32)
    })
    .filter(|float| float.is_finite())
    .take(20_000)
    .collect();
    let json = serde_json::to_string(&values).unwrap();
    assert_eq!(attribute("vector", &json, &[]), Kind::DenseVector(floats(&values)));
}
