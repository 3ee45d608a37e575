//! Reading and filling while the cache is well.

use std::time::Duration;

use super::{
    Mesh,
    fake::{Mode, Net},
    has_lease, is_hit, keys, timed,
};
use crate::{Away, Body, CacheService, CacheSettings, Fill, GetOutcome, Key, Lookup};

#[tokio::test(start_paused = true)]
async fn a_miss_gives_a_lease_and_what_is_filled_is_hit() {
    let mesh = Mesh::of(2).await;
    let Lookup::Miss(Some(lease)) = mesh.one(1).await else { panic!("no lease") };
    let row = Body::document(format!(r#"{{"id":1,"attributes":{{"text":"{}"}}}}"#, "lorem ipsum ".repeat(1000)));
    mesh.cache.fill(&mesh.scope, vec![Fill { key: Key::uint(1), lease, body: row.clone(), ttl: None }]);
    mesh.until(|mesh| mesh.net.backend().ttls.len() == 1).await;
    assert_eq!(mesh.one(1).await, Lookup::Hit(row));
    mesh.shows("layer_cache_fills_total{status=\"stored\"} 1");
    assert_eq!(mesh.net.backend().ttls, [3_600_000]);
}

#[tokio::test(start_paused = true)]
async fn a_fill_under_an_ended_lease_is_refused_and_counted() {
    let mesh = Mesh::of(1).await;
    let Lookup::Miss(Some(lease)) = mesh.one(1).await else { panic!("no lease") };
    let write = mesh.cache.begin(&mesh.scope, crate::Affects::Keys(keys(1..2)), None).await.unwrap();
    assert_eq!(mesh.one(1).await, Lookup::Miss(None));
    write.finish(crate::Outcome::Changed(Vec::new())).await.unwrap();
    mesh.cache.fill(&mesh.scope, vec![Fill { key: Key::uint(1), lease, body: Body::document("{}"), ttl: None }]);
    mesh.until(|mesh| mesh.net.backend().ttls.len() == 1).await;
    assert!(has_lease(&mesh.one(1).await));
    mesh.shows("layer_cache_fills_total{status=\"lease_ended\"} 1");
}

#[tokio::test(start_paused = true)]
async fn times_to_live_are_bounded() {
    let mesh = Mesh::of(1).await;
    let gotten = mesh.get(&keys(0..4)).await;
    let bodies = [Body::absent("0"), Body::document("{}"), Body::document("{}"), Body::document("{}")];
    let ttls = [None, Some(Duration::from_secs(9)), Some(Duration::MAX), Some(Duration::ZERO)];
    let fills = keys(0..4).into_iter().zip(gotten.lookups).zip(bodies.into_iter().zip(ttls));
    let fill = |((key, lookup), (body, ttl))| match lookup {
        Lookup::Miss(Some(lease)) => Fill { key, lease, body, ttl },
        other => panic!("{other:?}"),
    };
    mesh.cache.fill(&mesh.scope, fills.map(fill).collect());
    mesh.until(|mesh| mesh.net.backend().ttls.len() == 4).await;
    assert_eq!(mesh.net.backend().ttls, [10_000, 9000, 3_600_000, 1]);
    assert!(matches!(mesh.one(0).await, Lookup::Hit(body) if body.is_absent() && body.data == "0"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_answered_in_order_in_pieces_and_beyond_one_call() {
    let mesh = Mesh::of(1).await;
    mesh.store(0..250).await;
    let asked: Vec<Key> = (0..12_000).rev().map(Key::uint).collect();
    let gotten = mesh.get(&asked).await;
    assert_eq!((gotten.lookups.len(), gotten.outcome), (12_000, GetOutcome::Answered));
    let hits = gotten.lookups.iter().map(is_hit).collect::<Vec<_>>();
    assert!(hits[..11_750].iter().all(|hit| !hit) && hits[11_750..].iter().all(|hit| *hit));
    assert_eq!(mesh.get(&[]).await.lookups, []);
}

#[tokio::test(start_paused = true)]
async fn several_replicas_share_the_work() {
    let mesh = Mesh::of(3).await;
    for id in 0..60 {
        assert!(has_lease(&mesh.one(id).await));
    }
    for n in 1..=3 {
        assert!(mesh.net.calls(n) >= 5, "replica {n}: {}", mesh.net.calls(n));
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_without_proof_is_no_failure() {
    let net = Net::of(1);
    net.set(1, Mode::Unproven);
    let mesh = Mesh::with(net, |_| {}).await;
    for _ in 0..20 {
        let gotten = mesh.get(&keys(0..3)).await;
        assert_eq!((gotten.outcome, &gotten.lookups[..]), (GetOutcome::Answered, &vec![Lookup::Miss(None); 3][..]));
    }
    assert_eq!(mesh.state().breaker, super::CLOSED);
}

#[tokio::test]
async fn without_a_cache_nothing_waits_and_nothing_is_refused() {
    let settings = CacheSettings { coherence: crate::Coherence::Strict, ..CacheSettings::default() };
    let service = CacheService::start(&settings, &layer_service::metrics::Metrics::default()).unwrap();
    let cache = service.handle();
    let scope = cache.documents("n").unwrap();
    let gotten = cache.get(&scope, &keys(0..2), None).await;
    assert_eq!((gotten.outcome, gotten.lookups.len()), (GetOutcome::Away(Away::Disabled), 2));
    let write = cache.begin(&scope, crate::Affects::Namespace, None).await.unwrap();
    assert!(!write.is_held());
    write.finish(crate::Outcome::ChangedUnknown).await.unwrap();
    drop(cache.begin(&scope, crate::Affects::Keys(keys(0..1)), None).await.unwrap());
    assert_eq!(cache.purge_namespace(&scope, None).await, Err(Away::Disabled));
    assert_eq!(cache.inspect(&scope, &Key::uint(0), None).await, Err(Away::Disabled));
    assert!(cache.stats(None).await.is_empty());
    assert_eq!(cache.state().backlog_keys, 0);
    assert!(!cache.state().enabled);
}

#[tokio::test(start_paused = true)]
async fn operators_see_keys_and_replicas() {
    let mesh = Mesh::of(2).await;
    mesh.store(1..2).await;
    assert!(mesh.cache.inspect(&mesh.scope, &Key::uint(1), None).await.unwrap().stored);
    mesh.cache.purge_namespace(&mesh.scope, None).await.unwrap();
    assert!(!mesh.cache.inspect(&mesh.scope, &Key::uint(1), None).await.unwrap().stored);
    mesh.net.set(2, Mode::Hangs);
    let (stats, took) = timed(mesh.cache.stats(None)).await;
    let by_address = |n| stats.iter().find(|(of, _)| *of == super::fake::address(n).to_string()).unwrap().1.clone();
    assert_eq!(by_address(1).unwrap().backend, "fake");
    assert_eq!((by_address(2), took), (Err(Away::Deadline), Duration::from_secs(1)));
}

/// Callers spawn these on threads of their own.
#[test]
fn futures_can_be_sent() {
    fn sends<T: Send>(_: impl Fn(crate::Cache, crate::Scope) -> T) {}
    sends(|cache, scope| async move { cache.get(&scope, &keys(0..2), None).await });
    sends(|cache, scope| async move {
        let write = cache.begin(&scope, crate::Affects::Namespace, None).await;
        write.unwrap().finish(crate::Outcome::ChangedUnknown).await.unwrap();
        cache.stats(None).await
    });
}

/// What there is no room for is not a miss: whoever took it for one would ask the origin for what the cache has.
#[tokio::test(start_paused = true)]
async fn a_look_up_ends_where_there_is_no_more_room() {
    let mesh = Mesh::of(1).await;
    mesh.store(0..5).await;
    let mut asked = 0;
    let mut room = |_: usize| {
        asked += 1;
        asked <= 3
    };
    let gotten = mesh.cache.get_within(&mesh.scope, &keys(0..6), None, &mut room).await;
    assert_eq!((gotten.read, gotten.lookups.len(), gotten.outcome), (3, 6, GetOutcome::Answered));
    assert!(gotten.lookups[..3].iter().all(is_hit) && !gotten.lookups[3..].iter().any(is_hit));
    let gotten = mesh.cache.get_within(&mesh.scope, &keys(0..1), None, &mut |_| false).await;
    assert_eq!((gotten.read, gotten.lookups), (0, vec![Lookup::Miss(None)]));
    let gotten = mesh.cache.get_within(&mesh.scope, &keys(7..9), None, &mut |_| false).await;
    assert_eq!(gotten.read, 2, "a miss needs no room");
}

/// What a replica said before it broke off is forgotten: the other's word for the same body takes no more room.
#[tokio::test(start_paused = true)]
async fn a_second_try_takes_no_room_again() {
    let mesh = Mesh::of(2).await;
    mesh.store(0..5).await;
    let mut size = 0;
    let mut measures = |bytes: usize| {
        size = bytes;
        true
    };
    mesh.cache.get_within(&mesh.scope, &keys(0..1), None, &mut measures).await;
    mesh.net.set(1, Mode::Breaks);
    for _ in 0..100 {
        let mut left = 5 * size;
        let mut room = |bytes: usize| {
            let fits = bytes <= left;
            left -= if fits { bytes } else { 0 };
            fits
        };
        let gotten = mesh.cache.get_within(&mesh.scope, &keys(0..5), None, &mut room).await;
        assert_eq!((gotten.read, left), (5, 0), "all fit, and each is counted once");
        assert!(gotten.lookups.iter().all(is_hit));
    }
    mesh.shows("layer_cache_call_duration_seconds_count{operation=\"batch_get\",status=\"failed\"} 1");
}
