use pipeline_worker::state::{Claim, Completed, Guard, Held, Staging};

use crate::stores::{PIPELINE, Q, Store, body, claim, held, ids, output, staging};

pub async fn larger_priorities_come_first_then_the_older(store: &Store) {
    store.queue(|_| {}).await;
    for (id, priority) in [("old", 0), ("new", 0), ("urgent", 9), ("soon", 5)] {
        let now = store.state.now_ms().await.unwrap();
        let item = Staging { priority, ..staging(id, body(now)) };
        store.state.stage(PIPELINE, Q, &[item]).await.unwrap();
        store.pass(1).await;
    }
    assert_eq!(ids(&store.claim(3).await), ["urgent", "soon", "old"]);
    assert_eq!(ids(&store.claim(3).await), ["new"]);
}

pub async fn a_prefix_bounds_a_claim(store: &Store) {
    store.staged(&["a/1", "a/2", "a0", "ab", "b", "a%", "a_"], |_| {}).await;
    let of = |prefix: &str| Claim { prefix: prefix.to_owned(), ..claim(9) };
    let mut found = store.state.claim(PIPELINE, Q, &of("a/")).await.unwrap();
    found.sort_by(|a, b| a.item.cmp(&b.item));
    assert_eq!(ids(&found), ["a/1", "a/2"]);
    assert_eq!(ids(&store.state.claim(PIPELINE, Q, &of("a%")).await.unwrap()), ["a%"]);
    assert!(store.state.claim(PIPELINE, Q, &of("c")).await.unwrap().is_empty());
    assert_eq!(store.state.claim(PIPELINE, Q, &of("a")).await.unwrap().len(), 3);
    assert_eq!(ids(&store.claim(9).await), ["b"]);
}

