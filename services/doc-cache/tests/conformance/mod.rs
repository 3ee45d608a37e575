//! What every backend must do, as tests that run against any of them.
//!
//! Each case is one rule of `doc_cache::backend` (and so of docs/adr/0004-cache-coherence.md). A backend's own test file
//! has a [`Fixture`] and says `conformance!(make)`, where `make` is an async function that gives one; each case gets one
//! of its own, and a namespace of its own in it.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod epochs;
pub mod keys;
pub mod namespaces;
pub mod quotas;
pub mod refusals;
pub mod stress;
pub mod values;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use doc_cache::backend::{Backend, Body, Fill, Filled, Id, Kind, Lease, Lookup, Scope, WriteId};

/// How long a call may take.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// A hold that stands as long as any test.
pub const LONG: Duration = Duration::from_secs(75);
/// A hold or a value that runs out in a test.
pub const SHORT: Duration = Duration::from_secs(2);
/// Longer than [`SHORT`].
pub const AFTER_SHORT: Duration = Duration::from_millis(2500);

/// A backend, and what can be done to it from outside.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The backend, which must be reachable.
    fn backend(&self) -> Arc<dyn Backend>;

    /// Lets time pass: moves the backend's clock, or waits.
    async fn pass(&self, time: Duration);

    /// Between two canaries at most: where `pass` waits, far longer than a machine may stand still.
    fn lapse(&self) -> Duration;

    /// Makes the backend refuse writes, or take them again; false where that cannot be done.
    async fn refuse_writes(&self, refuse: bool) -> bool;

    /// A size in bytes that is over the record limit.
    fn too_large(&self) -> usize;
}

/// One namespace of a fixture.
pub struct Case<F: Fixture> {
    pub fixture: F,
    pub backend: Arc<dyn Backend>,
    pub scope: Scope,
}

impl<F: Fixture> Case<F> {
    /// A namespace that no other case has, also in a run before on the same server, after a canary.
    pub async fn new(fixture: F) -> Self {
        let backend = fixture.backend();
        backend.canary(fixture.lapse(), DEADLINE).await.expect("the backend takes a canary");
        let namespace = format!("conformance-{:032x}", u128::from_be_bytes(write()));
        let scope = Scope { tenant: "store".to_owned(), namespace, kind: Kind::Document };
        Self { fixture, backend, scope }
    }

    pub async fn get_all(&self, ids: &[Id]) -> Vec<Lookup> {
        self.get_in(&self.scope, ids).await
    }

    pub async fn get_in(&self, scope: &Scope, ids: &[Id]) -> Vec<Lookup> {
        let found = self.backend.get(scope, ids, DEADLINE).await.expect("get");
        assert_eq!(found.len(), ids.len());
        found
    }

    pub async fn get(&self, key: &str) -> Lookup {
        self.get_all(&[id(key)]).await.remove(0)
    }

    /// The lease of a miss.
    pub async fn lease(&self, key: &str) -> Lease {
        match self.get(key).await {
            Lookup::Miss(lease) => lease,
            other => panic!("no lease for {key}: {other:?}"),
        }
    }

    pub async fn fill(&self, key: &str, lease: Lease, value: &str) -> Filled {
        self.fill_one(fill(key, lease, body(value))).await
    }

    pub async fn fill_one(&self, fill: Fill) -> Filled {
        let filled = self.backend.fill(&self.scope, vec![fill], None, DEADLINE).await.expect("fill");
        assert_eq!(filled.len(), 1);
        filled[0]
    }

    /// Looks up and fills in.
    pub async fn store(&self, key: &str, value: &str) {
        let lease = self.lease(key).await;
        assert_eq!(self.fill(key, lease, value).await, Filled::Stored);
    }

    pub async fn hold(&self, write: WriteId, key: &str, stands: Duration) {
        self.backend.hold(&self.scope, write, &[id(key)], stands, DEADLINE).await.expect("hold");
    }

    pub async fn release(&self, write: WriteId, key: &str) {
        self.backend.release(&self.scope, write, &[id(key)], DEADLINE).await.expect("release");
    }

