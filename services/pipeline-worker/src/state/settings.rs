//! Where state is kept.

use layer_service::config::{ConfigError, Secret, one_or_more};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dialect::Dialect;

/// The state store: PostgreSQL in production, SQLite for one process.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StateSettings {
    /// `postgres://…` or `sqlite://FILE`; a file that is not there is made. Unset: nothing works but what needs no state.
    pub url: Option<Secret>,
    /// Connections to PostgreSQL at the most. SQLite has one writer and gets one.
    pub connections_max: u32,
    /// Time to wait for a connection, in milliseconds.
    pub acquire_timeout_ms: u64,
    /// Time for one statement, in milliseconds.
    pub statement_timeout_ms: u64,
    /// How long a write may still reach the origin after it was allowed, in milliseconds: its deadline, the origin's
    /// longest write and a margin. Rows of older versions are deleted once more after it.
    pub late_write_ms: u64,
    /// How old an object must be that no row names before it is swept, in milliseconds.
    pub body_grace_ms: u64,
}

impl Default for StateSettings {
    fn default() -> Self {
        Self {
            url: None,
            // A transaction takes milliseconds: ten of them keep a database of 8 cores busy.
            connections_max: 10,
            acquire_timeout_ms: 5000,
            statement_timeout_ms: 10_000,
            // Twice the router's 75 s.
            late_write_ms: 150_000,
            body_grace_ms: 86_400_000,
        }
    }
}

impl StateSettings {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first setting that cannot be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.url.as_ref().is_some_and(|url| Dialect::of(url.reveal()).is_none()) {
            return Err(ConfigError::invalid("state.url", "must begin with `postgres://` or `sqlite://`"));
        }
        one_or_more(&[
            ("state.connections_max", u64::from(self.connections_max)),
            ("state.acquire_timeout_ms", self.acquire_timeout_ms),
            ("state.statement_timeout_ms", self.statement_timeout_ms),
            ("state.late_write_ms", self.late_write_ms),
        ])?;
        // A transaction checks a body's age before it names it, and must be over before the sweeper may come.
        let least = self.statement_timeout_ms.saturating_mul(20);
        if self.body_grace_ms < least {
            return Err(ConfigError::invalid(
                "state.body_grace_ms",
                format!("must be {least} or more: 20 statements' time"),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_makes_no_sense_by_name() {
        let refused = |change: fn(&mut StateSettings), name: &str| {
            let mut settings = StateSettings::default();
            change(&mut settings);
            let error = settings.validate().expect_err(name).to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        };
        StateSettings::default().validate().unwrap();
        refused(|s| s.url = Some(Secret::new("mysql://a")), "state.url");
        refused(|s| s.connections_max = 0, "state.connections_max");
        refused(|s| s.body_grace_ms = 199_999, "state.body_grace_ms");
    }
}
