//! Reading while the cache is slow, broken or gone: nobody waits longer than said, and nobody waits twice.

use std::time::Duration;

use layer_proto::cache::v1::{Body, Compression, IndexedLookup, Lease, Lookup as Message, lookup::Outcome};
use layer_replicas::Health;

use super::{
    CLOSED, Mesh, OPEN,
    fake::{Mode, Net},
    has_lease, keys, timed,
};
use crate::{Away, GetOutcome, Key, Lookup, Warmth};

const DEADLINE: Duration = Duration::from_millis(25);

#[tokio::test(start_paused = true)]
async fn a_silent_cache_costs_its_deadline_seven_times_and_then_nothing() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Hangs);
    for _ in 0..7 {
        let (gotten, took) = timed(mesh.get(&keys(0..3))).await;
        assert_eq!((gotten.outcome, took), (GetOutcome::Away(Away::Deadline), DEADLINE));
        assert_eq!(gotten.lookups, vec![Lookup::Miss(None); 3]);
    }
    assert_eq!(mesh.state().breaker, OPEN);
    assert_eq!(mesh.state().warmth(), Warmth::Cold);
    mesh.shows("layer_cache_breaker_open{path=\"read\"} 1");
    let calls = mesh.net.calls(1);
    for _ in 0..1000 {
        let (gotten, took) = timed(mesh.get(&keys(0..1))).await;
        assert_eq!((gotten.outcome, took), (GetOutcome::Away(Away::BreakerOpen), Duration::ZERO));
    }
    assert_eq!(mesh.net.calls(1), calls);
}

#[tokio::test(start_paused = true)]
async fn the_breaker_closes_by_itself_and_no_caller_waits_for_it() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Hangs);
    for _ in 0..7 {
        mesh.one(0).await;
    }
    mesh.net.set(1, Mode::Well);
    let callers = async {
        let mut next = tokio::time::interval(Duration::from_millis(10));
        loop {
            next.tick().await;
            let (gotten, took) = timed(mesh.get(&keys(0..1))).await;
            assert_eq!(took, Duration::ZERO);
            if gotten.outcome == GetOutcome::Answered {
                return;
            }
        }
    };
    let ((), took) = timed(callers).await;
    // One second, give or take a quarter.
    assert!(took >= Duration::from_millis(600) && took <= Duration::from_millis(1300), "{took:?}");
    assert_eq!(mesh.state().breaker, CLOSED);
    mesh.shows("layer_cache_breaker_open{path=\"read\"} 0");
}

#[tokio::test(start_paused = true)]
async fn probes_of_what_stays_away_become_rare() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Dead);
    for _ in 0..7 {
        mesh.one(0).await;
    }
    assert_eq!(mesh.state().breaker, OPEN);
    let probed = || mesh.net.more(1, |seen| seen.dials);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        pauses.push(timed(probed()).await.1);
    }
    // 60 s at last, each give or take a quarter.
    let (early, late) = pauses.split_at(8);
    assert!(early[0] <= Duration::from_millis(2500), "{pauses:?}");
    assert!(late.iter().all(|pause| (45..=75).contains(&pause.as_secs())), "{pauses:?}");
    mesh.net.set(1, Mode::Well);
    let (_, took) = timed(mesh.cache.warmth_changed(Warmth::Cold)).await;
    assert!(took <= Duration::from_secs(76), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_a_hurry_says_nothing_about_the_cache() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Hangs);
    for _ in 0..20 {
        // By the paused clock, which the cache goes by: the real one may be before it or behind it.
        let deadline = Some(tokio::time::Instant::now().into_std());
        let (gotten, took) = timed(mesh.cache.get(&mesh.scope, &keys(0..1), deadline)).await;
        assert_eq!(gotten.outcome, GetOutcome::Away(Away::Deadline));
        assert!(took < DEADLINE);
    }
    assert_eq!(mesh.state().breaker, CLOSED);
}

