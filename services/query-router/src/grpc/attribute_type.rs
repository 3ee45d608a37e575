//! The schema's types, as far as the reading of an answer depends on them.

/// What the values of an attribute are. Scalars stand for their arrays too: JSON tells those apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttributeType {
    /// `string`, `bool`, `int`: what JSON shows already.
    Plain,
    Uint,
    Float,
    Uuid,
    Datetime,
    Bytes,
    /// A dense vector, or several.
    Vector,
    Sparse,
    /// Fragments of a text: no type of the schema, but what a computed attribute may be.
    Highlights,
}

impl AttributeType {
    /// Reads a type as the schema writes it: `datetime`, `[]uint`, `[768]f32`, `{}f16`, `[][128]f32`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "{}f16" => Some(Self::Sparse),
            "bytes" => Some(Self::Bytes),
            _ if is_vector(name) => Some(Self::Vector),
            _ => Self::scalar(name.strip_prefix("[]").unwrap_or(name)),
        }
    }

    fn scalar(name: &str) -> Option<Self> {
        Some(match name {
            "string" | "bool" | "int" => Self::Plain,
            "uint" => Self::Uint,
            "float" => Self::Float,
            "uuid" => Self::Uuid,
            "datetime" => Self::Datetime,
            _ => return None,
        })
    }
}

fn is_vector(name: &str) -> bool {
    let inner = name.strip_prefix("[]").unwrap_or(name);
    let Some((dimensions, element)) = inner.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return false;
    };
    let counted = !dimensions.is_empty() && dimensions.bytes().all(|byte| byte.is_ascii_digit());
    counted && matches!(element, "f32" | "f16" | "i8")
}

#[cfg(test)]
mod tests {
    use super::AttributeType as Type;

    #[test]
    fn types_are_read_as_the_schema_writes_them() {
        for (name, expected) in [
            ("string", Type::Plain),
            ("[]bool", Type::Plain),
            ("[]uint", Type::Uint),
            ("float", Type::Float),
            ("[]uuid", Type::Uuid),
            ("datetime", Type::Datetime),
            ("bytes", Type::Bytes),
            ("[768]f32", Type::Vector),
            ("[4]i8", Type::Vector),
            ("[][128]f32", Type::Vector),
            ("{}f16", Type::Sparse),
        ] {
            assert_eq!(Type::parse(name), Some(expected), "{name}");
        }
    }

    #[test]
    fn anything_else_is_no_type() {
        for name in ["", "text", "[]f32", "[x]f32", "[]bytes", "[3]f64", "[][]uint", "[3", "{}f32"] {
            assert_eq!(Type::parse(name), None, "{name}");
        }
    }
}
