//! TLS towards another part.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use layer_service::config::ConfigError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// TLS towards another part.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientTlsSettings {
    /// Speak TLS.
    pub enabled: bool,
    /// PEM file of authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file of this client's certificate chain (mTLS).
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its private key.
    pub key_file: Option<PathBuf>,
    /// The name that the other side's certificate must carry. Unset: the host of the address.
    pub server_name: Option<String>,
}

impl ClientTlsSettings {
    /// Checks what types alone cannot; errors name the settings below `section`.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting.
    pub fn validate(&self, section: &str) -> Result<(), ConfigError> {
        let invalid = |name: &str, reason: String| Err(ConfigError::invalid(format!("{section}.{name}"), reason));
        match (&self.certificate_file, &self.key_file) {
            (Some(_), None) => return invalid("key_file", format!("is needed with {section}.certificate_file")),
            (None, Some(_)) => return invalid("certificate_file", format!("is needed with {section}.key_file")),
            _ => {}
        }
        let given = [
            ("ca_file", self.ca_file.is_some()),
            ("certificate_file", self.certificate_file.is_some()),
            ("server_name", self.server_name.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((name, _)) if !self.enabled => invalid(name, format!("needs {section}.enabled = true")),
            _ => Ok(()),
        }
    }

    /// What tonic needs, where TLS is spoken. A handshake takes `timeout` at the most.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting below `section` whose file cannot be used.
    pub fn config(&self, section: &str, timeout: Duration) -> Result<Option<ClientTlsConfig>, ConfigError> {
        if !self.enabled {
            return Ok(None);
        }
        let read = |name: &str, file: &Path| {
            let invalid =
                |error| ConfigError::invalid(format!("{section}.{name}"), format!("{}: {error}", file.display()));
            std::fs::read(file).map_err(invalid)
        };
        let mut tls = ClientTlsConfig::new().timeout(timeout);
        tls = match &self.ca_file {
            Some(file) => {
                // The helper refuses a file that holds no certificate, which tonic would take as no authority at all.
                layer_service::tls::client(&format!("{section}.ca_file"), Some(file), &[])?;
                tls.ca_certificate(Certificate::from_pem(read("ca_file", file)?))
            }
            None => tls.with_native_roots(),
        };
        if let (Some(certificate), Some(key)) = (&self.certificate_file, &self.key_file) {
            let certificate = read("certificate_file", certificate)?;
            tls = tls.identity(Identity::from_pem(certificate, read("key_file", key)?));
        }
        Ok(Some(tls))
    }
}
