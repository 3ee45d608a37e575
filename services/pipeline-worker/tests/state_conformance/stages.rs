use pipeline_worker::state::{Completed, Guard, Held, Reason, Refusal};

use crate::stores::{PIPELINE, Q, Store, body, held, output};

pub async fn published_clients_move_documents_by_stage_and_worker(store: &Store) {
    store.staged(&["a", "b", "c"], |_| {}).await;
    store.claim(3).await;
    let of = |worker: &str| Guard { worker: Some(worker.to_owned()), stage: Some("embedding".to_owned()) };
    let to = async |id: &str, stage: &str, worker: &str| {
        let moved = store.state.set_stage(PIPELINE, Q, &[Held::any(id)], &of(worker), stage, false).await;
        moved.unwrap()[0].verdict
    };
    assert_eq!(to("a", "pending", "other").await, Err(Refusal::OtherWorker));
    assert_eq!(to("a", "pending", "w").await, Ok(()));
    assert_eq!(to("a", "pending", "w").await, Err(Refusal::NotLeased));
    assert_eq!(to("b", "failed", "w").await, Ok(()));
    assert_eq!(to("c", "indexed", "w").await, Ok(()));
    assert_eq!(store.at("a").await, ("pending".to_owned(), "Ready".to_owned(), 0));
    assert_eq!(store.at("c").await.1, "Done");
    let dead = store.state.dead_letters(PIPELINE, Q, "", 9).await.unwrap();
    assert_eq!((dead[0].item.as_str(), dead[0].reason, dead[0].stage.as_str()), ("b", Reason::Requested, "pending"));
    let status = store.state.status(PIPELINE, Q).await.unwrap();
    assert_eq!(status.failures, [(Reason::Requested, 1)]);
}

pub async fn a_document_without_chunks_is_made_where_it_is_missing(store: &Store) {
    store.staged(&["a"], |_| {}).await;
    let both = [Held::any("a"), Held::any("b")];
    let guard = Guard::default();
    let moved = store.state.set_stage(PIPELINE, Q, &both, &guard, "embedding", false).await.unwrap();
    assert_eq!((moved[0].verdict, moved[1].verdict), (Ok(()), Err(Refusal::NotFound)));
    let moved = store.state.set_stage(PIPELINE, Q, &both, &guard, "embedding", true).await.unwrap();
    assert_eq!((moved[0].verdict, moved[1].verdict), (Ok(()), Ok(())));
    let found = store.state.items(PIPELINE, Q, &["b".to_owned()]).await.unwrap();
    assert_eq!((found[0].stage.as_str(), found[0].body), ("embedding", None));
}

pub async fn an_unguarded_move_ends_the_lease(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let claimed = held(&store.claim(1).await);
    let moved = store.state.set_stage(PIPELINE, Q, &[Held::any("x")], &Guard::default(), "embedding", false).await;
    assert_eq!(moved.unwrap()[0].verdict, Ok(()));
    assert_eq!(store.at("x").await, ("embedding".to_owned(), "Ready".to_owned(), 0));
    let completed = [Completed { held: claimed[0].clone(), output: None }];
    let late = store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
    assert_eq!(late[0].verdict, Err(Refusal::StaleToken));
}

/// Its name would be that of the other stage's output, under which nothing was stored.
pub async fn an_output_counts_for_the_stage_that_it_was_stored_under(store: &Store) {
    let stages = ["pending", "chunking", "embedding", "indexed"].map(str::to_owned).to_vec();
    store.staged(&["x"], |s| s.stages = stages).await;
    let move_to = async |stage| {
        store.state.set_stage(PIPELINE, Q, &[Held::any("x")], &Guard::default(), stage, false).await.unwrap();
    };
    move_to("chunking").await;
    let put_out = output("chunking", body(store.state.now_ms().await.unwrap()));
    let completed = [Completed { held: Held::any("x"), output: put_out }];
    move_to("embedding").await;
    let complete = async || store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
    assert_eq!(complete().await[0].verdict, Err(Refusal::WrongStage));
    assert_eq!(store.at("x").await.0, "embedding");
    assert!(store.numbers("SELECT stage FROM output").await.is_empty());
    move_to("chunking").await;
    assert_eq!(complete().await[0].verdict, Ok(()));
    assert_eq!(store.numbers("SELECT stage FROM output").await, [[1]]);
}

pub async fn what_is_done_is_counted_per_minute(store: &Store) {
    store.staged(&["a", "b", "c"], |_| {}).await;
    let completed: Vec<_> =
        held(&store.claim(2).await).into_iter().map(|held| Completed { held, output: None }).collect();
    store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
    let status = store.state.status(PIPELINE, Q).await.unwrap();
    assert!((status.done_per_minute - 2.0).abs() < 1e-9 && status.rate_window_ms == 60_000, "{status:?}");
    let names: Vec<_> = status.stages.iter().map(|stage| stage.stage.as_str()).collect();
    assert_eq!(names, ["pending", "embedding", "indexed", "failed"]);
    let totals: Vec<_> = status.stages.iter().map(pipeline_worker::state::StageCount::total).collect();
    assert_eq!(totals, [1, 0, 2, 0]);
}
