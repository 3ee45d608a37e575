//! How often a step of a job is tried, and how long it waits between.

use std::time::Duration;

use http::{StatusCode, header::RETRY_AFTER};
use layer_cache::Away;

use crate::fetch::Failure;

/// Tries of one step that fail in a row.
const TRIES: u32 = 8;
const WAIT_MIN: Duration = Duration::from_millis(250);
/// The longest wait, also where the origin asks for a longer one.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Waits for leases: 13 s at least. Few writers hold for longer, and a cache that has just come back settles meanwhile
/// (`proof.settle_ms` of doc-cache).
const UNLEASED_TRIES: u32 = 8;
/// The same where only a few ids have none: somebody writes them.
const FEW_UNLEASED_TRIES: u32 = 2;
const UNLEASED_MIN: Duration = Duration::from_millis(100);

/// The tries of one step.
#[derive(Debug, Default)]
pub struct Retry {
    failed: u32,
    unleased: u32,
}

impl Retry {
    /// How long to wait after a failure.
    ///
    /// # Errors
    /// Why the job fails: the failure lasts, or would come again.
    pub fn after(&mut self, failure: &Failure) -> Result<Duration, String> {
        self.failed += 1;
        if self.failed >= TRIES || !may_pass(failure) {
            return Err(failure.clone().refusal().to_string());
        }
        let own = jittered(doubled(WAIT_MIN, self.failed));
        Ok(asked_for(failure).map_or(own, |asked| asked.max(own)).min(WAIT_MAX))
    }

    /// How long to wait where the cache gave no lease for `left` of `asked` ids; `None`: go on without them.
    ///
    /// # Errors
    /// Why the job fails: the cache stays away.
    pub fn unleased(&mut self, left: usize, asked: usize, away: Option<Away>) -> Result<Option<Duration>, String> {
        self.unleased += 1;
        let tries = if left * 2 < asked { FEW_UNLEASED_TRIES } else { UNLEASED_TRIES };
        match away {
            _ if self.unleased <= tries => Ok(Some(jittered(doubled(UNLEASED_MIN, self.unleased)))),
            Some(away) => Err(format!("cache_cold: {away}")),
            None => Ok(None),
        }
    }
}

fn doubled(min: Duration, times: u32) -> Duration {
    min.saturating_mul(1 << (times - 1).min(10)).min(WAIT_MAX)
}

/// Between a half and the whole: what failed together is not tried again together.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + fastrand::f64() / 2.0)
}

fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Origin(told) => {
            told.status.is_server_error()
                || matches!(told.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
        }
        _ => true,
    }
}

/// What the origin asks for, where it does.
fn asked_for(failure: &Failure) -> Option<Duration> {
    let Failure::Origin(told) = failure else { return None };
    let seconds: u64 = told.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::fetch::Told;

    fn told(status: u16, retry_after: Option<&'static str>) -> Failure {
        let headers = retry_after.map(|value| (RETRY_AFTER, HeaderValue::from_static(value)));
        let status = StatusCode::from_u16(status).unwrap();
        Failure::Origin(Box::new(Told { status, headers: HeaderMap::from_iter(headers), body: Bytes::new() }))
    }

    #[test]
    fn what_would_come_again_ends_the_job_at_once() {
        for status in [400, 401, 404, 422] {
            assert!(Retry::default().after(&told(status, None)).unwrap_err().contains(&status.to_string()));
        }
    }

    #[test]
    fn the_origins_wish_is_obeyed_within_a_bound() {
        assert_eq!(Retry::default().after(&told(429, Some("3"))), Ok(Duration::from_secs(3)));
        assert_eq!(Retry::default().after(&told(503, Some("9999"))), Ok(WAIT_MAX));
        assert!(Retry::default().after(&told(503, Some("0"))).unwrap() >= WAIT_MIN / 2);
    }

    #[test]
    fn tries_are_bounded() {
        let mut retry = Retry::default();
        let waits = (0..100).map_while(|_| retry.after(&Failure::Timeout).ok()).count();
        assert_eq!(waits, TRIES as usize - 1);
        let mut retry = Retry::default();
        let away = Some(Away::NoReplica);
        assert!((0..100).find_map(|_| retry.unleased(9, 9, away).err()).unwrap().contains("cache_cold"));
        let mut retry = Retry::default();
        let waits = (0..100).map_while(|_| retry.unleased(1, 9, None).unwrap()).count();
        assert_eq!(waits, FEW_UNLEASED_TRIES as usize);
    }
}
