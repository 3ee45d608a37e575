//! The handle against a fake of doc-cache, on a clock that only moves when everybody waits.

mod dns;
mod fake;
mod faults;
mod gathers;
mod keys;
mod reads;
mod tcp;
mod traces;
mod writes;

use std::time::Duration;

use layer_service::metrics::Metrics;
use tokio::time::{Instant, interval};

use crate::{
    BreakerState, Cache, CacheService, CacheSettings, Fill, GetOutcome, Gotten, Key, Lookup, Scope, State, Warmth,
};
use fake::Net;

/// A service on a fake network, warm unless nobody answers.
struct Mesh {
    net: Net,
    metrics: Metrics,
    service: CacheService,
    cache: Cache,
    scope: Scope,
}

impl Mesh {
    /// Replicas that are well.
    async fn of(count: u8) -> Self {
        Self::with(Net::of(count), |_| {}).await
    }

    async fn with(net: Net, change: impl FnOnce(&mut CacheSettings)) -> Self {
        let mesh = Self::cold(net, change);
        mesh.cache.warmth_changed(Warmth::Cold).await;
        mesh.all_probed().await;
        mesh
    }

    /// Without waiting for anybody.
    fn cold(net: Net, change: impl FnOnce(&mut CacheSettings)) -> Self {
        let mut settings = CacheSettings { addresses: vec!["doc-cache:8082".to_owned()], ..CacheSettings::default() };
        change(&mut settings);
        settings.validate().unwrap();
        let metrics = Metrics::default();
        let (dial, resolver) = (std::sync::Arc::new(net.clone()), std::sync::Arc::new(net.clone()));
        let service = CacheService::start_with(&settings, &metrics, dial, resolver);
        let cache = service.handle();
        let scope = cache.documents("n").unwrap();
        Self { net, metrics, service, cache, scope }
    }

    /// Waits until the name was looked up, and every replica found by it that answers has done so.
    async fn all_probed(&self) {
        self.cache.shared.resolved.subscribe().wait_for(|resolved| *resolved).await.unwrap();
        self.until(|mesh| mesh.state().connected >= mesh.net.well()).await;
    }

    async fn get(&self, keys: &[Key]) -> Gotten {
        self.cache.get(&self.scope, keys, None).await
    }

    async fn one(&self, id: u64) -> Lookup {
        let mut gotten = self.get(&[Key::uint(id)]).await;
        assert_eq!(gotten.lookups.len(), 1);
        gotten.lookups.pop().unwrap()
    }

    /// Gets and fills these, and waits until they are stored.
    async fn store(&self, ids: std::ops::Range<u64>) {
        let keys: Vec<Key> = ids.clone().map(Key::uint).collect();
        let gotten = self.get(&keys).await;
        assert_eq!(gotten.outcome, GetOutcome::Answered);
        let fill = |(key, lookup): (&Key, Lookup)| match lookup {
            Lookup::Miss(Some(lease)) => {
                Fill { key: key.clone(), lease, body: crate::Body::document(r#"{"id":1}"#), ttl: None }
            }
            other => panic!("no lease but {other:?}"),
        };
        self.cache.fill(&self.scope, keys.iter().zip(gotten.lookups).map(fill).collect());
        self.until(|mesh| mesh.net.backend().ttls.len() >= keys.len()).await;
        self.net.backend().ttls.clear();
    }

    /// Waits until the state is as asked, for two minutes at the most.
    async fn until(&self, is: impl Fn(&Self) -> bool) {
        let late = Instant::now() + Duration::from_secs(120);
        let mut looks = interval(Duration::from_millis(5));
        while !is(self) {
            assert!(Instant::now() < late, "it never came to that: {:?}", self.cache.state());
            looks.tick().await;
        }
    }

    fn state(&self) -> State {
        self.cache.state()
    }

    /// A series' line is on the page.
    #[track_caller]
    fn shows(&self, line: &str) {
        let page = self.metrics.text();
        assert!(page.contains(line), "{line}\n{page}");
    }
}

/// How long something took on the paused clock.
async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let result = future.await;
    (result, started.elapsed())
}

fn keys(ids: std::ops::Range<u64>) -> Vec<Key> {
    ids.map(Key::uint).collect()
}

fn is_hit(lookup: &Lookup) -> bool {
    matches!(lookup, Lookup::Hit(_))
}

fn has_lease(lookup: &Lookup) -> bool {
    matches!(lookup, Lookup::Miss(Some(_)))
}

const OPEN: BreakerState = BreakerState::Open;
const CLOSED: BreakerState = BreakerState::Closed;
