//! Look-ups that are joined, and batches that wait for their turn.

use std::time::Duration;

use futures_util::{future::join_all, poll};
use layer_proto::cache::v1;
use tokio::time::advance;

use super::{CLOSED, Mesh, OPEN, fake::Mode, has_lease, is_hit, keys, timed};
use crate::{Away, GetOutcome, Gotten, Key, get::KEYS_AT_ONCE};

const DEADLINE: Duration = Duration::from_millis(25);

impl Mesh {
    /// Look-ups of one key each, all at once.
    async fn each(&self, ids: std::ops::Range<u64>) -> Vec<Gotten> {
        let keys: Vec<[Key; 1]> = ids.map(|id| [Key::uint(id)]).collect();
        join_all(keys.iter().map(|key| self.get(key))).await
    }
}

#[tokio::test(start_paused = true)]
async fn look_ups_that_come_together_are_few_calls() {
    let mesh = Mesh::of(1).await;
    mesh.store(0..50).await;
    let before = mesh.net.calls(1);
    let gotten = mesh.each(0..100).await;
    for (id, gotten) in gotten.iter().enumerate() {
        assert_eq!(gotten.outcome, GetOutcome::Answered);
        assert!(if id < 50 { is_hit(&gotten.lookups[0]) } else { has_lease(&gotten.lookups[0]) }, "{id}");
    }
    assert!(mesh.net.calls(1) - before <= 2, "{} calls", mesh.net.calls(1) - before);
    assert_eq!(mesh.cache.gather.lanes(), 0, "nothing is kept of what has ended");
}

/// Each is told of its own key: the leases of different keys differ, and each fills its own.
#[tokio::test(start_paused = true)]
async fn nobody_is_told_of_anothers_key() {
    let mesh = Mesh::of(2).await;
    let asked = (0..300).map(|id| [Key::uint(id)]).collect::<Vec<_>>();
    let gotten = join_all(asked.iter().map(|key| mesh.get(key))).await;
    let fills = asked.iter().zip(gotten).map(|([key], gotten)| match &gotten.lookups[..] {
        [crate::Lookup::Miss(Some(lease))] => crate::Fill {
            key: key.clone(),
            lease: lease.clone(),
            body: crate::Body::document(format!("{key:?}")),
            ttl: None,
        },
        other => panic!("{other:?}"),
    });
    mesh.cache.fill(&mesh.scope, fills.collect());
    mesh.until(|mesh| mesh.net.backend().ttls.len() == 300).await;
    mesh.shows("layer_cache_fills_total{status=\"stored\"} 300");
    for ([key], gotten) in asked.iter().zip(mesh.each(0..300).await) {
        assert!(matches!(&gotten.lookups[0], crate::Lookup::Hit(body) if body.data == format!("{key:?}")));
    }
}

/// A call that was sent before a look-up came does not answer it; and what others' calls come to is not its own failure.
#[tokio::test(start_paused = true)]
async fn who_comes_later_is_answered_by_a_later_call_and_in_its_own_time() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Hangs);
    let mut first = std::pin::pin!(mesh.each(0..1));
    assert!(poll!(&mut first).is_pending());
    mesh.net.more(1, |seen| seen.calls).await;
    advance(Duration::from_micros(300)).await;
    let mut later = std::pin::pin!(timed(mesh.each(2..5)));
    assert!(poll!(&mut later).is_pending());
    mesh.net.set(1, Mode::Well);
    let first = first.await;
    assert!(first.iter().all(|gotten| gotten.outcome == GetOutcome::Away(Away::Deadline)));
    let (later, took) = later.await;
    assert!(later.iter().all(|gotten| has_lease(&gotten.lookups[0])), "{later:?}");
    assert!(took <= DEADLINE, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_long_keeps_nobody_waiting() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Hangs);
    let mut first = std::pin::pin!(mesh.each(0..3));
    assert!(poll!(&mut first).is_pending());
    mesh.net.more(1, |seen| seen.calls).await;
    advance(Duration::from_millis(1)).await;
    mesh.net.set(1, Mode::Well);
    let (lookup, took) = timed(mesh.one(3)).await;
    assert!(has_lease(&lookup));
    assert_eq!(took, Duration::ZERO);
    let gotten = first.await;
    assert_eq!(gotten[0].outcome, GetOutcome::Away(Away::Deadline));
    assert!(gotten[1..].iter().all(|gotten| has_lease(&gotten.lookups[0])), "they go along");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_takes_nothing_from_the_others() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Hangs);
    let mut alone = Box::pin(mesh.each(0..1));
    assert!(poll!(&mut alone).is_pending());
    mesh.net.more(1, |seen| seen.calls).await;
    let mut leaves = Box::pin(mesh.each(2..4));
    let mut stays = Box::pin(timed(mesh.each(4..6)));
    assert!(poll!(&mut leaves).is_pending() && poll!(&mut stays).is_pending());
    mesh.net.set(1, Mode::Well);
    drop(leaves);
    // Whose calls are under way: what waits behind them goes at once.
    drop(alone);
    let (gotten, took) = stays.await;
    assert!(gotten.iter().all(|gotten| has_lease(&gotten.lookups[0])));
    assert_eq!(took, Duration::ZERO);
    assert_eq!(mesh.cache.gather.lanes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_silent_cache_costs_the_joined_no_more_than_their_deadline_and_opens_the_breaker() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Hangs);
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    let mut under_way = Vec::new();
    for id in 0..100 {
        looks.tick().await;
        let (cache, scope) = (mesh.cache.clone(), mesh.scope.clone());
        under_way.push(tokio::spawn(async move { timed(cache.get(&scope, &[Key::uint(id)], None)).await }));
    }
    for under_way in under_way {
        let (gotten, took) = under_way.await.unwrap();
        assert!(matches!(gotten.outcome, GetOutcome::Away(Away::Deadline | Away::BreakerOpen)), "{gotten:?}");
        assert!(took <= DEADLINE, "{took:?}");
    }
    assert_eq!(mesh.state().breaker, OPEN);
    // One each millisecond at first, and each that fails makes room for another: the seventh failure ends it.
    assert!(mesh.net.calls(1) <= 16, "{} calls", mesh.net.calls(1));
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_believed_of_no_key() {
    let lease = |index| {
        let lease = v1::Lease { token: b"token".as_slice().into() };
        v1::IndexedLookup { index, lookup: Some(v1::Lookup { outcome: Some(v1::lookup::Outcome::Lease(lease)) }) }
    };
    for nonsense in [vec![lease(7)], vec![lease(0), lease(0)], vec![lease(0), lease(3)], vec![]] {
        let mesh = Mesh::of(1).await;
        mesh.net.set(1, Mode::Hangs);
        let mut first = Box::pin(mesh.each(0..1));
        assert!(poll!(&mut first).is_pending());
        mesh.net.more(1, |seen| seen.calls).await;
        let mut joined = Box::pin(mesh.each(2..5));
        assert!(poll!(&mut joined).is_pending());
        mesh.net.set(1, Mode::Says(nonsense));
        drop(first);
        let gotten = joined.await;
        assert!(gotten.iter().all(|gotten| gotten.outcome == GetOutcome::Away(Away::Failed)), "{gotten:?}");
    }
}

