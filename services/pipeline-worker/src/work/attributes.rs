//! A chunk's metadata as attributes of its row.

use std::collections::BTreeMap;

use layer_proto::types::v1::{
    BoolArray, DenseVector, FloatArray, IntArray, StringArray, Value, dense_vector, value::Kind,
};
use serde_json::{Map, Value as Json};

/// What names of attributes may not begin with: Layer's own do.
const RESERVED: &str = "_hevlayer_";

/// The attributes that a JSON object stands for: texts, numbers, truth values, and lists of one of these. Null is the same as
/// absent. What else there is (objects, mixed lists) is kept as its JSON text, so that nothing is lost.
///
/// # Errors
/// The member that cannot be an attribute.
pub(super) fn of(metadata_json: &str) -> Result<BTreeMap<String, Value>, String> {
    let metadata: Map<String, Json> = match metadata_json {
        "" => Map::new(),
        json => serde_json::from_str(json).map_err(|_| "metadata_json: is no JSON object".to_owned())?,
    };
    let mut attributes = BTreeMap::new();
    for (name, value) in metadata {
        if name.is_empty() || name == "id" || name.starts_with(RESERVED) {
            return Err(format!("metadata_json: `{name}` is no name for an attribute"));
        }
        if let Some(kind) = kind(value) {
            attributes.insert(name, Value { kind: Some(kind) });
        }
    }
    Ok(attributes)
}

fn kind(value: Json) -> Option<Kind> {
    match value {
        Json::Null => None,
        Json::Bool(truth) => Some(Kind::BoolValue(truth)),
        Json::String(text) => Some(Kind::StringValue(text)),
        Json::Number(number) => Some(match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Kind::IntValue(number),
            (None, Some(number)) => Kind::UintValue(number),
            (None, None) => Kind::FloatValue(number.as_f64().unwrap_or_default()),
        }),
        Json::Array(items) if items.is_empty() => None,
        Json::Array(items) => Some(list(&items).unwrap_or_else(|| Kind::StringValue(Json::Array(items).to_string()))),
        Json::Object(_) => Some(Kind::StringValue(value.to_string())),
    }
}

fn list(items: &[Json]) -> Option<Kind> {
    fn all<'a, T>(items: &'a [Json], one: impl Fn(&'a Json) -> Option<T>) -> Option<Vec<T>> {
        items.iter().map(one).collect()
    }
    let texts =
        || all(items, |item| item.as_str().map(str::to_owned)).map(|values| Kind::StringArray(StringArray { values }));
    let truths = || all(items, Json::as_bool).map(|values| Kind::BoolArray(BoolArray { values }));
    let whole = || all(items, Json::as_i64).map(|values| Kind::IntArray(IntArray { values }));
    let numbers = || all(items, Json::as_f64).map(|values| Kind::FloatArray(FloatArray { values }));
    texts().or_else(truths).or_else(whole).or_else(numbers)
}

/// A text.
pub(super) fn text(text: String) -> Value {
    Value { kind: Some(Kind::StringValue(text)) }
}

/// A vector.
pub(super) fn vector(numbers: &[f32]) -> Value {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let vector = DenseVector { elements: Some(dense_vector::Elements::LittleEndian(bytes.into())) };
    Value { kind: Some(Kind::DenseVector(vector)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_attributes_of_its_own_types() {
        let json = r#"{"a": "x", "b": 1, "c": -1, "d": 1.5, "e": true, "f": null, "g": ["x", "y"], "h": [1, 2], "i": [1, 2.5],
            "j": {"k": [1]}, "l": [1, "x"], "m": [], "n": 18446744073709551615}"#;
        let of = of(json).unwrap();
        let kind = |name: &str| of.get(name).and_then(|value| value.kind.clone());
        assert_eq!((kind("a"), kind("b")), (Some(Kind::StringValue("x".into())), Some(Kind::IntValue(1))));
        assert_eq!((kind("d"), kind("e")), (Some(Kind::FloatValue(1.5)), Some(Kind::BoolValue(true))));
        assert_eq!((kind("f"), kind("m")), (None, None));
        assert_eq!(kind("h"), Some(Kind::IntArray(IntArray { values: vec![1, 2] })));
        assert_eq!(kind("i"), Some(Kind::FloatArray(FloatArray { values: vec![1.0, 2.5] })));
        assert_eq!(kind("j"), Some(Kind::StringValue(r#"{"k":[1]}"#.into())));
        assert_eq!(kind("l"), Some(Kind::StringValue(r#"[1,"x"]"#.into())));
        assert_eq!(kind("n"), Some(Kind::UintValue(u64::MAX)));
    }

    #[test]
    fn names_that_no_attribute_may_have_are_refused() {
        for name in ["id", "", "_hevlayer_x"] {
            let json = serde_json::json!({ name: 1 }).to_string();
            assert!(of(&json).unwrap_err().contains(&format!("`{name}`")));
        }
    }
}
