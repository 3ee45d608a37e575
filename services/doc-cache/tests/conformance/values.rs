//! Values: how long, how large, and what operators see of them.

use doc_cache::backend::{Filled, Inspection, Lookup};

use super::*;

pub async fn a_value_is_served_as_long_as_it_may_be<F: Fixture>(case: Case<F>) {
    let lease = case.lease("short").await;
    let short = Fill { ttl: SHORT, ..fill("short", lease, body("one")) };
    assert_eq!(case.fill_one(short).await, Filled::Stored);
    case.store("long", "two").await;
    case.assert_hit("short", "one").await;
    case.fixture.pass(AFTER_SHORT).await;
    case.assert_miss("short").await;
    case.assert_hit("long", "two").await;
    case.store("short", "three").await;
    case.assert_hit("short", "three").await;
}

pub async fn large_and_empty_values_come_back_whole<F: Fixture>(case: Case<F>) {
    for (key, bytes) in [("empty", 0), ("half", 512 * 1024), ("odd", 700_001)] {
        let data: Vec<u8> = (0..=250).cycle().take(bytes).collect();
        let value = Body { data: data.into(), ..body("") };
        let lease = case.lease(key).await;
        assert_eq!(case.fill_one(fill(key, lease, value.clone())).await, Filled::Stored, "{key}");
        assert_eq!(case.get(key).await, Lookup::Hit(value), "{key}");
    }
}

pub async fn a_value_over_the_limit_is_refused<F: Fixture>(case: Case<F>) {
    let (large, small) = (case.lease("large").await, case.lease("small").await);
    let value = Body { data: vec![7; case.fixture.too_large()].into(), ..body("") };
    let fills = vec![fill("large", large, value), fill("small", small, body("one"))];
    let filled = case.backend.fill(&case.scope, fills, None, DEADLINE).await.unwrap();
    assert_eq!(filled, [Filled::TooLarge, Filled::Stored]);
    case.assert_miss("large").await;
    case.assert_hit("small", "one").await;
}

pub async fn a_later_fill_replaces_the_value<F: Fixture>(case: Case<F>) {
    let lease = case.lease("k").await;
    assert_eq!(case.fill("k", lease, "a longer first value").await, Filled::Stored);
    assert_eq!(case.fill("k", lease, "two").await, Filled::Stored);
    case.assert_hit("k", "two").await;
}

pub async fn nothing_asked_is_nothing_answered<F: Fixture>(case: Case<F>) {
    assert_eq!(case.get_all(&[]).await, []);
    assert_eq!(case.backend.fill(&case.scope, vec![], None, DEADLINE).await.unwrap(), []);
    case.backend.hold(&case.scope, write(), &[], LONG, DEADLINE).await.unwrap();
    case.backend.release(&case.scope, write(), &[], DEADLINE).await.unwrap();
    case.backend.clear(&case.scope, &[], DEADLINE).await.unwrap();
}

pub async fn inspection_tells_and_changes_nothing<F: Fixture>(case: Case<F>) {
    let look = async || case.backend.inspect(&case.scope, &id("k"), DEADLINE).await.expect("inspect");
    let empty = look().await;
    assert_eq!(empty, Inspection { epoch: empty.epoch, ..Inspection::default() });
    assert_eq!(look().await.generation, None, "an inspection makes no namespace");
    let lease = case.lease("k").await;
    assert_eq!(look().await.generation, Some(lease.generation));
    assert_eq!(look().await.epoch, Some(lease.epoch));
    assert_eq!(case.fill("k", lease, "seven b").await, Filled::Stored);
    let (bytes, left) = look().await.stored.expect("a value");
    assert!(bytes == 7 && left <= LONG && left > LONG / 2, "{bytes} {left:?}");
    let held = write();
    case.hold_namespace(held, LONG).await;
    case.hold(write(), "k", LONG).await;
    case.hold(write(), "k", SHORT).await;
    let found = look().await;
    assert_eq!((found.stored, found.holds, found.namespace_holds), (None, 2, 1));
    case.fixture.pass(AFTER_SHORT).await;
    assert_eq!(look().await.holds, 1);
    case.release_namespace(held).await;
    assert_eq!(look().await.namespace_holds, 0);
}
