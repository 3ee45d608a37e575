//! Following a name as replicas come and go.

use std::time::Duration;

use super::{
    Mesh,
    fake::{Mode, Net, address},
    has_lease, keys, timed,
};
use crate::{Affects, Away, GetOutcome, Warmth};

/// A little more than the interval between look-ups.
const SOON: Duration = Duration::from_millis(3100);

/// The replicas that are asked are these.
fn knows(mesh: &Mesh, numbers: &[u8]) -> bool {
    let list = mesh.cache.shared.replicas.list();
    list.iter().map(|replica| replica.address).eq(numbers.iter().map(|n| address(*n)))
}

#[tokio::test(start_paused = true)]
async fn scaled_from_zero_the_cache_is_met_within_seconds() {
    let net = Net::of(1);
    net.name([]);
    let mesh = Mesh::cold(net, |_| {});
    mesh.all_probed().await;
    let (gotten, took) = timed(mesh.get(&keys(0..1))).await;
    assert_eq!((gotten.outcome, took), (GetOutcome::Away(Away::NoReplica), Duration::ZERO));
    mesh.net.name([1]);
    let (warmth, took) = timed(mesh.cache.warmth_changed(Warmth::Cold)).await;
    assert!(warmth == Warmth::Warm && took <= SOON, "{took:?}");
    assert!(has_lease(&mesh.one(0).await));
}

#[tokio::test(start_paused = true)]
async fn replicas_are_followed_as_they_come_and_go() {
    let mesh = Mesh::of(2).await;
    mesh.net.set(3, Mode::Well);
    mesh.net.name([2, 3]);
    let ((), took) = timed(mesh.until(|mesh| knows(mesh, &[2, 3]) && mesh.state().connected == 2)).await;
    assert!(took <= SOON, "{took:?}");
    let before = mesh.net.calls(1);
    for id in 0..40 {
        assert!(has_lease(&mesh.one(id).await));
    }
    assert_eq!(mesh.net.calls(1), before);
    assert!(mesh.net.calls(3) > 0);
    mesh.net.name([]);
    let (warmth, took) = timed(mesh.cache.warmth_changed(Warmth::Warm)).await;
    assert!(warmth == Warmth::Cold && knows(&mesh, &[]) && took <= SOON, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn without_the_resolver_who_answers_stays_and_who_does_not_goes() {
    let mesh = Mesh::of(2).await;
    mesh.net.nameless();
    mesh.net.looked_up().await;
    assert_eq!((mesh.state().replicas, mesh.state().connected), (2, 2));
    assert!(has_lease(&mesh.one(1).await));
    mesh.net.set(1, Mode::Dead);
    let ((), took) = timed(mesh.until(|mesh| knows(mesh, &[2]))).await;
    assert!(took <= Duration::from_secs(30) && mesh.state().connected == 1, "{took:?}");
    assert!(has_lease(&mesh.one(1).await));
}

#[tokio::test(start_paused = true)]
async fn the_first_write_waits_for_the_first_look_up() {
    let mesh = Mesh::cold(Net::of(1), |_| {});
    let write = mesh.cache.begin(&mesh.scope, Affects::Keys(keys(1..2)), None).await.unwrap();
    assert!(write.is_held());
    write.finish(crate::Outcome::Nothing).await.unwrap();
    let net = Net::of(1);
    net.nameless();
    let mesh = Mesh::cold(net, |_| {});
    let (write, took) = timed(mesh.cache.begin(&mesh.scope, Affects::Keys(keys(1..2)), None)).await;
    assert!(!write.unwrap().is_held() && took == Duration::ZERO, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_there_but_never_answers_is_not_asked() {
    let net = Net::of(2);
    net.set(1, Mode::BlackHole);
    let mesh = Mesh::with(net, |_| {}).await;
    for id in 0..40 {
        let (lookup, took) = timed(mesh.one(id)).await;
        assert!(has_lease(&lookup) && took == Duration::ZERO, "{took:?}");
    }
}
