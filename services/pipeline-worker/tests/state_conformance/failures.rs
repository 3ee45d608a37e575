use pipeline_worker::state::{Claimed, Failed, Guard, Reason, Refusal, Retry};

use crate::stores::{PIPELINE, Q, Store, at_once, held, ids};

async fn fail(store: &Store, claimed: &[Claimed], permanent: bool, message: &str) {
    let failed: Vec<_> =
        held(claimed).into_iter().map(|held| Failed { held, permanent, message: message.to_owned() }).collect();
    for _ in 0..2 {
        // Repeated, it changes nothing more.
        let outcomes = store.state.fail(PIPELINE, Q, &failed, &Guard::default()).await.unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.verdict == Ok(())), "{outcomes:?}");
    }
}

pub async fn what_failed_waits_and_is_tried_again(store: &Store) {
    let retry = Retry { initial_backoff_ms: 60_000, max_backoff_ms: 60_000, ..Retry::default() };
    store.staged(&["x"], |s| s.retry = retry).await;
    let before = store.state.now_ms().await.unwrap();
    fail(store, &store.claim(1).await, false, "later").await;
    assert_eq!(store.at("x").await, ("pending".to_owned(), "Delayed".to_owned(), 1));
    let wake = store.state.items(PIPELINE, Q, &["x".to_owned()]).await.unwrap()[0].wake_ms.unwrap();
    let now = store.state.now_ms().await.unwrap();
    assert!((before + 30_000..=now + 60_000).contains(&wake), "{wake} not in half to all of the backoff from {before}");
    assert!(store.claim(1).await.is_empty());
    store.run("UPDATE item SET wake_ms = wake_ms - 60000".to_owned()).await;
    let again = store.claim(1).await;
    assert_eq!((ids(&again), again[0].attempt), (vec!["x"], 2));
}

pub async fn what_fails_every_time_is_dead(store: &Store) {
    store.staged(&["x"], |s| s.retry = Retry { attempts_max: 3, ..at_once() }).await;
    for attempt in 1..=3 {
        let claimed = store.claim(1).await;
        assert_eq!(claimed[0].attempt, attempt);
        fail(store, &claimed, false, &format!("no {attempt}")).await;
    }
    assert!(store.claim(1).await.is_empty());
    let dead = store.state.dead_letters(PIPELINE, Q, "", 9).await.unwrap();
    assert_eq!((dead[0].reason, dead[0].message.as_str(), dead[0].attempts), (Reason::Attempts, "no 3", 3));
    let status = store.state.status(PIPELINE, Q).await.unwrap();
    assert_eq!((status.failures, status.stages[3].ended), (vec![(Reason::Attempts, 1)], 1));
}

pub async fn what_fails_for_good_is_dead_at_once(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let claimed = store.claim(1).await;
    fail(store, &claimed, true, "never").await;
    assert_eq!(store.at("x").await, ("failed".to_owned(), "Dead(Permanent)".to_owned(), 1));
    let beat = store.state.heartbeat(PIPELINE, Q, &held(&claimed), &Guard::default(), 1000).await.unwrap();
    assert_eq!(beat[0].verdict, Err(Refusal::NotLeased));
}

pub async fn dead_letters_are_listed_in_pages_and_put_back(store: &Store) {
    store.staged(&["a", "b", "c", "d"], |_| {}).await;
    let claimed = store.claim(4).await;
    fail(store, &claimed[..3], true, "never").await;
    let first = store.state.dead_letters(PIPELINE, Q, "", 2).await.unwrap();
    let second = store.state.dead_letters(PIPELINE, Q, &first[1].item, 2).await.unwrap();
    assert_eq!((first.len(), second.len()), (2, 1));
    let by_id = store.state.requeue(PIPELINE, Q, &[first[0].item.clone(), claimed[3].item.clone()], 0).await.unwrap();
    assert_eq!(by_id, 1, "what is not dead is left alone");
    assert_eq!(store.state.requeue(PIPELINE, Q, &[], 1).await.unwrap(), 1);
    assert_eq!(store.state.requeue(PIPELINE, Q, &[], 9).await.unwrap(), 1);
    assert_eq!(store.state.requeue(PIPELINE, Q, &[], 9).await.unwrap(), 0);
    let again = store.claim(9).await;
    assert!(again.len() == 3 && again.iter().all(|claimed| claimed.attempt == 1), "{again:?}");
}

pub async fn a_long_message_is_cut(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    fail(store, &store.claim(1).await, true, &format!("a\u{0}b{}", "é".repeat(2000))).await;
    let dead = store.state.dead_letters(PIPELINE, Q, "", 9).await.unwrap();
    assert!(dead[0].message.starts_with("abé") && dead[0].message.len() <= 1024, "{}", dead[0].message.len());
}
