//! The Aerospike backend: the real client under the conformance suite and under faults, against the stand-in of `tests/`,
//! which speaks the server's wire. With LAYER_TEST_AEROSPIKE=host:port the suite runs against a real server (whose
//! namespace `hevlayer` must expire records); the faults need the stand-in's hand and do not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; helpers of tests too")]

mod conformance;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aerospike_stand_in::{Options, Restart, SetLimit, StandIn, StopWrites};
use async_trait::async_trait;
use conformance::{Case, DEADLINE, Fixture, LONG, body, fill, id, write};
use doc_cache::backend::{
    Backend, BackendError, Canary, Filled, Lookup,
    aerospike::{Aerospike, AerospikeSettings},
};
use layer_service::metrics::Metrics;
use tokio::time::{interval, sleep_until};

/// Between two canaries at most. Real time passes here, and a machine may stand still in it.
const LAPSE: Duration = Duration::from_secs(3);
/// What a call may take that is made again if it fails, or that is to fail.
const IMPATIENCE: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(20);

/// A backend with the server that it speaks to, where that is the test's own.
struct Own {
    backend: Arc<Aerospike>,
    metrics: Metrics,
    server: Option<StandIn>,
}

/// Whatever server the suite is to run against.
async fn any_server() -> Own {
    match std::env::var("LAYER_TEST_AEROSPIKE") {
        Ok(hosts) => connected(hosts, None).await,
        Err(_) => stand_in().await,
    }
}

async fn stand_in() -> Own {
    let server = StandIn::start(Options::default()).await.unwrap();
    connected(server.address().to_string(), Some(server)).await
}

async fn connected(hosts: String, server: Option<StandIn>) -> Own {
    let settings = AerospikeSettings { hosts, ..AerospikeSettings::default() };
    let metrics = Metrics::default();
    let own = Own { backend: Arc::new(Aerospike::start(&settings, &metrics).unwrap()), metrics, server };
    own.proven().await;
    own
}

impl Own {
    fn server(&self) -> &StandIn {
        self.server.as_ref().expect("a test of faults has a stand-in")
    }

    /// The first canary that goes through.
    async fn proven(&self) -> Canary {
        let end = Instant::now() + PATIENCE;
        let mut looks = interval(IMPATIENCE / 40);
        loop {
            looks.tick().await;
            match self.backend.canary(LAPSE, IMPATIENCE).await {
                Ok(canary) => return canary,
                Err(error) => assert!(Instant::now() < end, "no canary went through: {error}"),
            }
        }
    }
}

#[async_trait]
impl Fixture for Own {
    fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend) as _
    }

    async fn pass(&self, time: Duration) {
        // Two clocks tell the time of a record, the server's and ours, and the server may be a real one.
        sleep_until(tokio::time::Instant::now() + time).await;
    }

    fn lapse(&self) -> Duration {
        LAPSE
    }

    async fn refuse_writes(&self, refuse: bool) -> bool {
        let Some(server) = &self.server else { return false };
        server.control().stop_writes(if refuse { StopWrites::On } else { StopWrites::Off });
        true
    }

    fn too_large(&self) -> usize {
        1024 * 1024
    }
}

mod suite {
    use super::{any_server, conformance};

    crate::conformance!(any_server);
}

async fn case() -> Case<Own> {
    Case::new(stand_in().await).await
}

#[tokio::test]
async fn a_look_up_of_many_is_one_batch_and_its_leases_another() {
    let case = case().await;
    let ids: Vec<_> = (0..50).map(|n| id(&n.to_string())).collect();
    let control = case.fixture.server().control();
    case.get_all(&ids[..1]).await;
    control.reset_counters();
    let found = case.get_all(&ids).await;
    assert_eq!(control.counters().batches, 2, "reads, then leases");
    let fills = ids.iter().zip(found).map(|(key, lookup)| match lookup {
        Lookup::Miss(lease) => fill(std::str::from_utf8(key).unwrap(), lease, body("x")),
        other => panic!("{other:?}"),
    });
    case.backend.fill(&case.scope, fills.collect(), None, DEADLINE).await.unwrap();
    control.reset_counters();
    assert!(case.get_all(&ids).await.iter().all(|found| matches!(found, Lookup::Hit(_))));
    assert_eq!(control.counters().batches, 1, "hits are one batch");
    control.reset_counters();
    case.backend.hold(&case.scope, write(), &ids, LONG, DEADLINE).await.unwrap();
    assert_eq!(control.counters().batches, 1, "holds are one batch");
}

