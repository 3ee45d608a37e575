//! The bounds of functions.

use layer_service::config::{ConfigError, one_or_more};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Functions: how their rows are searched for and handed out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FunctionsSettings {
    /// How often this process looks for functions whose rounds are due, in milliseconds.
    pub poll_ms: u64,
    /// Rows of one page of a search.
    pub page_rows: u32,
    /// Pages that this process reads at a time, of all functions together.
    pub scans_max: u32,
    /// Time for a page, in milliseconds. After it another replica may take the namespace over.
    pub page_timeout_ms: u64,
    /// The search for a function's rows stands still while so many of them wait.
    pub waiting_max: u32,
    /// No search begins at an interval while more rows than this are ready.
    pub ready_max: u32,
    /// Time for one call to the router on behalf of a caller, in milliseconds.
    pub router_timeout_ms: u64,
    /// How long a write may still reach the origin after its lease was looked at, in milliseconds: leases last that long.
    pub write_ms: u64,
    /// Calls to the router that one call makes at a time.
    pub fan_out: u32,
    /// Claims that wait for an item at a time.
    pub waits_max: u32,
    /// Searches that callers have asked for, at a time.
    pub discovers_max: u32,
    /// Claims that wait look again after this time, in milliseconds.
    pub wait_poll_ms: u64,
    /// For how long it is known which functions want to be told of writes, in milliseconds.
    pub triggers_ms: u64,
}

impl Default for FunctionsSettings {
    fn default() -> Self {
        Self {
            poll_ms: 1000,
            page_rows: 1000,
            scans_max: 8,
            page_timeout_ms: 30_000,
            waiting_max: 100_000,
            ready_max: 1000,
            router_timeout_ms: 20_000,
            // The router's 60 s for a write, and the origin's own time in it.
            write_ms: 75_000,
            fan_out: 8,
            waits_max: 256,
            discovers_max: 4,
            wait_poll_ms: 250,
            triggers_ms: 5000,
        }
    }
}

impl FunctionsSettings {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first setting that cannot be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        one_or_more(&[
            ("functions.poll_ms", self.poll_ms),
            ("functions.page_rows", u64::from(self.page_rows)),
            ("functions.scans_max", u64::from(self.scans_max)),
            ("functions.page_timeout_ms", self.page_timeout_ms),
            ("functions.waiting_max", u64::from(self.waiting_max)),
            ("functions.ready_max", u64::from(self.ready_max)),
            ("functions.router_timeout_ms", self.router_timeout_ms),
            ("functions.write_ms", self.write_ms),
            ("functions.fan_out", u64::from(self.fan_out)),
            ("functions.waits_max", u64::from(self.waits_max)),
            ("functions.discovers_max", u64::from(self.discovers_max)),
            ("functions.wait_poll_ms", self.wait_poll_ms),
            ("functions.triggers_ms", self.triggers_ms),
        ])?;
        if self.page_rows > 10_000 {
            return Err(ConfigError::invalid(
                "functions.page_rows",
                "must be 10000 at most: the origin's largest page",
            ));
        }
        if self.ready_max >= self.waiting_max {
            return Err(ConfigError::invalid("functions.ready_max", "must be less than functions.waiting_max"));
        }
        if self.write_ms > 3_600_000 {
            return Err(ConfigError::invalid("functions.write_ms", "must be 3600000 at most: leases last that long"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_makes_no_sense_by_name() {
        let refused = |change: fn(&mut FunctionsSettings), name: &str| {
            let mut settings = FunctionsSettings::default();
            change(&mut settings);
            let error = settings.validate().expect_err(name).to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        };
        FunctionsSettings::default().validate().unwrap();
        refused(|s| s.poll_ms = 0, "functions.poll_ms");
        refused(|s| s.page_rows = 10_001, "functions.page_rows");
        refused(|s| s.ready_max = 100_000, "functions.ready_max");
        refused(|s| s.write_ms = 3_600_001, "functions.write_ms");
    }
}
