use pipeline_worker::state::{Claim, Completed, Failed, Guard, Reason, Refusal};

use crate::stores::{LONG, PIPELINE, Q, Store, claim, held, ids};

pub async fn a_lease_that_is_over_returns_its_item(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let first = store.claim_briefly(1).await;
    assert_eq!(store.at("x").await, ("pending".to_owned(), "Ready".to_owned(), 1));
    let second = store.claim(1).await;
    assert_eq!(ids(&second), ["x"]);
    assert!(second[0].token > first[0].token && second[0].attempt == 2, "{second:?} after {first:?}");
}

pub async fn a_lease_that_is_over_is_over_for_its_worker_too(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let late = held(&store.claim_briefly(1).await);
    let guard = Guard { worker: Some("w".to_owned()), stage: None };
    // Nobody has come by to move the row; the worker is refused all the same.
    for (held, guard) in [(late.clone(), Guard::default()), (vec![pipeline_worker::state::Held::any("x")], guard)] {
        let beat = store.state.heartbeat(PIPELINE, Q, &held, &guard, LONG).await.unwrap();
        assert_eq!(beat[0].verdict, Err(Refusal::NotLeased));
        let completed = [Completed { held: held[0].clone(), output: None }];
        let done = store.state.complete(PIPELINE, Q, &completed, &guard, None).await.unwrap();
        assert_eq!(done[0].verdict, Err(Refusal::NotLeased));
        let failed = [Failed { held: held[0].clone(), permanent: true, message: String::new() }];
        let failed = store.state.fail(PIPELINE, Q, &failed, &guard).await.unwrap();
        assert_eq!(failed[0].verdict, Err(Refusal::NotLeased));
        let released = store.state.release(PIPELINE, Q, &held, &guard).await.unwrap();
        assert_eq!(released[0].verdict, Err(Refusal::NotLeased));
    }
    assert_eq!(store.claim(1).await.len(), 1);
}

pub async fn a_heartbeat_keeps_a_lease(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let claimed = store.state.claim(PIPELINE, Q, &Claim { lease_ms: 2000, ..claim(1) }).await.unwrap();
    let held = held(&claimed);
    for _ in 0..3 {
        store.pass(900).await;
        let beat = store.state.heartbeat(PIPELINE, Q, &held, &Guard::default(), 2000).await.unwrap();
        assert_eq!(beat[0].verdict, Ok(()));
        assert!(store.claim(1).await.is_empty());
    }
    // A heartbeat may also shorten.
    store.state.heartbeat(PIPELINE, Q, &held, &Guard::default(), 1).await.unwrap();
    store.pass(2).await;
    assert_eq!(store.claim(1).await.len(), 1);
}

pub async fn a_released_item_keeps_its_place_and_its_attempts(store: &Store) {
    store.staged(&["first"], |_| {}).await;
    store.pass(1).await;
    store.stage(&["second"]).await;
    for _ in 0..2 {
        let claimed = store.claim(1).await;
        assert_eq!((ids(&claimed), claimed[0].attempt), (vec!["first"], 1));
        let held = held(&claimed);
        let released = store.state.release(PIPELINE, Q, &held, &Guard::default()).await.unwrap();
        assert_eq!(released[0].verdict, Ok(()));
        assert_eq!(store.at("first").await, ("pending".to_owned(), "Ready".to_owned(), 0));
        // Whoever gave it back has it no more, whatever is said next.
        let released = store.state.release(PIPELINE, Q, &held, &Guard::default()).await.unwrap();
        assert_eq!(released[0].verdict, Err(Refusal::StaleToken));
        let completed = [Completed { held: held[0].clone(), output: None }];
        let done = store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
        assert_eq!(done[0].verdict, Err(Refusal::StaleToken));
    }
}

pub async fn who_loses_leases_comes_in_ever_smaller_numbers(store: &Store) {
    let names: Vec<_> = (0..64).map(|n| format!("{n:02}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    store.staged(&names, |s| s.retry.leases_lost_max = 9).await;
    assert_eq!(store.claim_briefly(64).await.len(), 64);
    // All are suspects now: a quarter of the limit, then a sixteenth, then one.
    assert_eq!(store.claim_briefly(64).await.len(), 16);
    for _ in 0..3 {
        assert_eq!(store.claim(64).await.len(), 16);
    }
    let twice = store.claim_briefly(64).await;
    assert_eq!(twice.len(), 4);
    // Who was not suspected comes in full numbers, up to the first suspect.
    let fresh: Vec<_> = (0..64).map(|n| format!("new{n:02}")).collect();
    let fresh: Vec<_> = fresh.iter().map(String::as_str).collect();
    store.stage(&fresh).await;
    let mut sizes = Vec::new();
    loop {
        let claimed = store.claim(64).await;
        if claimed.is_empty() {
            break;
        }
        sizes.push(claimed.len());
    }
    assert_eq!(sizes.iter().sum::<usize>(), 12 + 4 + 64, "{sizes:?}");
    assert!(sizes.contains(&4) && sizes.iter().any(|size| *size >= 48), "{sizes:?}");
}

pub async fn who_loses_all_its_leases_dies_alone(store: &Store) {
    store.staged(&["poison"], |s| s.retry.leases_lost_max = 2).await;
    store.claim_briefly(9).await;
    store.stage(&["good"]).await;
    // It went to the end of its queue.
    store.pass(2).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.extend(store.claim_briefly(1).await.into_iter().map(|claimed| claimed.item));
    }
    seen.sort();
    assert_eq!(seen, ["good", "poison"]);
    assert_eq!(ids(&store.claim(9).await), ["good"]);
    let dead = store.state.dead_letters(PIPELINE, Q, "", 9).await.unwrap();
    assert_eq!((dead.len(), dead[0].item.as_str(), dead[0].reason), (1, "poison", Reason::Leases));
    assert_eq!((dead[0].stage.as_str(), dead[0].attempts), ("pending", 2));
    assert!(dead[0].message.contains("not heard of"), "{dead:?}");
}