#[tokio::test(start_paused = true)]
async fn one_black_hole_among_several_costs_one_deadline() {
    let mesh = Mesh::of(3).await;
    mesh.net.set(2, Mode::BlackHole);
    let mut late = 0;
    for id in 0..300 {
        let (gotten, took) = timed(mesh.get(&[Key::uint(id)])).await;
        match gotten.outcome {
            GetOutcome::Answered => assert_eq!(took, Duration::ZERO),
            GetOutcome::Away(away) => {
                assert_eq!((away, took), (Away::Deadline, DEADLINE));
                late += 1;
            }
        }
    }
    assert_eq!(late, 1);
    assert_eq!(mesh.state().breaker, CLOSED);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_dies_costs_nothing_while_another_lives() {
    let mesh = Mesh::of(2).await;
    for id in 0..10 {
        mesh.one(id).await;
    }
    mesh.net.set(1, Mode::Dead);
    for id in 0..50 {
        assert!(has_lease(&mesh.one(id).await), "{id}");
    }
    mesh.net.set(1, Mode::Well);
    let before = mesh.net.calls(1);
    mesh.until(|mesh| mesh.cache.shared.replicas.list().iter().all(|replica| replica.health() == Health::Up)).await;
    for id in 0..50 {
        mesh.one(id).await;
    }
    assert!(mesh.net.calls(1) > before, "it was never asked again");
}

#[tokio::test(start_paused = true)]
async fn a_reset_costs_no_answer_while_another_lives() {
    let mesh = Mesh::of(2).await;
    for round in 0..20 {
        mesh.net.reset(round % 2 + 1);
        assert!(has_lease(&mesh.one(u64::from(round)).await), "{round}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_open_the_breaker_too() {
    let mesh = Mesh::of(2).await;
    mesh.net.set(1, Mode::Fails);
    mesh.net.set(2, Mode::Fails);
    for _ in 0..7 {
        assert_eq!(mesh.get(&keys(0..1)).await.outcome, GetOutcome::Away(Away::Failed));
    }
    assert_eq!(mesh.state().breaker, OPEN);
}

fn said(index: u32, outcome: Option<Outcome>) -> IndexedLookup {
    IndexedLookup { index, lookup: Some(Message { outcome }) }
}

fn lease(bytes: usize) -> Option<Outcome> {
    Some(Outcome::Lease(Lease { token: vec![1; bytes].into() }))
}

#[tokio::test(start_paused = true)]
async fn garbage_is_a_failure_and_nothing_of_it_is_believed() {
    let unknown = Body { data: "a row".into(), content_type: String::new(), compression: 99 };
    let cases = [
        ("an index twice", vec![said(0, lease(8)), said(0, lease(8))]),
        ("an index not at all", vec![said(0, lease(8))]),
        ("none", vec![]),
        ("an index too far", vec![said(0, lease(8)), said(1, lease(8)), said(2, lease(8))]),
        ("no outcome", vec![said(0, lease(8)), said(1, None)]),
        ("no lookup", vec![said(0, lease(8)), IndexedLookup { index: 1, lookup: None }]),
        ("an empty lease", vec![said(0, lease(8)), said(1, lease(0))]),
        ("a lease too long", vec![said(0, lease(8)), said(1, lease(65))]),
        ("a body of an unknown kind", vec![said(0, lease(8)), said(1, Some(Outcome::Hit(unknown)))]),
    ];
    for (what, says) in cases {
        let mesh = Mesh::of(1).await;
        mesh.net.set(1, Mode::Says(says));
        let gotten = mesh.get(&keys(0..2)).await;
        assert_eq!(gotten.outcome, GetOutcome::Away(Away::Failed), "{what}");
        assert_eq!(gotten.lookups, vec![Lookup::Miss(None); 2], "{what}");
        for _ in 0..6 {
            mesh.get(&keys(0..2)).await;
        }
        assert_eq!(mesh.state().breaker, OPEN, "{what}");
    }
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Says(vec![said(1, lease(8)), said(0, lease(64))]));
    let gotten = mesh.get(&keys(0..2)).await;
    assert_eq!((gotten.outcome, gotten.lookups.iter().all(has_lease)), (GetOutcome::Answered, true));
}

#[tokio::test(start_paused = true)]
async fn what_came_of_a_batch_in_time_is_used_and_opens_no_breaker() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Stalls);
    for _ in 0..20 {
        let (gotten, took) = timed(mesh.get(&keys(0..251))).await;
        // Twice the deadline for more than 250 keys.
        assert_eq!((gotten.outcome, took), (GetOutcome::Away(Away::Deadline), 2 * DEADLINE));
        assert!(gotten.lookups[..100].iter().all(has_lease));
        assert_eq!(gotten.lookups[100..], vec![Lookup::Miss(None); 151]);
    }
    assert_eq!(mesh.state().breaker, CLOSED);
}

