//! The settings of an object store: a section of each service that has one.

use std::{path::PathBuf, time::Duration};

use layer_service::config::{ConfigError, Secret, one_or_more, printable_url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// S3's bounds on a part of a multipart upload; the last one may be smaller.
const PART_BYTES: std::ops::RangeInclusive<u64> = 5 * 1024 * 1024..=64 * 1024 * 1024;

/// Where objects are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Nowhere: calls that need an object store are refused.
    None,
    /// In a local directory.
    Directory,
    /// In a bucket.
    S3,
}

/// The object store.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectStoreSettings {
    /// `none`, `directory` (one machine) or `s3`.
    pub backend: Backend,
    /// The directory of backend `directory`; made where it is missing.
    pub directory: Option<PathBuf>,
    /// The bucket of backend `s3`.
    pub bucket: Option<String>,
    /// What every key in the bucket begins with, for example `layer/`.
    pub prefix: String,
    /// The bucket's region.
    pub region: String,
    /// URL of another S3 server than AWS's, for example `https://minio.example:9000`.
    pub endpoint: Option<String>,
    /// Name the bucket in the path instead of in the host: most servers other than AWS's need it.
    pub path_style: bool,
    /// Access key id. Unset: the credentials of the environment, the container or the instance, as AWS's own tools find
    /// them.
    pub access_key_id: Option<Secret>,
    /// Secret access key.
    pub secret_access_key: Option<Secret>,
    /// Session token of temporary credentials.
    pub session_token: Option<Secret>,
    /// PEM file of authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Time to connect, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Time for one attempt of a call, in milliseconds; for the whole of a call's attempts see
    /// `object_store.operation_timeout_ms`.
    pub attempt_timeout_ms: u64,
    /// Time for a call with all its attempts, in milliseconds. The body of an object that is read has
    /// `object_store.stall_timeout_ms` instead.
    pub operation_timeout_ms: u64,
    /// How long the body of an object that is read may stand still, in milliseconds.
    pub stall_timeout_ms: u64,
    /// Attempts of a call at the most, the first one included. All repetitions together have a budget besides.
    pub attempts_max: u32,
    /// Larger objects are sent in parts of this size, in bytes; an upload holds two of them at the most.
    pub part_bytes: u64,
    /// Uploads in flight at the most.
    pub uploads_max: usize,
}

impl Default for ObjectStoreSettings {
    fn default() -> Self {
        Self {
            backend: Backend::None,
            directory: None,
            bucket: None,
            prefix: String::new(),
            region: "us-east-1".to_owned(),
            endpoint: None,
            path_style: false,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            ca_file: None,
            // Outside the mesh.
            connect_timeout_ms: 1000,
            // One part at 550 kB/s.
            attempt_timeout_ms: 15_000,
            // Below the router's 75 s for an answer.
            operation_timeout_ms: 60_000,
            stall_timeout_ms: 15_000,
            attempts_max: 3,
            // 10,000 parts of it make 80 GB.
            part_bytes: 8 * 1024 * 1024,
            // With two parts each, 256 MiB.
            uploads_max: 16,
        }
    }
}

