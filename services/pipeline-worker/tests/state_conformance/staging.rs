use pipeline_worker::state::{Completed, Failed, Guard, Held, Refusal, Staging};

use crate::stores::{PIPELINE, Q, Store, at_once, body, held, ids, staging};

pub async fn items_enter_the_first_stage(store: &Store) {
    store.queue(|_| {}).await;
    let now = store.state.now_ms().await.unwrap();
    let items: Vec<_> = ["b", "a", "é"].iter().map(|id| staging(id, body(now))).collect();
    let staged = store.state.stage(PIPELINE, Q, &items).await.unwrap();
    assert_eq!(staged.iter().map(|s| s.item.as_str()).collect::<Vec<_>>(), ["b", "a", "é"]);
    assert!(staged.iter().all(|s| !s.restaged && !s.unchanged && s.version >= now));
    let found = store.state.items(PIPELINE, Q, &["é".to_owned(), "none".to_owned()]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].item.as_str(), found[0].body), ("é", items[2].body));
    assert_eq!(store.at("a").await, ("pending".to_owned(), "Ready".to_owned(), 0));
    let doubled = [items[0].clone(), items[0].clone()];
    assert!(store.state.stage(PIPELINE, Q, &doubled).await.unwrap_err().to_string().contains("`items`"));
}

pub async fn a_repeated_call_changes_nothing_until_the_item_is_claimed(store: &Store) {
    store.queue(|_| {}).await;
    let first = staging("x", body(store.state.now_ms().await.unwrap()));
    let before = store.state.stage(PIPELINE, Q, std::slice::from_ref(&first)).await.unwrap();
    // The repeated call has stored the same content once more, under another key.
    let mut again = first.clone();
    again.body.as_mut().unwrap().minted_ms += 1;
    let after = store.state.stage(PIPELINE, Q, &[again.clone()]).await.unwrap();
    assert!(after[0].unchanged && after[0].version == before[0].version, "{after:?}");
    let found = store.state.items(PIPELINE, Q, &["x".to_owned()]).await.unwrap();
    assert_eq!(found[0].body, first.body);
    assert_eq!(store.numbers("SELECT COUNT(*) FROM stale").await, [[0]]);
    store.claim(1).await;
    let claimed = store.state.stage(PIPELINE, Q, &[again]).await.unwrap();
    assert!(!claimed[0].unchanged && claimed[0].version > before[0].version, "{claimed:?}");
}

pub async fn another_body_is_another_version(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let now = store.state.now_ms().await.unwrap();
    let mut last = 0;
    for _ in 0..3 {
        let staged = store.state.stage(PIPELINE, Q, &[staging("x", body(now))]).await.unwrap();
        assert!(staged[0].restaged && staged[0].version > last, "{staged:?} after {last}");
        last = staged[0].version;
    }
}

pub async fn staging_again_cancels_what_is_in_flight(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let claimed = store.claim(1).await;
    store.stage(&["x"]).await;
    let (state, guard, late) = (&store.state, Guard::default(), held(&claimed));
    let beat = state.heartbeat(PIPELINE, Q, &late, &guard, 1000).await.unwrap();
    assert_eq!(beat[0].verdict, Err(Refusal::StaleToken));
    let completed = [Completed { held: late[0].clone(), output: None }];
    let done = state.complete(PIPELINE, Q, &completed, &guard, None).await.unwrap();
    assert_eq!(done[0].verdict, Err(Refusal::StaleToken));
    let failed = [Failed { held: late[0].clone(), permanent: true, message: String::new() }];
    assert_eq!(state.fail(PIPELINE, Q, &failed, &guard).await.unwrap()[0].verdict, Err(Refusal::StaleToken));
    let released = state.release(PIPELINE, Q, &late, &guard).await.unwrap();
    assert_eq!(released[0].verdict, Err(Refusal::StaleToken));
    let moved = state.set_stage(PIPELINE, Q, &late, &guard, "indexed", false).await.unwrap();
    assert_eq!(moved[0].verdict, Err(Refusal::StaleToken));
    let old = [Held { version: Some(claimed[0].version), ..Held::any("x") }];
    let completed = [Completed { held: old[0].clone(), output: None }];
    let done = state.complete(PIPELINE, Q, &completed, &guard, Some("indexed")).await.unwrap();
    assert_eq!(done[0].verdict, Err(Refusal::StaleVersion));
    assert_eq!(store.at("x").await, ("pending".to_owned(), "Ready".to_owned(), 0));
    let anew = store.claim(1).await;
    assert!(anew[0].token > claimed[0].token && anew[0].version > claimed[0].version && anew[0].attempt == 1);
}

pub async fn a_version_is_above_its_floor(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let now = store.state.now_ms().await.unwrap();
    let floor = now + 1_000_000;
    let items = ["x", "y"].map(|id| Staging { version_floor: floor, ..staging(id, body(now)) });
    let staged = store.state.stage(PIPELINE, Q, &items).await.unwrap();
    assert!(staged.iter().all(|staged| staged.version >= floor), "{staged:?}");
    // A repeated call too: the origin is known to hold newer rows than the version that was answered first.
    let repeated = Staging { version_floor: floor + 1_000_000, ..items[0].clone() };
    let raised = store.state.stage(PIPELINE, Q, &[repeated]).await.unwrap();
    assert!(!raised[0].unchanged && raised[0].version >= floor + 1_000_000, "{raised:?}");
    // The clock is behind the version now; it grows all the same.
    let later = store.state.stage(PIPELINE, Q, &[staging("x", body(now))]).await.unwrap();
    assert!(later[0].version > raised[0].version, "{later:?}");
}

pub async fn staging_again_forgets_outputs_and_failures(store: &Store) {
    let stages = ["pending", "chunking", "embedding", "indexed"].map(str::to_owned).to_vec();
    store.staged(&["x", "y"], |s| (s.stages, s.retry) = (stages, at_once())).await;
    let chunking = pipeline_worker::state::Claim { claim_stage: "chunking".to_owned(), ..crate::stores::claim(2) };
    let claimed = store.state.claim(PIPELINE, Q, &chunking).await.unwrap();
    assert_eq!(ids(&claimed).len(), 2);
    let held = held(&claimed);
    let output = crate::stores::output("chunking", body(store.state.now_ms().await.unwrap()));
    let completed = [Completed { held: held[0].clone(), output }];
    store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
    let failed = [Failed { held: held[1].clone(), permanent: false, message: "no".to_owned() }];
    store.state.fail(PIPELINE, Q, &failed, &Guard::default()).await.unwrap();
    let kept = "SELECT (SELECT COUNT(*) FROM output), (SELECT COUNT(*) FROM failure)";
    assert_eq!(store.numbers(kept).await, [[1, 1]]);
    store.stage(&["x", "y"]).await;
    assert_eq!(store.numbers(kept).await, [[0, 0]]);
}
