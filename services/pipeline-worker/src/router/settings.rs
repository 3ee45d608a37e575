//! Where the router is, and by which keys it is called.

use std::path::PathBuf;

use layer_service::config::{ConfigError, Secret, one_or_more, printable_url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The query-router, through which rows are read and written.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouterSettings {
    /// Its URL, `http://` or `https://`. Its data port speaks gRPC.
    pub url: String,
    /// The key that it asks callers for (`Authorization: Bearer`). Unset: none is sent.
    pub api_key: Option<Secret>,
    /// The router's `auth.internal_key`: without it the router takes no rows of pipelines and functions, whose marks are
    /// reserved attributes. A client certificate that the router trusts is as good.
    pub internal_key: Option<Secret>,
    /// Time to connect, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Time for one call, in milliseconds, where the caller's own deadline is not sooner.
    pub timeout_ms: u64,
    /// PEM file of authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file of this client's certificate chain (mTLS).
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its private key.
    pub key_file: Option<PathBuf>,
}

impl Default for RouterSettings {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8080".to_owned(),
            api_key: None,
            internal_key: None,
            connect_timeout_ms: 1000,
            // The origin's longest write, 60 s, and a margin.
            timeout_ms: 70_000,
            ca_file: None,
            certificate_file: None,
            key_file: None,
        }
    }
}

impl RouterSettings {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let uri = self.url.parse::<http::Uri>().ok();
        let usable = |uri: http::Uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && !self.url.contains('@')
        };
        if !uri.is_some_and(usable) {
            let reason = format!("`{}` is no http or https URL of a server", printable_url(&self.url));
            return Err(ConfigError::invalid("router.url", reason));
        }
        one_or_more(&[("router.connect_timeout_ms", self.connect_timeout_ms), ("router.timeout_ms", self.timeout_ms)])?;
        for (name, key) in [("router.api_key", &self.api_key), ("router.internal_key", &self.internal_key)] {
            key.as_ref().map_or(Ok(()), |key| key.validate(name))?;
        }
        match (&self.certificate_file, &self.key_file) {
            (Some(_), None) => Err(ConfigError::invalid("router.key_file", "is needed with router.certificate_file")),
            (None, Some(_)) => Err(ConfigError::invalid("router.certificate_file", "is needed with router.key_file")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_makes_no_sense_by_name() {
        RouterSettings::default().validate().unwrap();
        let refused = |change: fn(&mut RouterSettings), name: &str| {
            let mut settings = RouterSettings::default();
            change(&mut settings);
            let error = settings.validate().expect_err(name).to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        };
        refused(|s| s.url = "nowhere".to_owned(), "router.url");
        refused(|s| s.url = "http://user@host".to_owned(), "router.url");
        refused(|s| s.timeout_ms = 0, "router.timeout_ms");
        refused(|s| s.connect_timeout_ms = 0, "router.connect_timeout_ms");
        refused(|s| s.api_key = Some(Secret::new("")), "router.api_key");
        refused(|s| s.internal_key = Some(Secret::new("a\nb")), "router.internal_key");
        refused(|s| s.certificate_file = Some("c".into()), "router.key_file");
        refused(|s| s.key_file = Some("k".into()), "router.certificate_file");
    }
}