#[tokio::test]
async fn more_keys_than_a_server_takes_in_one_batch_are_cut() {
    let case = case().await;
    case.store("9999", "one").await;
    let ids: Vec<_> = (0..10_000).map(|n| id(&n.to_string())).collect();
    let (backend, scope, write) = (&case.backend, &case.scope, write());
    backend.hold(scope, write, &ids, LONG, PATIENCE).await.unwrap();
    assert_eq!(case.get("9999").await, Lookup::Held);
    backend.clear(scope, &ids, PATIENCE).await.unwrap();
    backend.release(scope, write, &ids, PATIENCE).await.unwrap();
    let found = backend.get(scope, &ids, PATIENCE).await.unwrap();
    assert!(found.len() == ids.len() && found.iter().all(|found| matches!(found, Lookup::Miss(_))));
}

#[tokio::test]
async fn every_refusal_of_a_write_leads_to_a_remove() {
    for refusal in ["overload", "set limit", "stop-writes"] {
        let case = case().await;
        case.store("k", "one").await;
        let control = case.fixture.server().control();
        match refusal {
            "overload" => control.device_overload(true),
            "set limit" => control.limit_set("tpuf_document", SetLimit { count: None, bytes: Some(1) }),
            _ => control.stop_writes(StopWrites::On),
        }
        case.hold(write(), "k", LONG).await;
        control.heal();
        case.proven_again().await;
        let found = case.get("k").await;
        assert!(!matches!(found, Lookup::Hit(_)), "{refusal}: {found:?}");
    }
}

#[tokio::test]
async fn nothing_is_filled_where_writes_are_refused() {
    let case = case().await;
    let lease = case.lease("k").await;
    case.fixture.server().control().stop_writes(StopWrites::On);
    assert_eq!(case.fill("k", lease, "one").await, Filled::StopWrites);
    assert_eq!(case.get("another").await, Lookup::Refused);
    let page = case.fixture.metrics.text();
    let line = "layer_aerospike_op_duration_seconds_count{operation=\"fill\",set=\"tpuf_document\",status=\"aerospike_stop_writes\"} 1";
    assert!(page.contains(line), "{page}");
}

#[tokio::test]
async fn a_server_that_came_back_with_old_records_serves_none_of_them() {
    for restart in [Restart::Resurrected, Restart::Keep, Restart::Empty] {
        let case = case().await;
        // A real server takes longer to come back than canaries lapse; this one is known by its uptime alone.
        case.fixture.server().control().set_uptime(Duration::from_secs(100));
        case.store("k", "one").await;
        let before = case.fixture.proven().await;
        case.hold(write(), "k", LONG).await;
        case.fixture.server().control().restart(restart);
        let after = case.fixture.proven().await;
        assert_ne!(before.epoch, after.epoch, "{restart:?}");
        let found = case.get("k").await;
        assert!(!matches!(found, Lookup::Hit(_)), "{restart:?}: {found:?}");
    }
}

