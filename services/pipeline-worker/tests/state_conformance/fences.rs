use pipeline_worker::state::{Completed, Failed, Guard, Held, Outcome, Refusal, Verdict};

use crate::stores::{LONG, PIPELINE, Q, Store, held};

/// What heartbeat, release, fail and complete say, in this order: whoever is refused by all of them moves nothing.
async fn all_four(store: &Store, held: &Held, guard: &Guard) -> [Verdict; 4] {
    let (state, one) = (&store.state, std::slice::from_ref(held));
    let verdict = |outcomes: Vec<Outcome>| outcomes[0].verdict;
    let failed = [Failed { held: held.clone(), permanent: true, message: String::new() }];
    let completed = [Completed { held: held.clone(), output: None }];
    [
        verdict(state.heartbeat(PIPELINE, Q, one, guard, LONG).await.unwrap()),
        verdict(state.release(PIPELINE, Q, one, guard).await.unwrap()),
        verdict(state.fail(PIPELINE, Q, &failed, guard).await.unwrap()),
        verdict(state.complete(PIPELINE, Q, &completed, guard, None).await.unwrap()),
    ]
}

pub async fn an_older_token_moves_nothing(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let first = held(&store.claim_briefly(1).await);
    let second = held(&store.claim(1).await);
    assert_eq!(all_four(store, &first[0], &Guard::default()).await, [Err(Refusal::StaleToken); 4]);
    assert_eq!(store.at("x").await, ("embedding".to_owned(), "Leased".to_owned(), 2));
    let beat = store.state.heartbeat(PIPELINE, Q, &second, &Guard::default(), LONG).await.unwrap();
    assert_eq!(beat[0].verdict, Ok(()));
}

pub async fn an_older_version_moves_nothing(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let old = store.claim(1).await[0].version;
    store.stage(&["x"]).await;
    store.claim(1).await;
    let late = Held { version: Some(old), ..Held::any("x") };
    let worker = Guard { worker: Some("w".to_owned()), stage: Some("embedding".to_owned()) };
    assert_eq!(all_four(store, &late, &worker).await, [Err(Refusal::StaleVersion); 4]);
    assert_eq!(store.at("x").await.1, "Leased");
}

pub async fn another_worker_moves_nothing(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    store.claim(1).await;
    let other = Guard { worker: Some("other".to_owned()), stage: None };
    assert_eq!(all_four(store, &Held::any("x"), &other).await, [Err(Refusal::OtherWorker); 4]);
    assert_eq!(store.at("x").await.1, "Leased");
}

pub async fn another_stage_moves_nothing(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    store.claim(1).await;
    let other = Guard { worker: None, stage: Some("pending".to_owned()) };
    assert_eq!(all_four(store, &Held::any("x"), &other).await, [Err(Refusal::WrongStage); 4]);
    assert_eq!(store.at("x").await.1, "Leased");
}

pub async fn one_refusal_hinders_no_other_item(store: &Store) {
    store.staged(&["x", "y"], |_| {}).await;
    let claimed = store.claim(2).await;
    let mut held = held(&claimed);
    let refused = held[0].item.clone();
    held[0].token = Some(1);
    held.push(Held::any("none"));
    let completed: Vec<_> = held.iter().map(|held| Completed { held: held.clone(), output: None }).collect();
    let outcomes = store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
    let verdicts: Vec<_> = outcomes.iter().map(|outcome| outcome.verdict).collect();
    assert_eq!(verdicts, [Err(Refusal::StaleToken), Ok(()), Err(Refusal::NotFound)]);
    assert_eq!(store.at(&refused).await.1, "Leased");
    assert_eq!(store.at(&held[1].item).await.1, "Done");
}

pub async fn a_completion_may_be_repeated(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let claimed = store.claim(1).await;
    let completed = [Completed { held: held(&claimed)[0].clone(), output: None }];
    for _ in 0..3 {
        let outcomes = store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
        assert_eq!((outcomes[0].verdict, outcomes[0].stage.as_deref()), (Ok(()), Some("indexed")));
    }
    // Only a completion may: nothing else is taken for a repetition of it.
    let failed = [Failed { held: completed[0].held.clone(), permanent: true, message: String::new() }];
    let failed = store.state.fail(PIPELINE, Q, &failed, &Guard::default()).await.unwrap();
    assert_eq!(failed[0].verdict, Err(Refusal::NotLeased));
    assert_eq!(store.state.status(PIPELINE, Q).await.unwrap().stages[2].ended, 1);
    let status = store.state.status(PIPELINE, Q).await.unwrap();
    assert!((status.done_per_minute - 1.0).abs() < 1e-9, "{status:?}");
}