/// Late for some, and answering others over the same connection: busy, not away.
#[tokio::test(start_paused = true)]
async fn a_replica_that_answers_others_meanwhile_opens_no_breaker() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::HangsOnBatches);
    let batch = keys(0..100);
    let mut batches = std::pin::pin!(join_all((0..8).map(|_| mesh.get(&batch))));
    assert!(poll!(&mut batches).is_pending());
    advance(Duration::from_millis(10)).await;
    assert!(has_lease(&mesh.one(1000).await));
    let gotten = batches.await;
    assert!(gotten.iter().all(|gotten| gotten.outcome == GetOutcome::Away(Away::Deadline)));
    assert_eq!(mesh.state().breaker, CLOSED);
    assert!(has_lease(&mesh.one(1001).await));
}

/// What is too much at once waits for its turn, no longer than an answer may take, and blames nobody.
#[tokio::test(start_paused = true)]
async fn more_keys_than_a_worker_may_ask_for_wait() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::HangsOnBatches);
    let batch = keys(0..u64::try_from(KEYS_AT_ONCE).unwrap());
    let mut first = std::pin::pin!(mesh.get(&batch));
    assert!(poll!(&mut first).is_pending());
    let ten = keys(0..10);
    let (busy, took) = timed(mesh.get(&ten)).await;
    assert_eq!((busy.outcome, took), (GetOutcome::Away(Away::Busy), DEADLINE));
    assert_eq!(busy.lookups.len(), 10);
    let mut waits = std::pin::pin!(mesh.get(&ten));
    advance(Duration::from_millis(60)).await;
    assert!(poll!(&mut waits).is_pending());
    mesh.net.set(1, Mode::Well);
    assert_eq!(first.await.outcome, GetOutcome::Away(Away::Deadline));
    assert_eq!(waits.await.outcome, GetOutcome::Answered);
    assert_eq!(mesh.state().breaker, CLOSED);
}

/// Behind a call that hangs, with nobody after it who would look.
#[tokio::test(start_paused = true)]
async fn who_is_joined_to_nothing_goes_soon() {
    let mesh = Mesh::of(1).await;
    mesh.net.set(1, Mode::Hangs);
    let mut first = Box::pin(mesh.each(0..1));
    assert!(poll!(&mut first).is_pending());
    mesh.net.more(1, |seen| seen.calls).await;
    mesh.net.set(1, Mode::Well);
    let (second, took) = timed(mesh.one(1)).await;
    assert!(has_lease(&second));
    assert!(took <= Duration::from_millis(2), "{took:?}");
}

/// A call that broke after part of its answer is made again for the rest: nobody is told of another's key.
#[tokio::test(start_paused = true)]
async fn the_rest_of_a_broken_call_goes_to_another_replica() {
    for round in 0..10 {
        let mesh = Mesh::of(2).await;
        for id in 0..4 {
            let crate::Lookup::Miss(Some(lease)) = mesh.one(id).await else { panic!("no lease") };
            let body = crate::Body::document(id.to_string());
            mesh.cache.fill(&mesh.scope, vec![crate::Fill { key: Key::uint(id), lease, body, ttl: None }]);
        }
        mesh.until(|mesh| mesh.net.backend().ttls.len() == 4).await;
        mesh.net.set(1, Mode::Breaks);
        mesh.net.set(2, if round % 2 == 0 { Mode::Well } else { Mode::Breaks });
        for (id, gotten) in mesh.each(0..4).await.into_iter().enumerate() {
            let said = matches!(&gotten.lookups[0], crate::Lookup::Hit(body) if body.data == id.to_string());
            assert!(said || (round % 2 == 1 && gotten.outcome != GetOutcome::Answered), "{id}: {gotten:?}");
        }
    }
}
