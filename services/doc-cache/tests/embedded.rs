//! The embedded backend under the conformance suite, in memory and with a directory; and its own bounds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; helpers of tests too")]

mod conformance;

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use conformance::{DEADLINE, Fixture, LONG, body, fill, id, write};
use doc_cache::{
    backend::{
        Backend, Body, Fill, Filled, Kind, Lookup, Scope,
        embedded::{Embedded, EmbeddedOptions},
    },
    clock::Clock,
};
use layer_service::metrics::Metrics;

const MIB: u64 = 1024 * 1024;

/// A clock that stands still until it is moved.
#[derive(Default)]
struct Hand(Mutex<Duration>);

impl Clock for Hand {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

/// An embedded backend with its clock, its metrics and, if it has one, its directory.
struct Own {
    backend: Arc<Embedded>,
    clock: Arc<Hand>,
    metrics: Metrics,
    _directory: Option<tempfile::TempDir>,
}

fn options() -> EmbeddedOptions {
    EmbeddedOptions { memory_bytes: 64 * MIB, records_bytes: 16 * MIB, disk: None, value_bytes_max: MIB }
}

async fn open(options: EmbeddedOptions) -> Own {
    let (clock, metrics) = (Arc::new(Hand(Mutex::new(Duration::from_secs(1000)))), Metrics::default());
    let backend = Embedded::open(options, Arc::clone(&clock) as _, &metrics).await.unwrap();
    Own { backend: Arc::new(backend), clock, metrics, _directory: None }
}

async fn in_memory() -> Own {
    open(options()).await
}

#[async_trait]
impl Fixture for Own {
    fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend) as _
    }

    async fn pass(&self, time: Duration) {
        *self.clock.0.lock().unwrap() += time;
    }

    fn lapse(&self) -> Duration {
        Duration::from_millis(500)
    }

    async fn refuse_writes(&self, refuse: bool) -> bool {
        self.backend.refuse_writes(refuse);
        true
    }

    fn too_large(&self) -> usize {
        usize::try_from(MIB).unwrap() + 1
    }
}

mod memory {
    use super::{conformance, in_memory};

    crate::conformance!(in_memory);
}

/// With a memory so small that most values are on the disk.
async fn on_disk() -> Own {
    let directory = tempfile::tempdir().unwrap();
    let options =
        EmbeddedOptions { memory_bytes: 16 * MIB, disk: Some((directory.path().to_owned(), 64 * MIB)), ..options() };
    Own { _directory: Some(directory), ..open(options).await }
}

mod directory {
    use super::{conformance, on_disk};

    crate::conformance!(on_disk);
}

fn scope() -> Scope {
    Scope { tenant: "store".to_owned(), namespace: "bounds".to_owned(), kind: Kind::Document }
}

/// Stores `count` values of `bytes` bytes under numbered keys, and gives how many were stored.
async fn store(own: &Own, keys: std::ops::Range<usize>, bytes: usize) {
    let ids: Vec<_> = keys.map(|at| id(&format!("key-{at}"))).collect();
    for ids in ids.chunks(1000) {
        let found = own.backend.get(&scope(), ids, DEADLINE).await.unwrap();
        let fills = ids.iter().zip(found).filter_map(|(id, lookup)| match lookup {
            Lookup::Miss(lease) => {
                let data = Bytes::from(vec![b'x'; bytes]);
                Some(Fill { id: id.clone(), lease, body: Body { data, ..body("") }, ttl: LONG })
            }
            _ => None,
        });
        own.backend.fill(&scope(), fills.collect(), None, DEADLINE).await.unwrap();
    }
}

async fn hits(own: &Own, keys: std::ops::Range<usize>) -> usize {
    let ids: Vec<_> = keys.map(|at| id(&format!("key-{at}"))).collect();
    let found = own.backend.get(&scope(), &ids, DEADLINE).await.unwrap();
    found.iter().filter(|lookup| matches!(lookup, Lookup::Hit(_))).count()
}

#[tokio::test]
async fn memory_is_bounded_and_what_goes_is_a_miss_with_a_lease() {
    let own = open(EmbeddedOptions { memory_bytes: 16 * MIB, ..options() }).await;
    store(&own, 0..30_000, 1024).await;
    let usage = own.backend.usage();
    assert!(usage.bytes.unwrap() <= usage.capacity_bytes.unwrap(), "{usage:?}");
    let (entries, evictions) = (usage.entries.unwrap(), usage.evictions.unwrap());
    assert!((10_000..13_000).contains(&entries), "{usage:?}");
    assert!(entries + evictions >= 30_000, "{usage:?}");
    assert_eq!(hits(&own, 0..30_000).await as u64, entries);
    let found = own.backend.get(&scope(), &[id("key-0"), id("key-1")], DEADLINE).await.unwrap();
    assert!(found.iter().all(|lookup| matches!(lookup, Lookup::Miss(_) | Lookup::Hit(_))));
}

#[tokio::test]
async fn records_are_bounded_and_take_their_values_along() {
    let own = open(EmbeddedOptions { records_bytes: MIB, ..options() }).await;
    store(&own, 0..20_000, 10).await;
    let usage = own.backend.usage();
    assert!(usage.entries.unwrap() < 10_000, "{usage:?}");
    assert!(usage.evictions.unwrap() > 10_000, "{usage:?}");
    // Looking up what is gone would make room for it anew.
    let mut stored = 0;
    for at in 0..20_000 {
        let found = own.backend.inspect(&scope(), &id(&format!("key-{at}")), DEADLINE).await.unwrap();
        stored += u64::from(found.stored.is_some());
    }
    assert_eq!(stored, usage.entries.unwrap());
}

