use pipeline_worker::state::{Error, Kind, Spec};

use crate::stores::{LONG, PIPELINE, Q, Store, claim};

pub async fn a_queue_is_made_found_listed_and_deleted(store: &Store) {
    let state = &store.state;
    let spec = Spec { leased_max: 7, rest: "{\"a\":1}".to_owned(), ..Spec::default() };
    for name in ["b", "a", "c"] {
        state.create(PIPELINE, name, &spec).await.unwrap();
    }
    let made = state.get(PIPELINE, "b").await.unwrap();
    assert_eq!((made.name.as_str(), &made.spec), ("b", &spec));
    let age = state.now_ms().await.unwrap() - made.created_ms;
    assert!((0..60_000).contains(&age), "{age}");
    let names = |queues: Vec<pipeline_worker::state::Queue>| -> Vec<String> {
        queues.into_iter().map(|queue| queue.name).collect()
    };
    assert_eq!(names(state.list(PIPELINE, "", 2).await.unwrap()), ["a", "b"]);
    assert_eq!(names(state.list(PIPELINE, "b", 2).await.unwrap()), ["c"]);
    assert!(state.list(Kind::Function, "", 2).await.unwrap().is_empty());
    assert!(matches!(state.create(PIPELINE, "a", &spec).await, Err(Error::QueueExists { .. })));
    state.create(Kind::Function, "a", &spec).await.unwrap();
    state.delete(PIPELINE, "a").await.unwrap();
    assert!(matches!(state.get(PIPELINE, "a").await, Err(Error::QueueNotFound { .. })));
    assert!(matches!(state.delete(PIPELINE, "a").await, Err(Error::QueueNotFound { .. })));
    assert_eq!(names(state.list(PIPELINE, "", 9).await.unwrap()), ["b", "c"]);
    assert!(matches!(state.claim(PIPELINE, "a", &claim(1)).await, Err(Error::QueueNotFound { .. })));
}

pub async fn a_name_is_free_again_at_once_for_a_queue_of_its_own(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let before = store.state.get(PIPELINE, Q).await.unwrap().id;
    store.state.delete(PIPELINE, Q).await.unwrap();
    store.queue(|_| {}).await;
    assert_ne!(store.state.get(PIPELINE, Q).await.unwrap().id, before);
    assert!(store.claim(9).await.is_empty());
}

pub async fn what_makes_no_sense_is_refused_by_the_fields_name(store: &Store) {
    store.queue(|_| {}).await;
    let state = &store.state;
    let names = |error: Error, field: &str| assert!(error.to_string().contains(&format!("`{field}`")), "{error}");
    names(state.create(PIPELINE, "a b", &Spec::default()).await.unwrap_err(), "id");
    let few = Spec { stages: vec!["a".to_owned()], ..Spec::default() };
    names(state.create(PIPELINE, "a", &few).await.unwrap_err(), "stages");
    names(state.stage(PIPELINE, Q, &[]).await.unwrap_err(), "items");
    names(state.items(PIPELINE, Q, &["a\u{0}".to_owned()]).await.unwrap_err(), "items");
    let wrong = |change: fn(&mut pipeline_worker::state::Claim)| {
        let mut claim = claim(1);
        change(&mut claim);
        claim
    };
    names(state.claim(PIPELINE, Q, &wrong(|c| c.limit = 0)).await.unwrap_err(), "limit");
    names(state.claim(PIPELINE, Q, &wrong(|c| c.lease_ms = 0)).await.unwrap_err(), "lease_ms");
    names(state.claim(PIPELINE, Q, &wrong(|c| c.lease_ms = 1000 * LONG)).await.unwrap_err(), "lease_ms");
    names(state.claim(PIPELINE, Q, &wrong(|c| c.worker.clear())).await.unwrap_err(), "worker_id");
    names(state.claim(PIPELINE, Q, &wrong(|c| c.stage = "x".to_owned())).await.unwrap_err(), "stage");
}
