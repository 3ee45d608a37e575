//! Settings: one tree, filled from defaults, a TOML file, the environment and flags, in that order.
//!
//! Every setting has one name, its path (`limits.body_bytes`), from which the flag (`--limits-body-bytes`) and the
//! environment variable (`LAYER_LIMITS_BODY_BYTES`) follow; the list of settings, their help and the reference in
//! `docs/configuration.md` all come from the types, so that none can be forgotten. Settings are read and checked once,
//! before anything is started: what is unknown or wrong is refused by name, and the process exits with 64 (EX_USAGE).
//! Nothing else in a service reads the environment.

mod environment;
mod leaf;
mod load;
mod loopback;
mod reference;
mod secret;
mod sections;

pub use environment::{Environment, ProcessEnvironment};
pub use load::{Loaded, Sources, given, load};
pub use loopback::is_loopback;
pub use reference::reference;
pub use secret::{Secret, printable_url};
pub use sections::{
    AccessSettings, AdminSettings, DrainSettings, LimitSettings, ListenSettings, LogFormat, LogSettings,
    TelemetrySettings, TlsSettings, one_or_more,
};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

/// The exit code for a wrong setting (sysexits.h EX_USAGE).
pub const EXIT_USAGE: i32 = 64;

/// A tree of settings of one service.
pub trait Settings: Serialize + DeserializeOwned + JsonSchema + Default {
    /// Checks what types alone cannot: ranges, and settings that only make sense together.
    fn validate(&self) -> Result<(), ConfigError>;
}

/// A setting that cannot be used. The message names the setting, where it came from and what is accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No setting has this name.
    #[error("unknown setting `{name}` in {origin}{}", suggestion(.near))]
    Unknown {
        /// The name as it was written.
        name: String,
        /// Where it was written: a file's name, "the environment", "the flags".
        origin: String,
        /// A setting with a similar name.
        near: Option<String>,
    },
    /// The value is of the wrong type or out of range.
    #[error("setting `{name}`: {reason}")]
    Invalid {
        /// The setting's path.
        name: String,
        /// What is wrong, and what is accepted.
        reason: String,
    },
    /// The file cannot be read or is not TOML.
    #[error("configuration file {file}: {reason}")]
    File {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A flag is unknown or lacks its value; also carries the text of `--help` and `--version`.
    #[error("{0}")]
    Flags(#[from] clap::Error),
}

impl ConfigError {
    /// A wrong value of the setting `name`.
    pub fn invalid(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { name: name.into(), reason: reason.into() }
    }
}

fn suggestion(near: &Option<String>) -> String {
    near.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