pub async fn a_prefix_that_many_have_bounds_a_claim_as_well(store: &Store) {
    // More than are read one by one; the other half lies before and behind them.
    let names: Vec<_> = (0..5000).map(|n| format!("{}/{n:05}", ["b", "a", "b", "c"][n % 4])).collect();
    store.queue(|_| {}).await;
    store.stage(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let now = store.state.now_ms().await.unwrap();
    let urgent = ["b/urgent", "c/urgent"].map(|id| Staging { priority: 5, ..staging(id, body(now)) });
    store.state.stage(PIPELINE, Q, &urgent).await.unwrap();
    let of = |limit| Claim { prefix: "b/".to_owned(), ..claim(limit) };
    let first = store.state.claim(PIPELINE, Q, &of(100)).await.unwrap();
    assert!(first.len() == 100 && first.iter().any(|claimed| claimed.item == "b/urgent"), "{first:?}");
    let rest = store.state.claim(PIPELINE, Q, &of(5000)).await.unwrap();
    assert!(first.iter().chain(&rest).all(|claimed| claimed.item.starts_with("b/")));
    assert_eq!(rest.len(), 2501 - 100);
    assert!(store.state.claim(PIPELINE, Q, &of(1)).await.unwrap().is_empty());
}

pub async fn an_item_is_claimed_once(store: &Store) {
    store.staged(&["x", "y", "z"], |_| {}).await;
    let now = store.state.now_ms().await.unwrap();
    let first = store.claim(2).await;
    assert_eq!(first.len(), 2);
    assert!(first.iter().all(|c| c.attempt == 1 && c.token >= now && c.body.is_some()), "{first:?}");
    assert_eq!(store.claim(2).await.len(), 1);
    assert!(store.claim(2).await.is_empty());
    let found = store.state.items(PIPELINE, Q, &["x".to_owned()]).await.unwrap();
    assert_eq!((found[0].stage.as_str(), found[0].worker.as_deref()), ("embedding", Some("w")));
    let status = store.state.status(PIPELINE, Q).await.unwrap();
    assert_eq!((status.stages[0].total(), status.stages[1].leased), (0, 3));
}

pub async fn a_claim_never_takes_what_waits_for_another_stage(store: &Store) {
    let stages = ["pending", "extract", "embedding", "indexed"].map(str::to_owned).to_vec();
    store.staged(&["x"], |s| s.stages = stages).await;
    let within = Claim { stage: "extract".to_owned(), claim_stage: "extract".to_owned(), ..claim(9) };
    assert!(store.state.claim(PIPELINE, Q, &within).await.unwrap().is_empty());
    store.state.set_stage(PIPELINE, Q, &[Held::any("x")], &Guard::default(), "extract", false).await.unwrap();
    assert!(store.claim(9).await.is_empty());
    assert_eq!(ids(&store.state.claim(PIPELINE, Q, &within).await.unwrap()), ["x"]);
}

pub async fn a_concurrency_limit_holds_across_claims(store: &Store) {
    store.staged(&["a", "b", "c", "d"], |s| s.leased_max = 3).await;
    let first = store.claim(2).await;
    assert_eq!(first.len(), 2);
    assert_eq!(store.claim(2).await.len(), 1);
    assert!(store.claim(2).await.is_empty());
    let done = [Completed { held: held(&first)[0].clone(), output: None }];
    store.state.complete(PIPELINE, Q, &done, &Guard::default(), None).await.unwrap();
    assert_eq!(store.claim(2).await.len(), 1);
}

pub async fn stages_are_passed_one_by_one(store: &Store) {
    let stages = ["in", "cut", "embed", "index", "out"].map(str::to_owned).to_vec();
    store.staged(&["x"], |s| s.stages = stages).await;
    for (source, stage, next) in [("in", "cut", "embed"), ("embed", "embed", "index"), ("index", "index", "out")] {
        let claim = Claim { stage: source.to_owned(), claim_stage: stage.to_owned(), ..claim(1) };
        let claimed = store.state.claim(PIPELINE, Q, &claim).await.unwrap();
        assert_eq!((ids(&claimed), claimed[0].attempt), (vec!["x"], 1), "{stage}");
        let put_out = output(stage, body(store.state.now_ms().await.unwrap()));
        let completed = [Completed { held: held(&claimed)[0].clone(), output: put_out }];
        let outcome = store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
        assert_eq!((outcome[0].verdict, outcome[0].stage.as_deref()), (Ok(()), Some(next)));
    }
    assert_eq!(store.at("x").await.1, "Done");
    assert_eq!(store.numbers("SELECT stage FROM output ORDER BY stage").await, [[1], [2], [3]]);
}

pub async fn a_claim_into_the_last_stage_is_refused(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    for (stage, claim_stage) in [("pending", "indexed"), ("embedding", "pending"), ("failed", "embedding")] {
        let wrong = Claim { stage: stage.to_owned(), claim_stage: claim_stage.to_owned(), ..claim(1) };
        let refused = store.state.claim(PIPELINE, Q, &wrong).await.unwrap_err();
        assert!(refused.to_string().contains("`claim_stage`"), "{refused}");
    }
}

/// How long a claim and its completion take, at best: machines have bad moments.
async fn fastest_round(store: &Store) -> std::time::Duration {
    let mut fastest = std::time::Duration::MAX;
    for _ in 0..10 {
        let started = std::time::Instant::now();
        let completed: Vec<_> =
            held(&store.claim(50).await).into_iter().map(|held| Completed { held, output: None }).collect();
        assert_eq!(completed.len(), 50);
        store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
        fastest = fastest.min(started.elapsed());
    }
    fastest
}

pub async fn a_deep_queue_is_no_slower_than_a_shallow_one(store: &Store) {
    let names: Vec<_> = (0..40_000).map(|n| format!("{n:05}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    store.staged(&names[..1000], |_| {}).await;
    let shallow = fastest_round(store).await;
    for some in names[1000..].chunks(5000) {
        store.stage(some).await;
    }
    // A statement that reads the whole queue takes forty times as long.
    let deep = fastest_round(store).await;
    let most = shallow * 4 + std::time::Duration::from_millis(25);
    assert!(deep < most, "{deep:?} for 40,000 items, {shallow:?} for 1,000");
}
