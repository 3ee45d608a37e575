//! How an endpoint is used.

use std::time::Duration;

use layer_origin::Target;
use layer_service::config::Secret;

/// In which form the numbers of an answer come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As base64, a quarter of the size. Servers that do not know it answer with numbers, which are taken too.
    Base64,
    /// As numbers: for servers that refuse a request for base64.
    Float,
}

/// How an endpoint is used.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its base URL with the version: `https://api.openai.com/v1`.
    pub url: String,
    /// The model's name.
    pub model: String,
    /// The key, sent as a bearer.
    pub api_key: Option<Secret>,
    /// How many numbers a vector shall have, for models that can shorten theirs.
    pub dimensions: Option<u32>,
    /// In which form the numbers come.
    pub encoding: Encoding,
    /// Texts in a request at most: 1 to 2,048, which is OpenAI's limit.
    pub batch_texts: usize,
    /// Bytes of text in a request at most, unless one text alone has more.
    pub batch_bytes: usize,
    /// The largest text, in bytes.
    pub text_bytes: usize,
    /// Requests at a time.
    pub in_flight_max: usize,
    /// Time for name look-up, connect and TLS handshake.
    pub connect_timeout: Duration,
    /// Time for one answer.
    pub request_timeout: Duration,
    /// Attempts of one request at most.
    pub attempts_max: u32,
    /// The wait before the second attempt, unless the endpoint names one. It doubles with each, and half of it is random.
    pub backoff: Duration,
}

impl Options {
    /// The usual: 256 texts or 256 KiB in a request, four requests at a time, a minute for an answer, five attempts.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            api_key: None,
            dimensions: None,
            encoding: Encoding::Base64,
            batch_texts: 256,
            batch_bytes: 256 << 10,
            text_bytes: 1 << 20,
            in_flight_max: 4,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            attempts_max: 5,
            backoff: Duration::from_millis(250),
        }
    }

    /// Checks the options; answers where the endpoint is.
    pub(super) fn validate(&self) -> Result<Target, OptionsError> {
        let refuse = |field, problem: String| Err(OptionsError { field, problem });
        if self.model.is_empty() {
            return refuse("model", "must not be empty".to_owned());
        }
        if let Some(key) = &self.api_key {
            key.validate("api_key").map_err(|error| OptionsError { field: "api_key", problem: error.to_string() })?;
        }
        let ranges = [
            ("dimensions", self.dimensions.map_or(1, u64::from), 65_536),
            ("batch_texts", self.batch_texts as u64, 2_048),
            ("batch_bytes", self.batch_bytes as u64, 16 << 20),
            ("text_bytes", self.text_bytes as u64, 16 << 20),
            ("in_flight_max", self.in_flight_max as u64, 256),
            ("attempts_max", u64::from(self.attempts_max), 100),
        ];
        for (field, value, max) in ranges {
            if !(1..=max).contains(&value) {
                return refuse(field, format!("must be 1 to {max}, is {value}"));
            }
        }
        Target::parse(&self.url).map_err(|error| OptionsError { field: "url", problem: error.to_string() })
    }
}

/// An option that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct OptionsError {
    /// The option's name.
    pub field: &'static str,
    /// What it accepts.
    pub problem: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let field = |change: fn(&mut Options)| {
            let mut options = Options::new("http://127.0.0.1:1/v1", "m");
            change(&mut options);
            options.validate().err().map(|error| error.field)
        };
        assert_eq!(field(|_| {}), None);
        assert_eq!(field(|options| options.url = "ftp://x".to_owned()), Some("url"));
        assert_eq!(field(|options| options.model.clear()), Some("model"));
        assert_eq!(field(|options| options.api_key = Some(Secret::new("a\nb"))), Some("api_key"));
        assert_eq!(field(|options| options.batch_texts = 0), Some("batch_texts"));
        assert_eq!(field(|options| options.dimensions = Some(0)), Some("dimensions"));
    }

    #[test]
    fn a_printed_option_has_no_key() {
        let mut options = Options::new("http://127.0.0.1:1/v1", "m");
        options.api_key = Some(Secret::new("very-secret"));
        assert!(!format!("{options:?}").contains("very-secret"));
    }
}
