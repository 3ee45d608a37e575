//! What is known of attributes' values: whether inputs are the same, which type a value has, and what cannot be patched.

use layer_proto::types::v1::{Value, dense_vector::Elements, value::Kind};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::rows::Attributes;

/// Stands for a row's inputs: the same for the same inputs, and never 0.
pub(crate) fn revision(attributes: &Attributes, inputs: &[String]) -> i64 {
    let mut hash = Sha256::new();
    for name in inputs {
        // Each part with its length, so that no two rows run together to the same bytes.
        let value = attributes.get(name).map(Value::encode_to_vec).unwrap_or_default();
        for part in [name.as_bytes(), &value] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    i64::from_be_bytes(first).max(i64::MIN + 1) | 1
}

/// The type to declare for an attribute that no schema has, by its values: the origin tells no fraction's by itself.
/// `None` where the values do not tell.
pub(crate) fn type_of<'a>(values: impl Iterator<Item = &'a Value>) -> Option<&'static str> {
    let mut found = None;
    for value in values {
        let one = match value.kind.as_ref()? {
            Kind::NullValue(_) | Kind::EmptyArray(_) => continue,
            Kind::StringValue(_) => "string",
            Kind::IntValue(_) => "int",
            Kind::UintValue(_) => "uint",
            Kind::FloatValue(_) => "float",
            Kind::BoolValue(_) => "bool",
            Kind::BytesValue(_) => "bytes",
            Kind::DatetimeValue(_) => "datetime",
            Kind::UuidValue(_) => "uuid",
            Kind::StringArray(_) => "[]string",
            Kind::IntArray(_) => "[]int",
            Kind::UintArray(_) => "[]uint",
            Kind::FloatArray(_) => "[]float",
            Kind::BoolArray(_) => "[]bool",
            Kind::DatetimeArray(_) => "[]datetime",
            Kind::UuidArray(_) => "[]uuid",
            Kind::DenseVector(_) | Kind::SparseVector(_) | Kind::MultiVector(_) => return None,
            Kind::Highlights(_) | Kind::JsonValue(_) => return None,
        };
        found = match (found, one) {
            (None, one) => Some(one),
            (Some(before), one) if before == one => found,
            // A whole number among fractions is written without one.
            (Some("int" | "float"), "int" | "float") => Some("float"),
            (Some("[]int" | "[]float"), "[]int" | "[]float") => Some("[]float"),
            _ => return None,
        };
    }
    found
}

/// Whether the origin takes an attribute only with the whole row: dense vectors cannot be patched.
pub(crate) fn needs_whole_row(value: &Value, declared: Option<&str>) -> bool {
    let numbered =
        |name: &str| name.strip_prefix('[').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let dense = |name: &str| numbered(name) || name.strip_prefix("[]").is_some_and(numbered);
    matches!(value.kind, Some(Kind::DenseVector(_) | Kind::MultiVector(_))) || declared.is_some_and(dense)
}

/// Whether a value that was read can be written again as it is.
pub(crate) fn writable(value: &Value) -> bool {
    match &value.kind {
        None | Some(Kind::Highlights(_) | Kind::JsonValue(_)) => false,
        // Bytes come in the width of the attribute's type, and are taken as 32-bit floats.
        Some(Kind::DenseVector(vector)) => matches!(vector.elements, Some(Elements::Floats(_))),
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use layer_proto::types::v1::{DenseVector, EmptyArray, FloatArray, IntArray};

    use super::super::marks::{int, null, text};
    use super::*;

    fn value(kind: Kind) -> Value {
        Value { kind: Some(kind) }
    }

    #[test]
    fn inputs_that_differ_have_another_revision() {
        let of = |pairs: &[(&str, Value)], inputs: &[&str]| {
            let attributes = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            revision(&attributes, &inputs.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        let row = [("a", text("x")), ("b", int(1))];
        assert_eq!(of(&row, &["a", "b"]), of(&[("b", int(1)), ("a", text("x")), ("c", int(9))], &["a", "b"]));
        let all = [
            of(&row, &["a"]),
            of(&row, &["b"]),
            of(&row, &["a", "b"]),
            of(&[("a", text("x"))], &["a", "b"]),
            of(&[("a", int(1)), ("b", text("x"))], &["a", "b"]),
            of(&row, &[]),
        ];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert!(all.iter().all(|revision| *revision != 0));
    }

    #[test]
    fn a_type_is_told_by_values_that_agree() {
        let of = |values: &[Value]| type_of(values.iter());
        let float = || value(Kind::FloatValue(0.5));
        assert_eq!(of(&[null(), text("a")]), Some("string"));
        assert_eq!(of(&[int(1), float(), int(2)]), Some("float"));
        let floats = value(Kind::FloatArray(FloatArray { values: vec![0.5] }));
        assert_eq!(of(&[value(Kind::IntArray(IntArray { values: vec![1] })), floats]), Some("[]float"));
        assert_eq!((of(&[int(1), text("a")]), of(&[]), of(&[null()])), (None, None, None));
        assert_eq!(of(&[value(Kind::EmptyArray(EmptyArray {}))]), None);
    }

    #[test]
    fn dense_vectors_need_the_whole_row_and_sparse_ones_do_not() {
        let floats = value(Kind::FloatArray(FloatArray { values: vec![0.5] }));
        assert!(needs_whole_row(&value(Kind::DenseVector(DenseVector::default())), None));
        for declared in ["[3]f32", "[768]f16", "[][8]f32"] {
            assert!(needs_whole_row(&floats, Some(declared)), "{declared}");
        }
        for declared in ["[]float", "{}f16", "string"] {
            assert!(!needs_whole_row(&floats, Some(declared)), "{declared}");
        }
    }

    #[test]
    fn what_cannot_be_written_again_is_known() {
        assert!(writable(&text("a")) && writable(&null()));
        assert!(!writable(&value(Kind::JsonValue("{}".to_owned()))) && !writable(&Value::default()));
        assert!(!writable(&value(Kind::DenseVector(DenseVector {
            elements: Some(Elements::LittleEndian(vec![1].into()))
        }))));
    }
}
