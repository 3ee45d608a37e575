//! A backend that refuses writes still takes removes: nothing that a writer says is lost, and nothing old is served.

use doc_cache::backend::{Filled, Lookup};

use super::*;

pub async fn hits_go_on_while_writes_are_refused<F: Fixture>(case: Case<F>) {
    case.store("k", "one").await;
    let lease = case.lease("other").await;
    if !case.fixture.refuse_writes(true).await {
        return;
    }
    case.assert_hit("k", "one").await;
    assert_eq!(case.fill("other", lease, "two").await, Filled::StopWrites);
    let found = case.get("new").await;
    assert!(matches!(found, Lookup::Refused), "{found:?}");
    // While writes are refused nobody begins an epoch: a canary that comes after the lapse is an error.
    assert!(case.backend.canary(LONG, DEADLINE).await.unwrap().stop_writes);
    case.fixture.refuse_writes(false).await;
    assert!(!case.backend.canary(case.fixture.lapse(), DEADLINE).await.unwrap().stop_writes);
    case.store("new", "three").await;
    case.assert_hit("new", "three").await;
}

pub async fn holds_and_releases_remove_while_writes_are_refused<F: Fixture>(case: Case<F>) {
    for key in ["held", "released", "cleared", "kept"] {
        case.store(key, "one").await;
    }
    let lease = case.lease("leased").await;
    if !case.fixture.refuse_writes(true).await {
        return;
    }
    let write = write();
    case.hold(write, "held", LONG).await;
    case.hold(write, "leased", LONG).await;
    case.release(write, "released").await;
    case.clear("cleared").await;
    for key in ["held", "released", "cleared", "leased"] {
        assert_eq!(case.get(key).await, Lookup::Refused, "{key}");
    }
    case.assert_hit("kept", "one").await;
    case.fixture.refuse_writes(false).await;
    assert_eq!(case.fill("leased", lease, "stale").await, Filled::LeaseEnded);
    for key in ["held", "released", "cleared", "leased"] {
        case.assert_miss(key).await;
    }
    assert_eq!(case.fill("leased", lease, "stale").await, Filled::LeaseEnded);
    case.assert_hit("kept", "one").await;
}

pub async fn namespaces_are_removed_while_writes_are_refused<F: Fixture>(case: Case<F>) {
    for purge in [true, false] {
        case.store("k", "one").await;
        let older = case.lease("other").await;
        if !case.fixture.refuse_writes(true).await {
            return;
        }
        case.assert_hit("k", "one").await;
        if purge {
            case.purge().await;
        } else {
            case.hold_namespace(write(), LONG).await;
        }
        // Without a record of the namespace there are no hits and no leases.
        assert_eq!(case.get("k").await, Lookup::Refused, "purge: {purge}");
        case.fixture.refuse_writes(false).await;
        case.assert_miss("k").await;
        case.fill("other", older, "stale").await;
        case.assert_miss("other").await;
    }
}
