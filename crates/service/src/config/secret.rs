//! Values that must never be printed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq;

use super::ConfigError;

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

    /// Whether `candidate` is this secret; the time taken depends on the candidate's length only. An empty secret is no
    /// secret: nothing matches it.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(candidate))
    }

    /// Checks that it can be shown in a header: callers that send it must be able to match it.
    ///
    /// # Errors
    /// [`ConfigError`] naming `setting` where it is empty, has white space around it, or has characters that no header
    /// carries.
    pub fn validate(&self, setting: &str) -> Result<(), ConfigError> {
        let reason = match self.0.trim() {
            "" => "must not be empty",
            trimmed if trimmed != self.0 => "must not begin or end with white space",
            _ if http::HeaderValue::from_str(&self.0).is_err() => "has characters that no header can carry",
            _ => return Ok(()),
        };
        Err(ConfigError::invalid(setting, reason))
    }
}

/// `url` as an error may print it: one that carries user information (`@`) is not shown at all.
pub fn printable_url(url: &str) -> &str {
    if url.contains('@') { "(a URL with user information)" } else { url }
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
        assert!(!Secret::new("").matches(b""));
    }

    #[test]
    fn what_no_caller_could_show_is_refused_by_the_settings_name() {
        Secret::new("tpuf_abc").validate("a.key").unwrap();
        for bad in ["", " ", "\t\n", "k ", " k", "a\nb", "a\u{7f}"] {
            let refused = Secret::new(bad).validate("a.key").unwrap_err().to_string();
            assert!(refused.contains("`a.key`") && (bad.trim().is_empty() || !refused.contains(bad)), "{refused}");
        }
    }

    #[test]
    fn urls_with_passwords_are_not_printed() {
        assert_eq!(printable_url("http://a:1"), "http://a:1");
        assert!(!printable_url("http://u:hunter2@a").contains("hunter2"));
    }
}
