//! Writes: what the cache is told, in which order, and what happens when it cannot be told.

use std::{pin::pin, time::Duration};

use super::{
    CLOSED, Mesh, OPEN,
    fake::{Mode, Net},
    has_lease, is_hit, keys, timed,
};
use crate::{Affects, Away, Coherence, GetOutcome, Key, Lookup, Outcome, Untold, Warmth, Write};

const HOLD_DEADLINE: Duration = Duration::from_secs(1);

async fn begin(mesh: &Mesh, ids: std::ops::Range<u64>) -> Write {
    mesh.cache.begin(&mesh.scope, Affects::Keys(keys(ids)), None).await.unwrap()
}

/// Every replica is silent to writes from now on.
fn deafen(mesh: &Mesh, count: u8) {
    (1..=count).for_each(|n| mesh.net.set(n, Mode::HangsOnWrites));
}

/// Key 1 is stored, a write of it could not be told, and the write breaker is open.
async fn undelivered(change: impl FnOnce(&mut crate::CacheSettings)) -> Mesh {
    let mesh = Mesh::with(Net::of(1), change).await;
    mesh.store(1..3).await;
    deafen(&mesh, 1);
    let (write, took) = timed(begin(&mesh, 1..2)).await;
    assert!(!write.is_held());
    assert_eq!(took, HOLD_DEADLINE);
    let (told, took) = timed(write.finish(Outcome::Changed(Vec::new()))).await;
    told.unwrap();
    assert_eq!(took, Duration::ZERO);
    assert_eq!(mesh.state().write_breaker, OPEN);
    mesh
}

