use pipeline_worker::state::{Body, Completed, Error, Guard, InPack};

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

/// Bodies that share an object.
fn pack(id: i64, minted_ms: i64) -> impl FnMut() -> Body {
    let mut start = 0;
    move || {
        start += 100;
        Body { pack: Some(InPack { id, start, bytes: u32::MAX }), ..body(minted_ms) }
    }
}

const PACKS: &str = "SELECT pack FROM pack ORDER BY pack";

pub async fn a_pack_lives_as_long_as_a_row_names_it(store: &Store) {
    store.queue(|_| {}).await;
    let now = store.state.now_ms().await.unwrap();
    let (mut first, mut other, mut put_out) = (pack(-7, now), pack(8, now), pack(9, now));
    let staged = [staging("x", first()), staging("y", first()), staging("z", other())];
    store.state.stage(PIPELINE, Q, &staged).await.unwrap();
    let all = store.state.items(PIPELINE, Q, &["x", "y", "z"].map(str::to_owned)).await.unwrap();
    assert_eq!(all.iter().map(|item| item.body).collect::<Vec<_>>(), staged.clone().map(|staged| staged.body));
    let claimed = held(&store.claim(1).await);
    let body_of_x = put_out();
    let completed = [Completed { held: claimed[0].clone(), output: output("embedding", body_of_x) }];
    store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
    let queue = store.state.get(PIPELINE, Q).await.unwrap();
    let stored = store.state.body(&queue, "x", Some("embedding")).await.unwrap().unwrap();
    assert_eq!(stored.body, Some(body_of_x));
    assert_eq!(store.numbers(PACKS).await, [[-7], [8], [9]]);

    let old = now - 25 * HOUR_MS;
    let orphans = async |packs: &[(i64, i64)]| store.state.orphan_packs(queue.id, packs).await.unwrap();
    let all = [(old, -7), (old, 8), (old, 9), (old, 10), (now, 11)];
    assert_eq!(orphans(&all).await, [10], "one that is not noted, and old");
    store.state.stage(PIPELINE, Q, &[staging("x", body(now)), staging("z", body(now))]).await.unwrap();
    assert_eq!(orphans(&all).await, [8, 9, 10], "y names the first one");
    store.state.stage(PIPELINE, Q, &[staging("y", body(now))]).await.unwrap();
    assert_eq!(orphans(&all).await, [-7, 8, 9, 10]);
    assert_eq!(store.state.orphan_packs(queue.id + 1, &[(old, -7)]).await.unwrap(), [-7], "of a queue that is gone");
}

pub async fn what_is_noted_of_packs_goes_with_them(store: &Store) {
    store.queue(|_| {}).await;
    let now = store.state.now_ms().await.unwrap();
    for id in [1, 2, 3] {
        let mut one = pack(id, now);
        store.state.stage(PIPELINE, Q, &[staging(&format!("x{id}"), one())]).await.unwrap();
    }
    let queue = store.state.get(PIPELINE, Q).await.unwrap().id;
    store.state.forget_packs(queue, &[1, 3]).await.unwrap();
    assert_eq!(store.numbers(PACKS).await, [[2]]);
    store.state.delete(PIPELINE, Q).await.unwrap();
    while store.state.purge_deleted(10).await.unwrap().deleted > 0 {}
    assert!(store.numbers(PACKS).await.is_empty());
}