#[tokio::test]
async fn between_a_restart_and_the_next_canary_nothing_is_served() {
    let case = case().await;
    case.store("k", "one").await;
    let control = case.fixture.server().control();
    control.mark();
    case.hold(write(), "k", LONG).await;
    // Older than the epoch that the last canary found: as a file of long ago.
    let epoch = case.fixture.proven().await.epoch;
    case.fixture.pass(2 * LAPSE).await;
    assert_ne!(case.fixture.proven().await.epoch, epoch);
    control.restart(Restart::Marked);
    let end = Instant::now() + PATIENCE;
    let found = loop {
        match case.backend.get(&case.scope, &[id("k")], IMPATIENCE).await {
            Ok(found) => break found,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
    };
    assert_eq!(found, [Lookup::Refused], "the record's epoch is not the canary's");
}

#[tokio::test]
async fn a_server_that_does_not_answer_costs_the_deadline() {
    let case = case().await;
    case.store("k", "one").await;
    case.fixture.server().control().black_hole(true);
    let started = Instant::now();
    let answer = case.backend.get(&case.scope, &[id("k")], Duration::from_millis(50)).await;
    assert_eq!(answer, Err(BackendError::Timeout));
    assert!(started.elapsed() < PATIENCE);
    case.fixture.server().control().heal();
    case.proven_again().await;
    case.get("k").await;
}

#[tokio::test]
async fn a_broken_connection_is_made_again_for_ever() {
    let case = case().await;
    let control = case.fixture.server().control();
    control.refuse_connections(true);
    let answer = case.backend.get(&case.scope, &[id("k")], Duration::from_millis(50)).await;
    assert!(answer.is_err(), "{answer:?}");
    control.refuse_connections(false);
    case.proven_again().await;
    assert!(case.backend.connected());
    case.store("k", "one").await;
    case.assert_hit("k", "one").await;
}

#[tokio::test]
async fn noise_is_no_answer() {
    let case = case().await;
    case.store("k", "one").await;
    case.fixture.server().control().garbage(true);
    let answer = case.backend.get(&case.scope, &[id("k")], IMPATIENCE).await;
    assert!(answer.is_err(), "{answer:?}");
    case.fixture.server().control().heal();
    case.proven_again().await;
}

#[tokio::test]
async fn a_touch_that_was_long_on_its_way_does_not_hide_an_outage() {
    let case = case().await;
    let before = case.fixture.proven().await;
    // This replica's own canary went through just now, by its own clock; the server has seen none for long.
    case.fixture.server().control().advance_clock(10 * LAPSE);
    let after = case.backend.canary(LAPSE, DEADLINE).await.unwrap();
    assert_ne!(before.epoch, after.epoch);
}

#[tokio::test]
async fn names_that_nobody_uses_go_some_day() {
    let case = case().await;
    let control = case.fixture.server().control();
    case.get("k").await;
    case.backend.hold_namespace(&case.scope, write(), LONG, DEADLINE).await.unwrap();
    control.advance_clock(Duration::from_secs(31 * 24 * 60 * 60));
    assert_eq!(case.backend.inspect(&case.scope, &id("k"), DEADLINE).await.unwrap().generation, None);
}

#[tokio::test]
async fn an_evicted_key_is_a_miss_and_its_leases_end() {
    let case = case().await;
    let lease = case.lease("k").await;
    case.fixture.server().control().evict_all();
    assert_eq!(case.fill("k", lease, "stale").await, Filled::LeaseEnded);
    case.proven_again().await;
    case.assert_miss("k").await;
}

#[tokio::test]
async fn without_a_server_calls_fail_at_once() {
    // Bound and never listened on: nobody answers there while the test runs.
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = AerospikeSettings { hosts: unused.to_string(), ..AerospikeSettings::default() };
    let backend = Aerospike::start(&settings, &Metrics::default()).unwrap();
    let scope = doc_cache::backend::Scope {
        tenant: "store".to_owned(),
        namespace: "ns".to_owned(),
        kind: doc_cache::backend::Kind::Document,
    };
    let answer = backend.get(&scope, &[id("k")], DEADLINE).await;
    assert!(matches!(answer, Err(BackendError::Unavailable(_))), "{answer:?}");
    assert!(!backend.connected());
}

impl Case<Own> {
    /// A canary and then a namespace that can be looked up.
    async fn proven_again(&self) -> Canary {
        self.fixture.proven().await
    }
}

/// Each replica keeps to its share, so that all together keep to the bound.
#[tokio::test]
async fn replicas_share_a_bound() {
    let server = StandIn::start(Options::default()).await.unwrap();
    let settings = AerospikeSettings { hosts: server.address().to_string(), ..AerospikeSettings::default() };
    let metrics = Metrics::default();
    let backend = Arc::new(Aerospike::start(&settings, &metrics).unwrap().one_of(2));
    let own = Own { backend, metrics, server: Some(server) };
    own.proven().await;
    let case = Case::new(own).await;
    let mut stored = Vec::new();
    for key in ["a", "b", "c"] {
        let fill = fill(key, case.lease(key).await, body(&"x".repeat(1000)));
        stored.extend(case.backend.fill(&case.scope, vec![fill], Some(4 * 1400), DEADLINE).await.unwrap());
    }
    assert_eq!(stored, [Filled::Stored, Filled::Stored, Filled::OverQuota]);
}
