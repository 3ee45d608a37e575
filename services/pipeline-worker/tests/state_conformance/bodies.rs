use pipeline_worker::state::{Body, Completed, Error, Guard};

use crate::stores::{PIPELINE, Q, Store, body, held, output, staging};

const HOUR_MS: i64 = 3_600_000;

pub async fn a_body_that_could_be_swept_is_not_named(store: &Store) {
    store.staged(&["y"], |_| {}).await;
    let old = body(store.state.now_ms().await.unwrap() - 12 * HOUR_MS - 1);
    let refused = store.state.stage(PIPELINE, Q, &[staging("x", old)]).await;
    assert!(matches!(refused, Err(Error::BodyExpired)), "{refused:?}");
    let completed = [Completed { held: held(&store.claim(1).await)[0].clone(), output: output("embedding", old) }];
    let refused = store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await;
    assert!(matches!(refused, Err(Error::BodyExpired)), "{refused:?}");
    assert_eq!(store.at("y").await.1, "Leased");
    assert!(store.state.items(PIPELINE, Q, &["x".to_owned()]).await.unwrap().is_empty());
}

pub async fn only_old_bodies_that_no_row_names_are_orphans(store: &Store) {
    store.queue(|_| {}).await;
    let now = store.state.now_ms().await.unwrap();
    let old = now - 25 * HOUR_MS;
    let (named, put_out, unnamed, young) = (body(now), body(now), body(old), body(now - 23 * HOUR_MS));
    store.state.stage(PIPELINE, Q, &[staging("x", named)]).await.unwrap();
    let completed = [Completed { held: held(&store.claim(1).await)[0].clone(), output: output("embedding", put_out) }];
    store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
    // A day and more later.
    for statement in ["UPDATE item SET body_minted = $1", "UPDATE output SET body_minted = $1"] {
        sqlx::query(statement).bind(old).execute(&store.raw).await.unwrap();
    }
    let stored = [named, put_out].map(|body| Body { minted_ms: old, ..body });
    let all = [stored[0], stored[1], unnamed, young].map(|body| ("x".to_owned(), body));
    let queue = store.state.get(PIPELINE, Q).await.unwrap().id;
    assert_eq!(store.state.orphans(queue, &all).await.unwrap(), [("x".to_owned(), unnamed)]);
    // Staged again: what was named is nobody's, and nothing else is.
    store.state.stage(PIPELINE, Q, &[staging("x", body(now))]).await.unwrap();
    let orphans = store.state.orphans(queue, &all).await.unwrap();
    assert_eq!(orphans.len(), 3, "{orphans:?}");
    assert!(!orphans.iter().any(|(_, body)| *body == young));
}
