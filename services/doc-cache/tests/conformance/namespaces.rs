//! Generations and holds of namespaces.

use doc_cache::backend::{Filled, Kind, Lookup, Scope};

use super::*;

pub async fn a_namespace_hold_stops_nothing<F: Fixture>(case: Case<F>) {
    case.store("k", "one").await;
    let older = case.lease("other").await;
    let write = write();
    case.hold_namespace(write, LONG).await;
    case.assert_hit("k", "one").await;
    assert_eq!(case.fill("other", older, "two").await, Filled::Stored);
    case.store("third", "three").await;
    case.release_namespace(write).await;
    for (key, value) in [("k", "one"), ("other", "two"), ("third", "three")] {
        case.assert_hit(key, value).await;
    }
    case.fixture.pass(AFTER_SHORT).await;
    case.assert_hit("k", "one").await;
}

pub async fn a_namespace_hold_that_ran_out_purges<F: Fixture>(case: Case<F>) {
    let late = write();
    case.hold_namespace(late, SHORT).await;
    case.store("k", "one").await;
    let older = case.lease("other").await;
    case.fixture.pass(AFTER_SHORT).await;
    case.assert_miss("k").await;
    // It may be stored, but it is never served.
    case.fill("other", older, "stale").await;
    case.assert_miss("other").await;
    case.store("k", "two").await;
    // Purged once, not for ever; and a release that comes too late changes nothing.
    case.assert_hit("k", "two").await;
    case.release_namespace(late).await;
    case.assert_hit("k", "two").await;
}

pub async fn only_an_unreleased_hold_purges<F: Fixture>(case: Case<F>) {
    let (released, open, long) = (write(), write(), write());
    case.store("k", "one").await;
    for (write, stands) in [(released, SHORT), (long, LONG)] {
        case.hold_namespace(write, stands).await;
    }
    case.release_namespace(released).await;
    case.fixture.pass(AFTER_SHORT).await;
    case.assert_hit("k", "one").await;
    case.hold_namespace(open, SHORT).await;
    case.fixture.pass(AFTER_SHORT).await;
    case.assert_miss("k").await;
    let found = case.backend.inspect(&case.scope, &id("k"), DEADLINE).await.unwrap();
    assert_eq!(found.namespace_holds, 1, "the long one stands");
}

/// Nobody has looked since: what another write does must not make its running out forgotten.
pub async fn a_hold_that_ran_out_unseen_purges_whatever_comes_first<F: Fixture>(case: Case<F>) {
    for comes_first in ["hold", "release"] {
        let (late, other, next) = (write(), write(), write());
        case.store("k", comes_first).await;
        case.hold_namespace(late, SHORT).await;
        case.hold_namespace(other, LONG).await;
        case.fixture.pass(AFTER_SHORT).await;
        match comes_first {
            "hold" => case.hold_namespace(next, LONG).await,
            _ => case.release_namespace(other).await,
        }
        case.assert_miss("k").await;
        case.release_namespace(other).await;
        case.release_namespace(next).await;
    }
}

pub async fn a_purge_ends_values_of_all_kinds_and_leases<F: Fixture>(case: Case<F>) {
    let chunks = Scope { kind: Kind::Chunk, ..case.scope.clone() };
    let elsewhere = Scope { namespace: format!("{}-other", case.scope.namespace), ..case.scope.clone() };
    let scopes = [&case.scope, &chunks, &elsewhere];
    for scope in scopes {
        let Lookup::Miss(lease) = case.get_in(scope, &[id("k")]).await.remove(0) else { panic!("{scope:?}") };
        let fills = vec![fill("k", lease, body("one"))];
        assert_eq!(case.backend.fill(scope, fills, None, DEADLINE).await.unwrap(), [Filled::Stored]);
    }
    let older = case.lease("other").await;
    case.purge().await;
    for scope in &scopes[..2] {
        let found = case.get_in(scope, &[id("k")]).await;
        assert!(matches!(found[0], Lookup::Miss(_)), "{scope:?}: {found:?}");
    }
    assert_eq!(case.get_in(&elsewhere, &[id("k")]).await, [Lookup::Hit(body("one"))]);
    case.fill("other", older, "stale").await;
    case.assert_miss("other").await;
    case.store("k", "two").await;
    case.assert_hit("k", "two").await;
    // A namespace that nobody knows can be purged too.
    case.backend.purge_namespace("store", &format!("{}-none", case.scope.namespace), DEADLINE).await.unwrap();
}

pub async fn a_purge_leaves_key_holds_open<F: Fixture>(case: Case<F>) {
    case.store("other", "one").await;
    let write = write();
    case.hold(write, "k", LONG).await;
    case.purge().await;
    case.assert_held("k").await;
    case.release(write, "k").await;
    case.assert_miss("k").await;
}
