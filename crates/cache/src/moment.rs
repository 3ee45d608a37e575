//! Moments that age while the machine is suspended.
//!
//! How long a router was silent decides whether it may be silent for longer: doc-cache's replicas settle by a clock that
//! runs on in a suspension, so the silence must be measured by one too.

use std::time::Duration;

use layer_service::clock::since_boot;
use tokio::time::Instant;

/// A moment, by tokio's clock, which tests move, and by the one that runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    at: Instant,
    since_boot: Duration,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { at: Instant::now(), since_boot: since_boot() }
    }

    /// How long ago it was, by whichever clock says more.
    pub(crate) fn age(&self) -> Duration {
        self.at.elapsed().max(since_boot().saturating_sub(self.since_boot))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use layer_service::metrics::Metrics;

    use super::*;
    use crate::{channels::TcpDial, settings::CacheSettings, shared::Shared};

    /// As if the machine had been suspended for `time` after this moment.
    fn suspended(moment: Moment, time: Duration) -> Moment {
        Moment { since_boot: moment.since_boot.saturating_sub(time), ..moment }
    }

    #[tokio::test]
    async fn a_router_that_was_suspended_may_not_be_silent_any_longer() {
        let settings = CacheSettings::default();
        let dial = Arc::new(TcpDial::new(&settings).unwrap());
        let shared = Shared::new(settings, &Metrics::default(), dial);
        let now = Moment::now();
        shared.found(&[], now);
        shared.write_failed(now);
        assert!(shared.may_skip());
        *shared.refused_at.lock().unwrap() = Some(suspended(now, Duration::from_secs(3)));
        assert!(!shared.may_skip());
    }
}