#[tokio::test(start_paused = true)]
async fn a_write_of_keys_holds_and_releases() {
    let mesh = Mesh::of(2).await;
    mesh.store(1..3).await;
    let write = begin(&mesh, 1..3).await;
    assert!(write.is_held());
    assert_eq!(mesh.net.told(), ["hold n 2"]);
    assert_eq!(mesh.one(1).await, Lookup::Miss(None));
    write.finish(Outcome::Changed(keys(7..9))).await.unwrap();
    assert_eq!(mesh.net.told(), ["clear n 2", "release n 2"]);
    assert!(has_lease(&mesh.one(1).await));
    begin(&mesh, 1..2).await.finish(Outcome::Nothing).await.unwrap();
    assert_eq!(mesh.net.told(), ["hold n 1", "release n 1"]);
    begin(&mesh, 1..2).await.finish(Outcome::ChangedUnknown).await.unwrap();
    assert_eq!(mesh.net.told(), ["hold n 1", "purge n 0", "release n 1"]);
    assert_eq!(mesh.net.backend().open_holds(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_is_released_only_after_what_changed_was_cleared() {
    let mesh = Mesh::of(2).await;
    let begin = async || mesh.cache.begin(&mesh.scope, Affects::Namespace, None).await.unwrap();
    begin().await.finish(Outcome::Changed(keys(0..25_000))).await.unwrap();
    let told = mesh.net.told();
    let clears = vec!["clear n 1000".to_owned(); 25];
    assert_eq!(
        (told[0].as_str(), &told[1..26], &told[26..]),
        ("hold_namespace n 0", &clears[..], &["release_namespace n 0".to_owned()][..])
    );
    begin().await.finish(Outcome::ChangedUnknown).await.unwrap();
    assert_eq!(mesh.net.told(), ["hold_namespace n 0", "purge n 0", "release_namespace n 0"]);
    begin().await.finish(Outcome::Nothing).await.unwrap();
    assert_eq!(mesh.net.told(), ["hold_namespace n 0", "release_namespace n 0"]);
    begin().await.finish(Outcome::Changed(keys(0..100_001))).await.unwrap();
    assert_eq!(mesh.net.told(), ["hold_namespace n 0", "purge n 0", "release_namespace n 0"]);
}

#[tokio::test(start_paused = true)]
async fn more_keys_than_can_be_cleared_in_time_are_purged_before_the_write_is_acknowledged() {
    let mesh = Mesh::of(1).await;
    mesh.store(24_999..25_000).await;
    let write = mesh.cache.begin(&mesh.scope, Affects::Namespace, None).await.unwrap();
    mesh.net.set(1, Mode::SlowClears);
    mesh.net.told();
    let (told, took) = timed(write.finish(Outcome::Changed(keys(0..25_000)))).await;
    told.unwrap();
    assert_eq!(took, HOLD_DEADLINE);
    let told = mesh.net.told();
    assert!(told.ends_with(&["purge n 0".to_owned(), "release_namespace n 0".to_owned()]), "{told:?}");
    assert_eq!((mesh.state().backlog_keys, mesh.state().write_breaker), (0, CLOSED));
    assert!(!is_hit(&mesh.one(24_999).await));
}

#[tokio::test(start_paused = true)]
async fn many_keys_are_held_in_several_calls() {
    let mesh = Mesh::of(1).await;
    begin(&mesh, 0..1001).await.finish(Outcome::Nothing).await.unwrap();
    let mut told = mesh.net.told();
    // Those of one kind may change places.
    told[..2].sort();
    told[2..].sort();
    assert_eq!(told, ["hold n 1", "hold n 1000", "release n 1", "release n 1000"]);
}

#[tokio::test(start_paused = true)]
async fn when_not_even_the_first_keys_are_cleared_in_time_all_are_purged_before_the_write_is_acknowledged() {
    let mesh = Mesh::of(1).await;
    mesh.store(24_999..25_000).await;
    let write = mesh.cache.begin(&mesh.scope, Affects::Namespace, None).await.unwrap();
    mesh.net.set(1, Mode::SlowKeys);
    mesh.net.told();
    let (told, took) = timed(write.finish(Outcome::Changed(keys(0..25_000)))).await;
    told.unwrap();
    assert_eq!(took, HOLD_DEADLINE);
    assert_eq!(mesh.net.told(), ["purge n 0", "release_namespace n 0"]);
    assert_eq!((mesh.state().backlog_keys, mesh.state().write_breaker), (0, CLOSED));
    assert!(!is_hit(&mesh.one(24_999).await));
}

#[tokio::test(start_paused = true)]
async fn a_hold_of_too_many_keys_for_the_time_keeps_no_other_write_from_its_own() {
    let mesh = Mesh::of(1).await;
    mesh.store(2999..3000).await;
    mesh.net.set(1, Mode::SlowKeys);
    let bulk = begin(&mesh, 0..3000).await;
    assert!(!bulk.is_held());
    // The cache serves meanwhile, so nobody may pass it by.
    assert_eq!(mesh.state().write_breaker, CLOSED);
    let few = begin(&mesh, 5000..5010).await;
    assert!(few.is_held());
    few.finish(Outcome::Nothing).await.unwrap();
    mesh.net.told();
    bulk.finish(Outcome::Changed(Vec::new())).await.unwrap();
    assert_eq!(mesh.net.told(), ["purge n 0"]);
    assert_eq!((mesh.state().backlog_keys, mesh.state().write_breaker), (0, CLOSED));
    assert!(!is_hit(&mesh.one(2999).await));
}

#[tokio::test(start_paused = true)]
async fn a_late_release_of_many_keys_that_were_held_is_no_reason_to_purge_before_the_acknowledgement() {
    let mesh = Mesh::of(1).await;
    let write = begin(&mesh, 0..3000).await;
    assert!(write.is_held());
    mesh.net.set(1, Mode::SlowKeys);
    mesh.net.told();
    write.finish(Outcome::Changed(Vec::new())).await.unwrap();
    // They have no value while their hold stands.
    assert_eq!((mesh.net.told(), mesh.state().backlog_keys), (vec![], 3000));
}

#[tokio::test(start_paused = true)]
async fn the_backlog_purges_what_has_too_many_keys_for_the_time() {
    let mesh = Mesh::of(1).await;
    let write = mesh.cache.begin(&mesh.scope, Affects::Namespace, None).await.unwrap();
    mesh.net.set(1, Mode::SlowKeys);
    mesh.net.told();
    let finish = write.finish(Outcome::Changed(keys(0..3000)));
    assert!(tokio::time::timeout(Duration::from_millis(10), finish).await.is_err());
    assert_eq!(mesh.state().backlog_keys, 3000);
    mesh.until(|mesh| mesh.state().backlog_keys == 0).await;
    assert_eq!(mesh.net.told(), ["purge n 0", "release_namespace n 0"]);
    assert_eq!(mesh.state().write_breaker, CLOSED);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_write_of_too_many_keys_to_be_held_anew_holds_the_namespace() {
    let mesh = Mesh::of(1).await;
    let write = begin(&mesh, 0..3000).await;
    mesh.net.set(1, Mode::SlowKeys);
    mesh.net.told();
    drop(write);
    mesh.until(|mesh| mesh.state().backlog_keys == 0).await;
    assert_eq!(mesh.net.told(), ["hold_namespace n 0", "purge n 0"]);
}

#[tokio::test(start_paused = true)]
async fn one_silent_replica_does_not_keep_a_write_for_long() {
    for mode in [Mode::BlackHole, Mode::Hangs] {
        let mesh = Mesh::of(3).await;
        mesh.net.set(1, mode);
        for id in 0..20 {
            let (write, took) = timed(begin(&mesh, id..id + 1)).await;
            assert!(write.is_held() && took <= Duration::from_millis(100), "{took:?}");
            let (told, took) = timed(write.finish(Outcome::Changed(Vec::new()))).await;
            told.unwrap();
            assert!(took <= Duration::from_millis(100), "{took:?}");
        }
        assert_eq!(mesh.state().write_breaker, CLOSED);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_replica_or_a_reset_costs_a_write_no_hold() {
    let mesh = Mesh::of(2).await;
    mesh.net.set(1, Mode::Dead);
    assert!(begin(&mesh, 1..2).await.is_held());
    let mesh = Mesh::of(1).await;
    for _ in 0..5 {
        mesh.net.reset(1);
        let write = begin(&mesh, 1..2).await;
        assert!(write.is_held());
        mesh.net.reset(1);
        write.finish(Outcome::Changed(Vec::new())).await.unwrap();
        assert_eq!(mesh.state().backlog_keys, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_read_breaker_keeps_no_hold_from_being_tried() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Hangs);
    for _ in 0..7 {
        mesh.one(0).await;
    }
    mesh.net.set(1, Mode::Well);
    assert_eq!(mesh.state().breaker, OPEN);
    assert!(begin(&mesh, 1..2).await.is_held());
    assert_eq!(mesh.state().breaker, OPEN);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_told_is_bypassed_until_it_is() {
    let mesh = undelivered(|_| {}).await;
    assert_eq!(mesh.state().backlog_keys, 1);
    mesh.shows("hevlayer_cache_release_backlog{of=\"keys\"} 1");
    mesh.shows("layer_cache_breaker_open{path=\"write\"} 1");
    mesh.shows("layer_cache_undelivered_total{what=\"hold\"} 1");
    // The cache would answer with the old value.
    let calls = mesh.net.calls(1);
    let gotten = mesh.get(&keys(1..2)).await;
    assert_eq!((gotten.outcome, &gotten.lookups[..]), (GetOutcome::Answered, &[Lookup::Miss(None)][..]));
    assert_eq!(mesh.net.calls(1), calls);
    let gotten = mesh.get(&keys(1..3)).await;
    assert_eq!(gotten.lookups[0], Lookup::Miss(None));
    assert!(is_hit(&gotten.lookups[1]));
    mesh.shows("layer_cache_bypassed_total 2");

    mesh.net.set(1, Mode::Well);
    mesh.until(|mesh| mesh.state().backlog_keys == 0).await;
    assert_eq!(mesh.net.told(), ["release n 1"]);
    assert!(has_lease(&mesh.one(1).await));
    assert_eq!(mesh.state().write_breaker, CLOSED);
    mesh.shows("hevlayer_cache_release_backlog{of=\"keys\"} 0");
}

#[tokio::test(start_paused = true)]
async fn only_the_first_write_waits_and_the_breaker_closes_without_a_backlog() {
    let mesh = undelivered(|_| {}).await;
    for id in 10..200 {
        let (write, took) = timed(begin(&mesh, id..id + 1)).await;
        assert!(!write.is_held() && took == Duration::ZERO);
        assert_eq!(mesh.get(&keys(id..id + 1)).await.lookups, [Lookup::Miss(None)]);
        let (told, took) = timed(write.finish(Outcome::Nothing)).await;
        told.unwrap();
        assert_eq!(took, Duration::ZERO);
    }
    assert_eq!(mesh.state().backlog_keys, 1);
    mesh.net.set(1, Mode::Well);
    mesh.until(|mesh| mesh.state().write_breaker == CLOSED).await;
    assert!(begin(&mesh, 1..2).await.is_held());

    // With nothing to deliver, the probe is a write of its own.
    let mesh = Mesh::of(1).await;
    deafen(&mesh, 1);
    begin(&mesh, 1..2).await.finish(Outcome::Nothing).await.unwrap();
    assert_eq!((mesh.state().backlog_keys, mesh.state().write_breaker), (0, OPEN));
    mesh.net.set(1, Mode::Well);
    mesh.until(|mesh| mesh.state().write_breaker == CLOSED).await;
    assert_eq!(mesh.net.told(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_cannot_be_told_waits_its_second_and_goes_to_the_backlog() {
    let mesh = Mesh::of(2).await;
    mesh.store(1..2).await;
    let write = begin(&mesh, 1..2).await;
    deafen(&mesh, 2);
    let (told, took) = timed(write.finish(Outcome::Changed(keys(5..7)))).await;
    told.unwrap();
    assert_eq!(took, HOLD_DEADLINE);
    assert_eq!(mesh.state().backlog_keys, 3);
    let gotten = mesh.get(&keys(1..8)).await;
    let leases: Vec<bool> = gotten.lookups.iter().map(has_lease).collect();
    // 1 is the write's; 5 and 6 changed besides.
    assert_eq!(leases, [false, true, true, true, false, false, true]);
    mesh.net.told();
    mesh.net.set(2, Mode::Well);
    mesh.until(|mesh| mesh.state().backlog_keys == 0).await;
    assert_eq!(mesh.net.told(), ["clear n 2", "release n 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_was_waiting_is_not_stored_over_an_undelivered_write() {
    let mesh = Mesh::of(1).await;
    let Lookup::Miss(Some(lease)) = mesh.one(1).await else { panic!("no lease") };
    deafen(&mesh, 1);
    let _write = begin(&mesh, 1..2).await;
    let fill = crate::Fill { key: Key::uint(1), lease, body: crate::Body::document("{}"), ttl: None };
    mesh.cache.fill(&mesh.scope, vec![fill]);
    mesh.until(|mesh| mesh.metrics.text().contains("layer_cache_fills_total{status=\"bypassed\"} 1")).await;
    assert!(mesh.net.backend().ttls.is_empty());
}

#[tokio::test(start_paused = true)]
async fn strict_refuses_a_write_that_cannot_be_held() {
    let mesh = Mesh::with(Net::of(1), |settings| settings.coherence = Coherence::Strict).await;
    begin(&mesh, 1..2).await.finish(Outcome::Nothing).await.unwrap();
    deafen(&mesh, 1);
    let begin = async || mesh.cache.begin(&mesh.scope, Affects::Keys(keys(1..2)), None).await;
    assert_eq!(begin().await.unwrap_err().reason, Away::Deadline);
    let (refused, took) = timed(begin()).await;
    assert_eq!((refused.unwrap_err().reason, took), (Away::BreakerOpen, Duration::ZERO));
    assert_eq!(mesh.state().backlog_keys, 0);
    mesh.net.set(1, Mode::Well);
    mesh.until(|mesh| mesh.state().write_breaker == CLOSED).await;
    assert!(begin().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn strict_does_not_acknowledge_what_others_could_still_read_otherwise() {
    let mesh = Mesh::with(Net::of(1), |settings| settings.coherence = Coherence::Strict).await;
    let of_keys = begin(&mesh, 1..2).await;
    let bulk = mesh.cache.begin(&mesh.scope, Affects::Namespace, None).await.unwrap();
    let unchanged = mesh.cache.begin(&mesh.scope, Affects::Namespace, None).await.unwrap();
    deafen(&mesh, 1);
    // Its keys have no value while their hold stands, and the namespace of the last has not changed.
    of_keys.finish(Outcome::Changed(Vec::new())).await.unwrap();
    unchanged.finish(Outcome::Nothing).await.unwrap();
    assert_eq!(bulk.finish(Outcome::Changed(keys(7..9))).await, Err(Untold));
}

/// How long another process may serve what a router without a cache did not clear: none, as replicas settle for longer
/// than an open write breaker may let writes pass by without trying.
#[tokio::test(start_paused = true)]
async fn a_write_is_not_silent_for_longer_than_the_cache_settles() {
    let mesh = undelivered(|_| ()).await;
    assert!(mesh.cache.shared.may_skip(), "a message got nowhere just now");
    mesh.cache.shared.stopping.cancel();
    tokio::time::advance(Duration::from_millis(2500)).await;
    assert!(!mesh.cache.shared.may_skip(), "nobody has tried since");
    assert_eq!(mesh.state().write_breaker, OPEN);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_write_is_held_anew_from_its_end() {
    let mesh = Mesh::of(1).await;
    drop(begin(&mesh, 1..2).await);
    // Bypassed until the hold stands again, and held from then on.
    assert_eq!(mesh.one(1).await, Lookup::Miss(None));
    mesh.until(|mesh| mesh.state().backlog_keys == 0).await;
    assert_eq!(mesh.net.told(), ["hold n 1", "hold n 1"]);
    mesh.shows("layer_cache_undelivered_total{what=\"unknown\"} 1");
    assert_eq!(mesh.net.backend().open_holds(), 1);
    drop(mesh.cache.begin(&mesh.scope, Affects::Namespace, None).await.unwrap());
    mesh.until(|mesh| mesh.state().backlog_keys == 0).await;
    assert_eq!(mesh.net.told(), ["hold_namespace n 0", "hold_namespace n 0"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_write_without_a_hold_is_bypassed_until_it_has_one() {
    let mesh = Mesh::of(1).await;
    mesh.store(1..2).await;
    deafen(&mesh, 1);
    drop(begin(&mesh, 1..2).await);
    // Longer than a hold stands.
    tokio::time::advance(Duration::from_secs(200)).await;
    mesh.net.more(1, |seen| seen.calls).await;
    assert_eq!(mesh.get(&keys(1..2)).await.lookups, [Lookup::Miss(None)]);
    mesh.net.set(1, Mode::Well);
    mesh.until(|mesh| mesh.state().backlog_keys == 0).await;
    assert_eq!(mesh.net.told(), ["hold n 1"]);
    assert_eq!(mesh.one(1).await, Lookup::Miss(None));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_while_it_waits_for_its_hold_leaves_no_hold() {
    let mesh = Mesh::of(1).await;
    deafen(&mesh, 1);
    let left = tokio::time::timeout(Duration::from_millis(10), begin(&mesh, 1..2)).await;
    assert!(left.is_err());
    assert_eq!(mesh.state().backlog_keys, 1);
    mesh.net.set(1, Mode::Well);
    mesh.until(|mesh| mesh.state().backlog_keys == 0).await;
    assert_eq!(mesh.net.told(), ["release n 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_while_it_finishes_leaves_the_rest_to_the_backlog() {
    let mesh = Mesh::of(1).await;
    let write = begin(&mesh, 1..2).await;
    deafen(&mesh, 1);
    let mut finish = Box::pin(write.finish(Outcome::Changed(keys(5..6))));
    let waited = tokio::time::timeout(Duration::from_millis(10), pin!(&mut finish)).await;
    assert!(waited.is_err());
    drop(finish);
    assert_eq!(mesh.get(&keys(1..2)).await.lookups, [Lookup::Miss(None)]);
    mesh.net.told();
    mesh.net.set(1, Mode::Well);
    mesh.until(|mesh| mesh.state().backlog_keys == 0).await;
    assert_eq!(mesh.net.told(), ["clear n 1", "release n 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_a_hurry_gets_no_hold_and_opens_no_breaker() {
    let mesh = Mesh::of(1).await;
    deafen(&mesh, 1);
    let passed = Some(tokio::time::Instant::now().into_std());
    let write = mesh.cache.begin(&mesh.scope, Affects::Keys(keys(1..2)), passed).await.unwrap();
    assert!(!write.is_held());
    assert_eq!(mesh.state().write_breaker, CLOSED);
    assert_eq!(mesh.get(&keys(1..2)).await.lookups, [Lookup::Miss(None)]);
}

#[tokio::test(start_paused = true)]
async fn too_many_undelivered_keys_become_a_purge() {
    let mesh = undelivered(|settings| settings.backlog_keys_max = 3).await;
    begin(&mesh, 5..7).await.finish(Outcome::Changed(Vec::new())).await.unwrap();
    assert_eq!((mesh.state().backlog_keys, mesh.state().backlog_namespaces), (3, 0));
    begin(&mesh, 7..8).await.finish(Outcome::Changed(Vec::new())).await.unwrap();
    assert_eq!((mesh.state().backlog_keys, mesh.state().backlog_namespaces), (0, 1));
    mesh.shows("layer_cache_undelivered_total{what=\"overflow\"} 1");
    mesh.shows("hevlayer_cache_release_backlog{of=\"namespaces\"} 1");
    assert_eq!(mesh.get(&keys(100..101)).await.lookups, [Lookup::Miss(None)]);
    mesh.net.set(1, Mode::Well);
    mesh.until(|mesh| mesh.state().backlog_namespaces == 0).await;
    assert_eq!(mesh.net.told(), ["purge n 0"]);
    assert!(has_lease(&mesh.one(2).await));
}

#[tokio::test(start_paused = true)]
async fn too_many_undelivered_namespaces_leave_the_cache_alone_for_its_time_to_live() {
    let limits = |settings: &mut crate::CacheSettings| {
        (settings.backlog_keys_max, settings.backlog_namespaces_max) = (1, 1);
    };
    let mesh = undelivered(limits).await;
    for namespace in ["a", "b"] {
        let scope = mesh.cache.documents(namespace).unwrap();
        let write = mesh.cache.begin(&scope, Affects::Keys(keys(0..2)), None).await.unwrap();
        write.finish(Outcome::Changed(Vec::new())).await.unwrap();
    }
    mesh.shows("layer_cache_undelivered_total{what=\"lost\"} 1");
    mesh.net.set(1, Mode::Well);
    mesh.until(|mesh| mesh.state().backlog_keys + mesh.state().backlog_namespaces == 0).await;
    assert_eq!(mesh.get(&keys(50..51)).await.lookups, [Lookup::Miss(None)]);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert!(has_lease(&mesh.one(50).await));
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_backlog_and_for_no_longer_than_it_may() {
    let mesh = undelivered(|_| {}).await;
    let Mesh { net, service, .. } = mesh;
    let heal = async {
        net.more(7, |seen| seen.calls).await;
        net.set(1, Mode::Well);
    };
    let (_, took) = timed(async { tokio::join!(service.stop(Duration::from_secs(60)), heal) }).await;
    // Each delivery that nobody took was asked for three times in its second.
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(20), "{took:?}");
    assert_eq!(net.told(), ["release n 1"]);
    let mesh = undelivered(|_| {}).await;
    let ((), took) = timed(mesh.service.stop(Duration::from_secs(3))).await;
    assert_eq!(took, Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_appears_is_told_at_once() {
    let mesh = undelivered(|_| {}).await;
    mesh.net.name([]);
    mesh.cache.warmth_changed(Warmth::Warm).await;
    // Long enough for the pauses between deliveries to be as long as they get.
    mesh.net.more(20, |seen| seen.look_ups).await;
    mesh.net.set(1, Mode::Well);
    mesh.net.name([1]);
    mesh.cache.warmth_changed(Warmth::Cold).await;
    let ((), took) = timed(mesh.until(|mesh| mesh.state().backlog_keys == 0)).await;
    assert!(took <= Duration::from_millis(20), "{took:?}");
}
