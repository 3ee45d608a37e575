use std::collections::BTreeMap;

use layer_proto::router::v1::Document;
use layer_proto::types::v1::dense_vector::Elements;
use layer_proto::types::v1::{DenseVector, FloatArray, Floats};

use super::*;

fn decoded(json: &str, types: &[(&str, &str)]) -> Result<Document, Unreadable> {
    let types: BTreeMap<_, _> = types.iter().map(|(name, kind)| (name.to_string(), kind.to_string())).collect();
    document(json.as_bytes(), &Hints::of_fetch(&types))
}

fn kind(json: &str, types: &[(&str, &str)]) -> Kind {
    let mut document = decoded(&format!(r#"{{"id":1,"attributes":{{"a":{json}}}}}"#), types).unwrap();
    document.attributes.remove("a").unwrap().kind.unwrap()
}

#[test]
fn a_fetched_value_is_what_a_query_says_it_is() {
    let values = [
        "null",
        "true",
        "\"a\\u00fc\\n\"",
        "-0",
        "18446744073709551615",
        "18446744073709551616",
        "1.0",
        "1e3",
        "[]",
        "[ ]",
        "[\"a\"]",
        "[false]",
        "[1, -2]",
        "[-0]",
        "[18446744073709551615]",
        "[1,2.5]",
        "[9007199254740993, 0.1]",
        "[1,null]",
        "[0.5,null]",
        "[1,\"a.b\"]",
        "[0.5,[1]]",
        "[[0.5,1],[2,3]]",
        "[[0.5],7]",
        "{\"3\":0.5}",
        "{\"x\":[1]}",
        "[1e999]",
        "[0.5,1e39]",
        "\"zczMPQ==\"",
        "\"2024-03-02T00:00:00Z\"",
    ];
    let types = ["", "uint", "[]uint", "float", "[]float", "datetime", "bytes", "[2]f32", "[][2]f32", "{}f16", "uuid"];
    for json in values {
        for name in types {
            let declared: &[_] = if name.is_empty() { &[] } else { &[("a", name)] };
            assert_eq!(kind(json, declared), attribute("a", json, declared), "{name} {json}");
        }
    }
}

#[test]
fn every_number_is_the_nearest_that_its_type_has() {
    // As a double this is just between two floats of 32 bits: who goes by one takes the wrong of them.
    let between = "1.00000017881393432617187499";
    let vector = Kind::DenseVector(DenseVector {
        elements: Some(Elements::Floats(Floats { values: vec![1.000_000_1, -1e-45, 3.402_823_5e38, 0.0] })),
    });
    assert_eq!(kind(&format!("[{between}, -1e-45 ,3.4028234663852886e38,0]"), &[("a", "[4]f32")]), vector);
    let doubles = vec![0.1, 1.797_693_134_862_315_7e308, 5e-324, 9_007_199_254_740_992.0];
    let expected = Kind::FloatArray(FloatArray { values: doubles });
    assert_eq!(kind("[0.1,1.7976931348623157e308,5e-324,9007199254740993]", &[]), expected);
}

#[test]
fn a_document_has_its_id_and_its_names_as_they_are() {
    let document = decoded(r#" {"more":[1],"id":"\u00fc","attributes":{"b\"c":1,"vector":[1]}} "#, &[]).unwrap();
    assert_eq!(document.id, text_id("ü"));
    assert_eq!(document.attributes.keys().collect::<Vec<_>>(), ["b\"c", "vector"]);
    assert_eq!(decoded(r#"{"id":18446744073709551615,"attributes":{}}"#, &[]).unwrap().id, uint_id(u64::MAX));
}

#[test]
fn what_is_no_document_is_unreadable() {
    for (json, field) in [
        ("", ""),
        ("[]", ""),
        (r#"{"id":1,"attributes":[]}"#, ""),
        (r#"{"id":1,"attributes":{"a":}}"#, ""),
        (r#"{"id":1,"attributes":{}"#, ""),
        (r#"{"id":1,"attributes":{}}x"#, ""),
        (r#"{"id":1}"#, "attributes"),
        (r#"{"id":1.5,"attributes":{}}"#, "id"),
    ] {
        assert_eq!(decoded(json, &[]).unwrap_err().field, field, "{json}");
    }
}
