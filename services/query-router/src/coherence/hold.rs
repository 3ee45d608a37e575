//! The hold of one write, from before its first byte to the origin's definite answer.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use layer_cache::{Affects, Cache, Outcome, Refused, Scope, Untold, Write};
use tokio::time::timeout;

use super::{gate::Gate, observe::Counts};
use crate::{clock, refusal::Refusal};

/// The part of a hold's time that may pass before the body has left: the rest is for the origin's longest write. With the
/// default of 75 s it is 15 s, and 60 s are left.
const SLACK_DIVISOR: u32 = 5;

/// A write that the cache knows of. Dropped before [`Hold::finish`], its outcome is unknown: it runs out.
pub struct Hold {
    cache: Cache,
    scope: Scope,
    affects: Affects,
    write: Option<Write>,
    gate: Arc<Gate>,
    counts: Counts,
}

impl Hold {
    /// Tells the cache of a write that is about to be sent. `stands`: how long the cache keeps a hold.
    ///
    /// # Errors
    /// [`Refused`]: the write must not be sent.
    pub async fn place(
        cache: &Cache,
        scope: Scope,
        affects: Affects,
        stands: Duration,
        deadline: Option<Instant>,
        counts: &Counts,
    ) -> Result<Self, Refused> {
        // The gate's time begins before the hold's: it never closes too late.
        let gate = Arc::new(Gate::new(deadline, stands / SLACK_DIVISOR));
        let write = begin(cache, &scope, &affects, deadline, counts).await?;
        Ok(Self { cache: cache.clone(), scope, affects, write: Some(write), gate, counts: counts.clone() })
    }

    /// What the write's body must pass.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// What is held.
    pub fn affects(&self) -> &Affects {
        &self.affects
    }

    /// Waits for `work`, which sends the write, and renews the hold while the body is still on its way.
    pub async fn kept_during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        while !self.gate.is_complete() {
            if let Ok(done) = timeout(self.gate.slack() / 2, work.as_mut()).await {
                return done;
            }
            if !self.gate.is_complete() && !self.gate.is_late() {
                self.renew().await;
            }
        }
        work.await
    }

    /// Places the hold anew and lets the older one go, unless it stands and the new one could not be placed.
    ///
    /// Where the write must not go on without a hold (`strict`), the gate closes in time. Else it stays open also where
    /// nothing was placed: a cache that is away breaks no upload off, whether it went before the write began or since. Such a
    /// write is one whose hold could not be placed, which clears what it changed before it is acknowledged. What the
    /// gate is for, a process that stands still, it sees all the same: then nobody renews it.
    async fn renew(&mut self) {
        let asked = clock::boot_ms();
        let Ok(write) = begin(&self.cache, &self.scope, &self.affects, None, &self.counts).await else { return };
        self.gate.renew(asked);
        // One that was not placed protects nothing; what is left of the older one does.
        let stands = self.write.as_ref().is_some_and(Write::is_held);
        let goes = if stands && !write.is_held() { Some(write) } else { self.write.replace(write) };
        if let Some(goes) = goes {
            // Nothing changed by it, so nothing is owed.
            let _ = goes.finish(Outcome::Nothing).await;
        }
    }

    /// The origin has answered definitely: tells the cache, which must come before the caller's answer.
    ///
    /// # Errors
    /// [`Untold`]: the write must not be acknowledged.
    pub async fn finish(mut self, outcome: Outcome) -> Result<(), Untold> {
        let Some(write) = self.write.take() else { return Ok(()) };
        self.counts.ended(match outcome {
            Outcome::Nothing => "nothing",
            Outcome::Changed(_) => "changed",
            Outcome::ChangedUnknown => "purged",
        });
        let started = Instant::now();
        let told = write.finish(outcome).await;
        self.counts.waited("release", started.elapsed());
        told
    }
}

impl From<Untold> for Refusal {
    fn from(untold: Untold) -> Self {
        Self::CacheAway(untold.to_string())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.write.is_some() {
            self.counts.ended("unknown");
        }
    }
}

async fn begin(
    cache: &Cache,
    scope: &Scope,
    affects: &Affects,
    deadline: Option<Instant>,
    counts: &Counts,
) -> Result<Write, Refused> {
    let of = match affects {
        Affects::Keys(_) => "keys",
        Affects::Namespace => "namespace",
    };
    let started = Instant::now();
    let begun = cache.begin(scope, affects.clone(), deadline).await;
    let result = match &begun {
        Ok(write) if write.is_held() => "held",
        Ok(_) => "unheld",
        Err(_) => "refused",
    };
    counts.held(of, result, started);
    begun
}

#[cfg(test)]
mod tests {
    use layer_cache::{CacheService, CacheSettings, Coherence};
    use layer_service::metrics::Metrics;

    use super::*;

    /// A cache that nobody answers for.
    fn away(coherence: Coherence) -> CacheService {
        let addresses = vec!["127.0.0.1:1".to_owned()];
        CacheService::start(&CacheSettings { addresses, coherence, ..CacheSettings::default() }, &Metrics::default())
            .unwrap()
    }

    async fn placed(service: &CacheService) -> Result<Hold, Refused> {
        let (cache, stands) = (service.handle(), Duration::from_secs(50));
        let scope = cache.documents("n").unwrap();
        Hold::place(&cache, scope, Affects::Namespace, stands, None, &Counts::new(&Metrics::default())).await
    }

    /// Makes the hold that old.
    fn age(hold: &Hold, seconds: u64) {
        hold.gate.renew(clock::boot_ms() - seconds * 1000);
    }

    #[tokio::test]
    async fn a_cache_that_is_away_breaks_no_upload_off_unless_the_write_needs_its_hold() {
        let service = away(Coherence::Available);
        let mut hold = placed(&service).await.unwrap();
        age(&hold, 9);
        hold.renew().await;
        assert!(hold.gate.pass().is_ok());
        assert!(hold.gate.age_ms() < 9000, "its time begins anew");

        // Held before the cache went away, as far as the gate knows.
        let service = away(Coherence::Strict);
        assert!(placed(&service).await.is_err());
        hold.cache = service.handle();
        age(&hold, 9);
        hold.renew().await;
        assert!(hold.gate.age_ms() >= 9000, "it closes in its time");
    }
}