impl ObjectStoreSettings {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first setting that cannot be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        one_or_more(&[
            ("object_store.connect_timeout_ms", self.connect_timeout_ms),
            ("object_store.attempt_timeout_ms", self.attempt_timeout_ms),
            ("object_store.operation_timeout_ms", self.operation_timeout_ms),
            ("object_store.stall_timeout_ms", self.stall_timeout_ms),
            ("object_store.attempts_max", u64::from(self.attempts_max)),
            ("object_store.uploads_max", self.uploads_max as u64),
        ])?;
        if !PART_BYTES.contains(&self.part_bytes) {
            let reason = format!("must be {} to {}", PART_BYTES.start(), PART_BYTES.end());
            return Err(ConfigError::invalid("object_store.part_bytes", reason));
        }
        match self.backend {
            Backend::None => Ok(()),
            Backend::Directory => needed("object_store.directory", self.directory.is_some(), "directory"),
            Backend::S3 => self.validate_s3(),
        }
    }

    fn validate_s3(&self) -> Result<(), ConfigError> {
        needed("object_store.bucket", self.bucket.as_ref().is_some_and(|name| !name.is_empty()), "s3")?;
        needed("object_store.region", !self.region.is_empty(), "s3")?;
        let prefix = self.prefix.strip_suffix('/').unwrap_or(&self.prefix);
        if !prefix.is_empty() && crate::key::check(prefix).is_err() {
            let reason = "must be the beginning of a key, for example `layer/`";
            return Err(ConfigError::invalid("object_store.prefix", reason));
        }
        self.validate_endpoint()?;
        self.validate_credentials()
    }

    fn validate_endpoint(&self) -> Result<(), ConfigError> {
        let Some(url) = &self.endpoint else { return Ok(()) };
        let parsed = url.parse::<http::Uri>().ok();
        let usable = |uri: &http::Uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && !url.contains('@')
        };
        match parsed.is_some_and(|uri| usable(&uri)) {
            true => Ok(()),
            false => {
                let reason = format!("`{}` is no http or https URL of a server", printable_url(url));
                Err(ConfigError::invalid("object_store.endpoint", reason))
            }
        }
    }

    fn validate_credentials(&self) -> Result<(), ConfigError> {
        let given = [
            ("object_store.access_key_id", &self.access_key_id),
            ("object_store.secret_access_key", &self.secret_access_key),
            ("object_store.session_token", &self.session_token),
        ];
        for (name, secret) in given {
            secret.as_ref().map_or(Ok(()), |secret| secret.validate(name))?;
        }
        match (&self.access_key_id, &self.secret_access_key, &self.session_token) {
            (Some(_), None, _) => Err(ConfigError::invalid(given[1].0, "is needed with object_store.access_key_id")),
            (None, Some(_), _) => {
                Err(ConfigError::invalid(given[0].0, "is needed with object_store.secret_access_key"))
            }
            (None, None, Some(_)) => Err(ConfigError::invalid(given[0].0, "is needed with object_store.session_token")),
            _ => Ok(()),
        }
    }

    pub(crate) fn operation_timeout(&self) -> Duration {
        Duration::from_millis(self.operation_timeout_ms)
    }

    pub(crate) fn stall_timeout(&self) -> Duration {
        Duration::from_millis(self.stall_timeout_ms)
    }
}

fn needed(name: &str, given: bool, backend: &str) -> Result<(), ConfigError> {
    match given {
        true => Ok(()),
        false => Err(ConfigError::invalid(name, format!("is needed with object_store.backend `{backend}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut ObjectStoreSettings)) -> Option<String> {
        let mut settings =
            ObjectStoreSettings { backend: Backend::S3, bucket: Some("b".to_owned()), ..Default::default() };
        change(&mut settings);
        settings.validate().err().map(|error| error.to_string())
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        assert_eq!(refusal(|_| {}), None);
        assert_eq!(refusal(|s| s.endpoint = Some("http://127.0.0.1:1".to_owned())), None);
        let named = |change: fn(&mut ObjectStoreSettings), name: &str| {
            let refused = refusal(change).expect(name);
            assert!(refused.contains(&format!("`object_store.{name}`")), "{refused}");
        };
        named(|s| s.bucket = None, "bucket");
        named(|s| s.region = String::new(), "region");
        named(|s| s.endpoint = Some("ftp://x".to_owned()), "endpoint");
        named(|s| s.prefix = "/x".to_owned(), "prefix");
        named(|s| s.part_bytes = 1024, "part_bytes");
        named(|s| s.attempts_max = 0, "attempts_max");
        named(|s| s.stall_timeout_ms = 0, "stall_timeout_ms");
        named(|s| s.uploads_max = 0, "uploads_max");
        named(|s| s.access_key_id = Some(Secret::new("a")), "secret_access_key");
        named(|s| s.secret_access_key = Some(Secret::new("a")), "access_key_id");
        named(|s| s.session_token = Some(Secret::new("a")), "access_key_id");
        named(|s| s.access_key_id = Some(Secret::new(" ")), "access_key_id");
        named(|s| s.backend = Backend::Directory, "directory");
    }

    #[test]
    fn no_secret_is_printed() {
        let refused = refusal(|s| s.endpoint = Some("http://me:hunter2@x".to_owned())).expect("refused");
        assert!(!refused.contains("hunter2"), "{refused}");
        let settings = ObjectStoreSettings { secret_access_key: Some(Secret::new("hunter2")), ..Default::default() };
        assert!(!format!("{settings:?}{}", serde_json::to_string(&settings).unwrap()).contains("hunter2"));
    }
}
