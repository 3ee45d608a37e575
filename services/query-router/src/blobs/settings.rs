//! The settings of blobs.

use layer_service::config::{ConfigError, one_or_more};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Blobs; where they are kept is `object_store`'s business.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BlobSettings {
    /// Largest blob, in bytes; larger ones are answered with 413. Not above `limits.body_bytes`.
    pub bytes_max: u64,
    /// Largest blob that is put into the document cache, in bytes; 0: none.
    pub cache_bytes_max: u64,
    /// Bytes that all blobs together hold on their way into the cache; beyond, blobs are served without being cached.
    pub held_bytes: u64,
}

impl Default for BlobSettings {
    fn default() -> Self {
        Self {
            // As large as a request may be.
            bytes_max: 512 * 1024 * 1024,
            // What a record of doc-cache takes as it comes from the box.
            cache_bytes_max: 1024 * 1024 - 16 * 1024,
            held_bytes: 64 * 1024 * 1024,
        }
    }
}

impl BlobSettings {
    /// Checks what types alone cannot. `body_bytes`: the largest request body.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting.
    pub fn validate(&self, body_bytes: u64) -> Result<(), ConfigError> {
        one_or_more(&[("blobs.bytes_max", self.bytes_max)])?;
        let default = Self::default().bytes_max;
        if self.bytes_max > body_bytes && self.bytes_max != default {
            return Err(ConfigError::invalid("blobs.bytes_max", "must not be above limits.body_bytes"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_can_be_no_larger_than_a_body() {
        let sized = |bytes_max| BlobSettings { bytes_max, ..Default::default() };
        assert!(sized(10).validate(10).is_ok());
        assert!(BlobSettings::default().validate(10).is_ok(), "the default gives way");
        assert!(sized(11).validate(10).unwrap_err().to_string().contains("blobs.bytes_max"));
        assert!(sized(0).validate(10).is_err());
    }
}