#[tokio::test]
async fn held_records_go_last_and_are_counted_when_they_do() {
    let own = open(EmbeddedOptions { records_bytes: MIB, ..options() }).await;
    let held: Vec<_> = (0..1000).map(|at| id(&format!("held-{at}"))).collect();
    own.backend.hold(&scope(), write(), &held, LONG, DEADLINE).await.unwrap();
    store(&own, 0..50_000, 10).await;
    let found = own.backend.get(&scope(), &held, DEADLINE).await.unwrap();
    assert!(found.iter().all(|lookup| *lookup == Lookup::Held));
    assert!(own.metrics.text().contains("layer_cache_held_evictions_total 0"));
    let flood: Vec<_> = (0..50_000).map(|at| id(&format!("flood-{at}"))).collect();
    own.backend.hold(&scope(), write(), &flood, LONG, DEADLINE).await.unwrap();
    assert!(!own.metrics.text().contains("layer_cache_held_evictions_total 0"));
}

#[tokio::test]
async fn a_lease_of_a_record_that_went_is_ended() {
    let own = open(EmbeddedOptions { records_bytes: MIB, ..options() }).await;
    let Lookup::Miss(lease) = own.backend.get(&scope(), &[id("k")], DEADLINE).await.unwrap().remove(0) else {
        panic!("a miss")
    };
    store(&own, 0..50_000, 10).await;
    let filled = own.backend.fill(&scope(), vec![fill("k", lease, body("stale"))], None, DEADLINE).await.unwrap();
    assert_eq!(filled, [Filled::LeaseEnded]);
}

#[tokio::test]
async fn namespaces_are_bounded_and_one_that_went_is_purged() {
    let own = open(EmbeddedOptions { records_bytes: MIB, ..options() }).await;
    store(&own, 0..10, 10).await;
    for at in 0..5000 {
        let other = Scope { namespace: format!("other-{at}"), ..scope() };
        own.backend.get(&other, &[], DEADLINE).await.unwrap();
    }
    assert_eq!(hits(&own, 0..10).await, 0);
}

#[tokio::test]
async fn a_cleared_value_does_not_come_back_from_the_directory() {
    let own = on_disk().await;
    store(&own, 0..200, 200_000).await;
    let ids: Vec<_> = (0..200).map(|at| id(&format!("key-{at}"))).collect();
    own.backend.clear(&scope(), &ids, DEADLINE).await.unwrap();
    assert_eq!(hits(&own, 0..200).await, 0);
    assert_eq!(own.backend.usage().entries, Some(0));
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_an_error_and_no_panic() {
    let options = EmbeddedOptions { disk: Some((Path::new("/dev/null/x").to_owned(), 64 * MIB)), ..options() };
    let opened = Embedded::open(options, Arc::new(Hand::default()), &Metrics::default()).await;
    assert!(opened.is_err());
}

/// A namespace that is written all the time keeps its room: what a write clears is given back, to the byte.
#[tokio::test]
async fn a_bound_counts_what_is_there_and_nothing_else() {
    let own = in_memory().await;
    let fill_one = async |key: usize| {
        let key = format!("key-{key}");
        let Lookup::Miss(lease) = own.backend.get(&scope(), &[id(&key)], DEADLINE).await.unwrap().remove(0) else {
            panic!("no lease for {key}")
        };
        let data = Bytes::from(vec![b'x'; 1000]);
        let fill = Fill { id: id(&key), lease, body: Body { data, ..body("") }, ttl: LONG };
        own.backend.fill(&scope(), vec![fill], Some(14_000), DEADLINE).await.unwrap()[0]
    };
    for key in 0..10 {
        assert_eq!(fill_one(key).await, Filled::Stored);
    }
    for _ in 0..1000 {
        let held = write();
        own.backend.hold(&scope(), held, &[id("key-0")], LONG, DEADLINE).await.unwrap();
        own.backend.release(&scope(), held, &[id("key-0")], DEADLINE).await.unwrap();
        assert_eq!(fill_one(0).await, Filled::Stored);
    }
    assert_eq!(hits(&own, 0..10).await, 10);
    assert!(own.metrics.text().contains("layer_cache_quota_evictions_total 0"));
    assert_eq!(fill_one(10).await, Filled::Stored);
    assert_eq!((hits(&own, 1..2).await, hits(&own, 2..11).await), (0, 9), "the oldest goes");
    assert!(own.metrics.text().contains("layer_cache_quota_evictions_total 1"));
    assert_eq!(own.backend.usage().entries, Some(10));
}

/// What a purge made void is the oldest: it goes for what comes.
#[tokio::test]
async fn a_purged_namespace_can_be_filled_anew_within_its_bound() {
    let own = in_memory().await;
    for round in 0..5 {
        own.backend.purge_namespace(&scope().tenant, &scope().namespace, DEADLINE).await.unwrap();
        let ids: Vec<_> = (0..10).map(|at| id(&format!("{round}-{at}"))).collect();
        let found = own.backend.get(&scope(), &ids, DEADLINE).await.unwrap();
        let fills = ids.iter().zip(found).filter_map(|(id, lookup)| match lookup {
            Lookup::Miss(lease) => Some(Fill { id: id.clone(), ..fill("", lease, body(&"x".repeat(1000))) }),
            _ => None,
        });
        let filled = own.backend.fill(&scope(), fills.collect(), Some(14_000), DEADLINE).await.unwrap();
        assert_eq!(filled, [Filled::Stored; 10]);
        let found = own.backend.get(&scope(), &ids, DEADLINE).await.unwrap();
        assert!(found.iter().all(|lookup| matches!(lookup, Lookup::Hit(_))), "round {round}");
    }
}
