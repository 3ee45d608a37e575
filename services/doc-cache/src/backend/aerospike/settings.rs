//! How an Aerospike cluster is reached.

use layer_service::config::{ConfigError, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Aerospike refuses longer namespace names.
const NAMESPACE_BYTES_MAX: usize = 31;
/// Aerospike refuses longer set names; the longest kind is appended to the prefix.
const SET_PREFIX_BYTES_MAX: usize = 63 - "namespace".len();
/// Aerospike's own bounds of a record (`write-block-size`).
const RECORD_BYTES: std::ops::RangeInclusive<u64> = 64 * 1024..=8 * 1024 * 1024;

/// The Aerospike cluster that keeps the records.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AerospikeSettings {
    /// Nodes to begin with, as `host:port`, separated by commas (`host:tls-name:port` with TLS). The others are found.
    pub hosts: String,
    /// The Aerospike namespace; it must exist on the server.
    pub namespace: String,
    /// What the names of all sets begin with.
    pub set_prefix: String,
    /// The user, where the cluster asks for one.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// Speak TLS to the nodes.
    pub tls: bool,
    /// PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<std::path::PathBuf>,
    /// Connections per node that are kept open. Without any, the first calls find none and wait for one.
    pub connections_min: u32,
    /// Connections per node at most.
    pub connections_max: u32,
    /// The largest value to store, in bytes; below the server's `write-block-size` less what the record itself needs.
    pub value_bytes_max: u64,
}

impl Default for AerospikeSettings {
    fn default() -> Self {
        Self {
            hosts: "127.0.0.1:3000".to_owned(),
            namespace: "hevlayer".to_owned(),
            set_prefix: "tpuf_".to_owned(),
            user: None,
            password: None,
            tls: false,
            ca_file: None,
            connections_min: 8,
            connections_max: 256,
            // The server's default write-block-size is 1 MiB.
            value_bytes_max: 1024 * 1024 - 8 * 1024,
        }
    }
}

impl AerospikeSettings {
    /// Checks what can be checked without the cluster.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        use aerospike::ToHosts;
        self.hosts.to_hosts().map_err(|error| invalid("hosts", &error.to_string()))?;
        named("namespace", &self.namespace, NAMESPACE_BYTES_MAX)?;
        named("set_prefix", &self.set_prefix, SET_PREFIX_BYTES_MAX)?;
        if self.user.is_some() != self.password.is_some() {
            return Err(invalid("password", "is needed with aerospike.user, and only with it"));
        }
        if self.ca_file.is_some() && !self.tls {
            return Err(invalid("ca_file", "needs aerospike.tls = true"));
        }
        if self.connections_max == 0 || self.connections_min > self.connections_max {
            return Err(invalid("connections_max", "must be above zero and at least aerospike.connections_min"));
        }
        if !RECORD_BYTES.contains(&self.value_bytes_max) {
            return Err(invalid("value_bytes_max", "must be from 64 KiB to 8 MiB"));
        }
        Ok(())
    }
}

fn named(setting: &str, value: &str, bytes_max: usize) -> Result<(), ConfigError> {
    let clean = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if value.is_empty() || value.len() > bytes_max || !value.bytes().all(clean) {
        let reason = format!("must be 1 to {bytes_max} letters, digits, `_` or `-`");
        return Err(invalid(setting, &reason));
    }
    Ok(())
}

fn invalid(setting: &str, reason: &str) -> ConfigError {
    ConfigError::invalid(format!("aerospike.{setting}"), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(&mut AerospikeSettings)) -> String {
        let mut settings = AerospikeSettings::default();
        change(&mut settings);
        settings.validate().expect_err("wrong").to_string()
    }

    #[test]
    fn defaults_are_valid() {
        assert!(AerospikeSettings::default().validate().is_ok());
    }

    #[test]
    fn errors_name_the_setting() {
        assert!(wrong(|s| s.namespace = "a".repeat(32)).contains("aerospike.namespace"));
        assert!(wrong(|s| s.set_prefix = "a b".to_owned()).contains("aerospike.set_prefix"));
        assert!(wrong(|s| s.user = Some("me".to_owned())).contains("aerospike.password"));
        assert!(wrong(|s| s.ca_file = Some("ca.pem".into())).contains("aerospike.ca_file"));
        assert!(wrong(|s| s.connections_max = 1).contains("aerospike.connections_max"));
        assert!(wrong(|s| s.value_bytes_max = 1).contains("aerospike.value_bytes_max"));
        assert!(wrong(|s| s.hosts = String::new()).contains("aerospike.hosts"));
    }
}
