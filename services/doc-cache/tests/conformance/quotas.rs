//! Bounds of single namespaces: how a backend keeps to one is its own affair, that it does is not.

use doc_cache::backend::{Filled, Lookup};

use super::*;

const VALUE_BYTES: usize = 1000;
/// More than a value costs in any backend.
const COST: u64 = 1400;

impl<F: Fixture> Case<F> {
    /// Looks up and fills in a value of [`VALUE_BYTES`] under a bound.
    async fn store_within(&self, scope: &Scope, key: &str, ttl: Duration, max_bytes: u64) -> Filled {
        let Lookup::Miss(lease) = self.get_in(scope, &[id(key)]).await.remove(0) else { panic!("no lease for {key}") };
        let fill = Fill { ttl, ..fill(key, lease, body(&"x".repeat(VALUE_BYTES))) };
        self.backend.fill(scope, vec![fill], Some(max_bytes), DEADLINE).await.expect("fill").remove(0)
    }

    async fn hits(&self, scope: &Scope, keys: &[String]) -> u64 {
        let ids: Vec<_> = keys.iter().map(|key| id(key)).collect();
        let found = self.get_in(scope, &ids).await;
        found.iter().filter(|lookup| matches!(lookup, Lookup::Hit(_))).count() as u64
    }
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("key-{at}")).collect()
}

pub async fn a_namespace_keeps_to_its_bound<F: Fixture>(case: Case<F>) {
    let (documents, chunks) = (case.scope.clone(), Scope { kind: Kind::Chunk, ..case.scope.clone() });
    let other = Scope { namespace: format!("{}-other", case.scope.namespace), ..case.scope.clone() };
    case.store("unbounded", "one").await;
    assert_eq!(case.store_within(&other, "k", LONG, COST).await, Filled::Stored);
    let (keys, max_bytes) = (keys(30), 10 * COST);
    for key in &keys {
        for scope in [&documents, &chunks] {
            let filled = case.store_within(scope, key, LONG, max_bytes).await;
            assert!(matches!(filled, Filled::Stored | Filled::OverQuota), "{filled:?}");
        }
    }
    let hits = case.hits(&documents, &keys).await + case.hits(&chunks, &keys).await;
    let most = max_bytes / u64::try_from(VALUE_BYTES).unwrap();
    assert!((10..=most).contains(&hits), "{hits} values, not 10 to {most}");
    case.assert_hit("unbounded", "one").await;
    assert_eq!(case.hits(&other, &["k".to_owned()]).await, 1);
}

pub async fn a_value_over_the_bound_is_refused_alone<F: Fixture>(case: Case<F>) {
    let scope = case.scope.clone();
    assert_eq!(case.store_within(&scope, "small", LONG, COST).await, Filled::Stored);
    let lease = case.lease("large").await;
    let large = fill("large", lease, body(&"x".repeat(2 * VALUE_BYTES)));
    let filled = case.backend.fill(&scope, vec![large], Some(COST), DEADLINE).await.unwrap();
    assert_eq!(filled, [Filled::OverQuota]);
    case.assert_miss("large").await;
    assert_eq!(case.hits(&scope, &["small".to_owned()]).await, 1);
}

pub async fn what_expired_takes_no_room<F: Fixture>(case: Case<F>) {
    let scope = case.scope.clone();
    for key in keys(5) {
        case.store_within(&scope, &key, SHORT, 2 * COST).await;
    }
    case.fixture.pass(AFTER_SHORT).await;
    for key in ["a", "b"] {
        assert_eq!(case.store_within(&scope, key, LONG, 2 * COST).await, Filled::Stored, "{key}");
    }
    assert_eq!(case.hits(&scope, &["a".to_owned(), "b".to_owned()]).await, 2);
}

pub async fn what_was_not_stored_takes_no_room<F: Fixture>(case: Case<F>) {
    let scope = case.scope.clone();
    assert_eq!(case.store_within(&scope, "first", LONG, 2 * COST).await, Filled::Stored);
    let ended = case.lease("ended").await;
    case.clear("ended").await;
    for _ in 0..10 {
        let late = fill("ended", ended, body(&"x".repeat(VALUE_BYTES)));
        let filled = case.backend.fill(&scope, vec![late], Some(2 * COST), DEADLINE).await.unwrap();
        assert_eq!(filled, [Filled::LeaseEnded]);
    }
    assert_eq!(case.store_within(&scope, "second", LONG, 2 * COST).await, Filled::Stored);
    assert_eq!(case.hits(&scope, &["first".to_owned(), "second".to_owned()]).await, 2);
}
