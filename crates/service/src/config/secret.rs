//! Values that must never be printed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq;

/// What a secret prints as.
const REDACTED: &str = "(redacted)";

/// A secret string: it deserializes as the value, prints and serializes as `(redacted)`, and compares in constant time.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for sending it where it belongs, never for printing.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `candidate` is this secret; the time taken depends on the candidate's length only.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(candidate).into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints_its_value() {
        let secret = Secret::new("tpuf_abc");
        assert_eq!(format!("{secret:?}"), REDACTED);
        assert_eq!(serde_json::to_string(&secret).unwrap(), format!("\"{REDACTED}\""));
    }

    #[test]
    fn matches_only_itself() {
        let secret = Secret::new("tpuf_abc");
        assert!(secret.matches(b"tpuf_abc"));
        for other in ["", "tpuf_ab", "tpuf_abcd", "tpuf_abd"] {
            assert!(!secret.matches(other.as_bytes()), "{other}");
        }
    }
}
