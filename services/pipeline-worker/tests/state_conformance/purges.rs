use pipeline_worker::state::{Completed, Failed, Guard};

use crate::stores::{PIPELINE, Q, Store, body, held, staging};

async fn complete(store: &Store, limit: usize) {
    let completed: Vec<_> =
        held(&store.claim(limit).await).into_iter().map(|held| Completed { held, output: None }).collect();
    store.state.complete(PIPELINE, Q, &completed, &Guard::default(), None).await.unwrap();
}

/// Forgets what is owed at the origin, as if it had been carried out.
async fn nothing_owed(store: &Store) {
    sqlx::query("DELETE FROM stale").execute(&store.raw).await.unwrap();
}

pub async fn what_is_done_goes_when_its_time_is_over(store: &Store) {
    store.staged(&["a", "b", "c"], |s| s.keep_done_ms = 1).await;
    complete(store, 2).await;
    nothing_owed(store).await;
    store.pass(2).await;
    let queue = store.state.get(PIPELINE, Q).await.unwrap();
    assert_eq!(store.state.purge(&queue, 1).await.unwrap().expired, 1);
    assert_eq!(store.state.purge(&queue, 9).await.unwrap().expired, 1);
    assert_eq!(store.numbers("SELECT COUNT(*) FROM item").await, [[1]]);
    // By default they stay.
    let kept = pipeline_worker::state::Queue { spec: pipeline_worker::state::Spec::default(), ..queue };
    complete(store, 1).await;
    nothing_owed(store).await;
    store.pass(2).await;
    assert_eq!(store.state.purge(&kept, 9).await.unwrap().expired, 0);
}

pub async fn dead_letters_go_when_their_time_is_over(store: &Store) {
    store.staged(&["a", "b"], |s| s.keep_failed_ms = 1).await;
    let failed = [Failed { held: held(&store.claim(1).await)[0].clone(), permanent: true, message: "no".to_owned() }];
    store.state.fail(PIPELINE, Q, &failed, &Guard::default()).await.unwrap();
    store.pass(2).await;
    let queue = store.state.get(PIPELINE, Q).await.unwrap();
    assert_eq!(store.state.purge(&queue, 9).await.unwrap().expired, 1);
    let left = "SELECT (SELECT COUNT(*) FROM item), (SELECT COUNT(*) FROM failure)";
    assert_eq!(store.numbers(left).await, [[1, 0]]);
}

pub async fn a_deleted_queue_goes_in_batches(store: &Store) {
    store.staged(&["a", "b", "c"], |_| {}).await;
    complete(store, 1).await;
    store.stage(&["a", "b", "c"]).await;
    store.state.delete(PIPELINE, Q).await.unwrap();
    store.queue(|_| {}).await;
    store.stage(&["other"]).await;
    assert_eq!(store.state.deleted(PIPELINE).await.unwrap().len(), 1);
    let mut rounds = 0;
    while store.state.purge_deleted(2).await.unwrap().deleted > 0 {
        rounds += 1;
        assert!(rounds < 9);
    }
    assert!(rounds >= 2, "{rounds} rounds for three items, two at a time");
    let left = "SELECT (SELECT COUNT(*) FROM item), (SELECT COUNT(*) FROM stale), (SELECT COUNT(*) FROM queue)";
    assert_eq!(store.numbers(left).await, [[1, 0, 2]], "the other queue stays, and the deleted one's name for a day");
    sqlx::query("UPDATE queue SET deleted_ms = 1 WHERE deleted_ms IS NOT NULL").execute(&store.raw).await.unwrap();
    store.state.purge_deleted(2).await.unwrap();
    assert_eq!(store.numbers(left).await, [[1, 0, 1]]);
}

pub async fn what_is_owed_at_the_origin_is_kept(store: &Store) {
    // Of a queue that forgets what is done, everything may have rows of before.
    store.staged(&["a"], |s| s.keep_done_ms = 1).await;
    complete(store, 1).await;
    store.pass(2).await;
    let queue = store.state.get(PIPELINE, Q).await.unwrap();
    assert_eq!(store.state.purge(&queue, 9).await.unwrap().expired, 0);
    nothing_owed(store).await;
    assert_eq!(store.state.purge(&queue, 9).await.unwrap().expired, 1);
}

pub async fn rows_of_older_versions_are_deleted_twice(store: &Store) {
    let state = &store.state;
    store.staged(&["new", "x"], |_| {}).await;
    complete(store, 2).await;
    assert!(state.cleanups(9, 1000).await.unwrap().is_empty(), "nothing is owed for what was staged once");
    let now = state.now_ms().await.unwrap();
    let staged = state.stage(PIPELINE, Q, &[staging("x", body(now))]).await.unwrap();
    assert!(
        state.cleanups(9, 1000).await.unwrap().is_empty(),
        "the old rows are searched until the new ones are there"
    );
    complete(store, 1).await;
    let first = state.cleanups(9, 60_000).await.unwrap();
    assert_eq!((first.len(), first[0].item.as_str(), first[0].version), (1, "x", staged[0].version));
    assert!(state.cleanups(9, 60_000).await.unwrap().is_empty(), "somebody is at it");
    state.cleaned(&first).await.unwrap();
    assert!(state.cleanups(9, 60_000).await.unwrap().is_empty(), "a late write may still come");
    let due = store.numbers("SELECT last_ms, due_ms FROM stale").await;
    assert!(due[0][0] >= now + 150_000 && due[0][1] == due[0][0] + 1, "{due:?} from {now}");
    sqlx::query("UPDATE stale SET last_ms = 1, due_ms = 2").execute(&store.raw).await.unwrap();
    let second = state.cleanups(9, 60_000).await.unwrap();
    assert_eq!(second, first, "a late write may have come after the first");
    state.cleaned(&second).await.unwrap();
    assert_eq!(store.numbers("SELECT COUNT(*) FROM stale").await, [[0]]);
}

pub async fn a_cleanup_that_was_overtaken_is_still_owed(store: &Store) {
    let state = &store.state;
    store.staged(&["x"], |_| {}).await;
    for _ in 0..2 {
        complete(store, 1).await;
        store.stage(&["x"]).await;
    }
    complete(store, 1).await;
    let first = state.cleanups(9, 60_000).await.unwrap();
    store.stage(&["x"]).await;
    assert_eq!(store.numbers("SELECT COUNT(*) FROM stale WHERE due_ms IS NULL").await, [[1]], "not before it is done");
    sqlx::query("UPDATE stale SET last_ms = 1").execute(&store.raw).await.unwrap();
    state.cleaned(&first).await.unwrap();
    complete(store, 1).await;
    state.cleaned(&first).await.unwrap();
    let second = state.cleanups(9, 60_000).await.unwrap();
    assert!(second.len() == 1 && second[0].version > first[0].version, "{second:?} after {first:?}");
}