#[tokio::test(start_paused = true)]
async fn garbage_for_one_key_is_a_failure_too() {
    for says in [vec![], vec![said(0, None)], vec![said(0, lease(0))]] {
        let mesh = Mesh::of(1).await;
        mesh.net.set(1, Mode::Says(says));
        let gotten = mesh.get(&keys(0..1)).await;
        assert_eq!((gotten.outcome, &gotten.lookups[..]), (GetOutcome::Away(Away::Failed), &[Lookup::Miss(None)][..]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_cache_that_goes_away_is_noticed() {
    let net = Net::of(1);
    let mesh = Mesh::with(net, |_| {}).await;
    mesh.net.set(1, Mode::BlackHole);
    let (_, took) = timed(mesh.cache.warmth_changed(Warmth::Warm)).await;
    assert!(took <= Duration::from_secs(10), "{took:?}");
    assert_eq!(mesh.state().connected, 0);
    mesh.shows("layer_cache_replicas{state=\"connected\"} 0");
    let (gotten, took) = timed(mesh.get(&keys(0..1))).await;
    assert_eq!((gotten.outcome, took), (GetOutcome::Away(Away::NoReplica), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn fills_for_a_cache_that_is_away_are_dropped_and_counted() {
    let mesh = Mesh::with(Net::of(1), |settings| settings.fill_queue_max = 2).await;
    let gotten = mesh.get(&keys(0..3)).await;
    let fills = |lookups: &[Lookup]| {
        let fill = |(key, lookup): (Key, &Lookup)| match lookup {
            Lookup::Miss(Some(lease)) => {
                crate::Fill { key, lease: lease.clone(), body: crate::Body::document("{}"), ttl: None }
            }
            other => panic!("{other:?}"),
        };
        keys(0..3).into_iter().zip(lookups).map(fill).collect::<Vec<_>>()
    };
    mesh.cache.fill(&mesh.scope, fills(&gotten.lookups));
    mesh.until(|mesh| mesh.net.backend().ttls.len() == 2).await;
    mesh.shows("layer_cache_fills_total{status=\"dropped\"} 1");
    mesh.net.set(1, Mode::Hangs);
    mesh.cache.fill(&mesh.scope, fills(&gotten.lookups)[..1].to_vec());
    mesh.until(|mesh| mesh.metrics.text().contains("layer_cache_fills_total{status=\"failed\"} 1")).await;
    for _ in 0..7 {
        mesh.one(0).await;
    }
    mesh.cache.fill(&mesh.scope, fills(&gotten.lookups));
    mesh.shows("layer_cache_fills_total{status=\"away\"} 3");
}

/// It was stored so: nobody who sends it is to blame, and what came with it is believed.
#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_unpacked_is_a_miss_of_its_key_alone() {
    let mesh = Mesh::of(1).await;
    // The head of a frame of so many bytes, and nothing of it.
    let frame = [&zstd::bulk::compress(&[b'x'; 500], 1).unwrap()[..8], b"garbage".as_slice()].concat();
    let broken = Body { data: frame.into(), content_type: String::new(), compression: Compression::Zstd.into() };
    for _ in 0..10 {
        mesh.net.set(1, Mode::Says(vec![said(0, lease(8)), said(1, Some(Outcome::Hit(broken.clone())))]));
        let gotten = mesh.get(&keys(0..2)).await;
        assert_eq!((gotten.outcome, has_lease(&gotten.lookups[0])), (GetOutcome::Answered, true));
        assert_eq!(gotten.lookups[1], Lookup::Miss(None));
        mesh.net.set(1, Mode::Says(vec![said(0, Some(Outcome::Hit(broken.clone())))]));
        assert_eq!(mesh.one(0).await, Lookup::Miss(None));
    }
    assert_eq!(mesh.state().breaker, CLOSED);
    mesh.shows("layer_cache_unreadable_total 20");
}