    pub async fn clear(&self, key: &str) {
        self.backend.clear(&self.scope, &[id(key)], DEADLINE).await.expect("clear");
    }

    pub async fn hold_namespace(&self, write: WriteId, stands: Duration) {
        self.backend.hold_namespace(&self.scope, write, stands, DEADLINE).await.expect("hold_namespace");
    }

    pub async fn release_namespace(&self, write: WriteId) {
        self.backend.release_namespace(&self.scope, write, DEADLINE).await.expect("release_namespace");
    }

    pub async fn purge(&self) {
        let (tenant, namespace) = (&self.scope.tenant, &self.scope.namespace);
        self.backend.purge_namespace(tenant, namespace, DEADLINE).await.expect("purge_namespace");
    }

    pub async fn assert_hit(&self, key: &str, value: &str) {
        assert_eq!(self.get(key).await, Lookup::Hit(body(value)), "{key}");
    }

    pub async fn assert_miss(&self, key: &str) {
        let found = self.get(key).await;
        assert!(matches!(found, Lookup::Miss(_)), "{key}: {found:?}");
    }

    pub async fn assert_held(&self, key: &str) {
        assert_eq!(self.get(key).await, Lookup::Held, "{key}");
    }
}

pub fn id(key: &str) -> Id {
    Bytes::copy_from_slice(key.as_bytes())
}

pub fn body(value: &str) -> Body {
    Body { data: Bytes::copy_from_slice(value.as_bytes()), content_type: "application/json".to_owned(), compression: 0 }
}

pub fn fill(key: &str, lease: Lease, body: Body) -> Fill {
    Fill { id: id(key), lease, body, ttl: LONG }
}

/// A write's id that no other write has.
pub fn write() -> WriteId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos();
    let [count, process] = [COUNT.fetch_add(1, Relaxed), u64::from(std::process::id())];
    (since ^ (u128::from(process) << 96) ^ (u128::from(count) << 64)).to_be_bytes()
}

/// One test for each rule, against the fixture that `$make` gives.
#[macro_export]
macro_rules! conformance {
    ($make:path) => {
        $crate::conformance_cases! { $make,
            keys {
                what_was_filled_in_is_a_hit_for_any_bytes
                keys_that_differ_in_anything_share_nothing
                a_batch_is_answered_in_its_order
                misses_of_one_key_share_a_lease
                an_open_hold_means_no_value_and_no_lease
                a_hold_and_a_release_each_end_older_leases
                two_holds_are_closed_one_by_one
                a_hold_placed_twice_is_closed_once
                a_release_without_a_hold_clears_all_the_same
                a_clearing_leaves_holds_open
                a_hold_that_ran_out_stands_no_longer
                many_keys_at_once
            }
            values {
                a_value_is_served_as_long_as_it_may_be
                large_and_empty_values_come_back_whole
                a_value_over_the_limit_is_refused
                a_later_fill_replaces_the_value
                nothing_asked_is_nothing_answered
                inspection_tells_and_changes_nothing
            }
            quotas {
                a_namespace_keeps_to_its_bound
                a_value_over_the_bound_is_refused_alone
                what_expired_takes_no_room
                what_was_not_stored_takes_no_room
            }
            namespaces {
                a_namespace_hold_stops_nothing
                a_namespace_hold_that_ran_out_purges
                only_an_unreleased_hold_purges
                a_hold_that_ran_out_unseen_purges_whatever_comes_first
                a_purge_ends_values_of_all_kinds_and_leases
                a_purge_leaves_key_holds_open
            }
            epochs {
                canaries_in_time_keep_the_epoch
                a_lapse_begins_a_new_epoch
                holds_outlive_the_epoch
            }
            refusals {
                hits_go_on_while_writes_are_refused
                holds_and_releases_remove_while_writes_are_refused
                namespaces_are_removed_while_writes_are_refused
            }
            stress {
                no_reader_sees_less_than_was_acknowledged
            }
        }
    };
}

/// The tests of [`conformance!`].
#[macro_export]
macro_rules! conformance_cases {
    ($make:path, $($module:ident { $($name:ident)* })*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                conformance::$module::$name(conformance::Case::new($make().await).await).await;
            }
        )*)*
    };
}
