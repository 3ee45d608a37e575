//! What one stretch of load came to.

use std::time::Duration;

use anyhow::{Result, bail};
use hdrhistogram::Histogram;

/// Latencies above this count as this.
const LONGEST: Duration = Duration::from_secs(60);

/// Errors of one stretch, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errors {
    /// Answers that were not the expected one.
    pub wrong: u64,
    /// Connections that broke, and bytes that are no HTTP.
    pub broken: u64,
    /// The first of them.
    pub first: Option<String>,
}

impl Errors {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.wrong + self.broken
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.first.is_none() {
            self.first = Some(text());
        }
    }
}

/// The measurements of one stretch of load.
#[derive(Debug)]
pub struct Outcome {
    /// Requests answered rightly.
    pub requests: u64,
    /// From the first request sent to the last answer read.
    pub elapsed: Duration,
    /// Connections that the server closed between two requests.
    pub reconnects: u64,
    /// What went wrong.
    pub errors: Errors,
    latencies: Histogram<u64>,
}

impl Outcome {
    /// An empty outcome.
    ///
    /// # Errors
    /// Never with these fixed bounds; the library's error is handed on all the same.
    pub fn new() -> Result<Self> {
        Ok(Self {
            requests: 0,
            elapsed: Duration::ZERO,
            reconnects: 0,
            errors: Errors::default(),
            latencies: Histogram::new_with_bounds(1, nanoseconds(LONGEST), 3)?,
        })
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        self.requests += 1;
        self.latencies.saturating_record(nanoseconds(latency).max(1));
    }

    /// Answers per second.
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The latency that `share` (0 to 1) of the answers did not exceed, in µs.
    pub fn quantile_us(&self, share: f64) -> f64 {
        self.latencies.value_at_quantile(share) as f64 / 1_000.0
    }

    /// The outcome, if every answer was right.
    ///
    /// # Errors
    /// Names the counts and the first error otherwise; also when there was no request at all.
    pub fn checked(self) -> Result<Self> {
        if let Some(first) = &self.errors.first {
            let Errors { wrong, broken, .. } = self.errors;
            bail!("{wrong} wrong answers, {broken} broken connections; the first: {first}");
        }
        if self.requests == 0 {
            bail!("not one request was answered");
        }
        Ok(self)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_rate_are_those_of_the_recorded_latencies() {
        let mut outcome = Outcome::new().unwrap();
        for milliseconds in 1..=1_000 {
            outcome.record(Duration::from_millis(milliseconds));
        }
        outcome.elapsed = Duration::from_secs(4);
        for (share, expected_us) in [(0.5, 500_000.0), (0.99, 990_000.0), (0.999, 999_000.0)] {
            let is = outcome.quantile_us(share);
            assert!((is - expected_us).abs() / expected_us < 0.001, "{share}: {is}");
        }
        assert!((outcome.per_second() - 250.0).abs() < 1e-9);
    }

    #[test]
    fn an_outcome_with_errors_or_without_requests_is_no_outcome() {
        assert!(Outcome::new().unwrap().checked().is_err());
        let mut outcome = Outcome::new().unwrap();
        outcome.record(Duration::from_millis(1));
        outcome.errors.wrong = 1;
        outcome.errors.note(|| "status 500".to_owned());
        let error = outcome.checked().unwrap_err().to_string();
        assert!(error.contains("1 wrong") && error.contains("status 500"), "{error}");
    }
}
