//! Conditional puts: of many writers exactly one wins.

use layer_object_store::{
    Condition::{self, Absent, Always, Matches},
    Error,
};

use crate::stores::{PART, Store, all, bytes};

fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    assert!(matches!(outcome, Err(Error::Precondition)), "{outcome:?}");
}

#[tokio::test]
async fn a_put_if_absent_never_overwrites() {
    for store in all().await {
        store.store.put("k", bytes(3), Absent).await.expect("absent");
        refused(store.store.put("k", bytes(4), Absent).await);
        assert_eq!(store.read("k").await, bytes(3));
        store.store.delete("k").await.expect("delete");
        store.store.put("k", bytes(4), Absent).await.expect("absent again");
    }
}

#[tokio::test]
async fn a_put_if_match_needs_the_current_version() {
    for store in all().await {
        let first = store.store.put("k", bytes(3), Always).await.expect("put");
        let second = store.store.put("k", bytes(4), Matches(&first.etag)).await.expect("match");
        refused(store.store.put("k", bytes(5), Matches(&first.etag)).await);
        assert_eq!(store.read("k").await, bytes(4));
        store.store.delete("k").await.expect("delete");
        refused(store.store.put("k", bytes(5), Matches(&second.etag)).await);
        assert!(matches!(store.store.head("k").await, Err(Error::NotFound)));
    }
}

#[tokio::test]
async fn of_many_first_writers_one_wins() {
    for store in all().await {
        let writers = (0..16).map(|number| store.store.put("first", bytes(number), Absent));
        let outcomes = futures_util::future::join_all(writers).await;
        let won: Vec<_> = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_ok()).collect();
        assert_eq!(won.len(), 1, "{outcomes:?}");
        assert_eq!(store.read("first").await, bytes(won[0].0));
        outcomes.into_iter().filter(Result::is_err).for_each(refused);
    }
}

/// Adds one to the number that is the object's size.
async fn increment(store: &Store) {
    loop {
        let head = store.store.head("count").await.expect("head");
        let larger = bytes(usize::try_from(head.size).expect("a small object") + 1);
        match store.store.put("count", larger, Matches(&head.etag)).await {
            Err(Error::Precondition) => {}
            outcome => return drop(outcome.expect("put")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_increment_is_lost() {
    for store in all().await {
        store.store.put("count", bytes(0), Always).await.expect("put");
        let writers = (0..8).map(|_| async {
            for _ in 0..5 {
                increment(&store).await
            }
        });
        futures_util::future::join_all(writers).await;
        assert_eq!(store.store.head("count").await.expect("head").size, 40);
    }
}

/// Whichever comes first, nothing is there at the end: a put of the next version needs the one that is deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_delete_and_a_put_of_the_next_version_leave_nothing() {
    for store in all().await {
        for round in 0..100 {
            let first = store.store.put("k", bytes(1), Always).await.expect("put");
            let next = store.store.put("k", bytes(2), Matches(&first.etag));
            let (next, deleted) = tokio::join!(next, store.store.delete("k"));
            deleted.expect("delete");
            if next.is_err() {
                refused(next);
            }
            assert!(matches!(store.store.head("k").await, Err(Error::NotFound)), "{round}");
        }
    }
}

/// As another process does that stands still half-way.
#[tokio::test]
async fn a_writer_that_keeps_the_lock_costs_others_their_deadline() {
    let mut store = crate::stores::directory().await;
    store.store.put("k", bytes(1), Always).await.expect("put");
    store.settings.operation_timeout_ms = 200;
    let hurried = crate::stores::open(&store.settings).await;
    let locks = store.directory.as_ref().expect("a directory").path().join(".locks");
    let open = |entry: std::io::Result<std::fs::DirEntry>| std::fs::File::open(entry.unwrap().path()).unwrap();
    let held: Vec<_> = std::fs::read_dir(locks).unwrap().map(open).collect();
    held.iter().for_each(|file| file.lock().unwrap());
    let kept = hurried.put("k", bytes(2), Always).await;
    assert!(matches!(kept, Err(Error::Timeout { .. })), "{kept:?}");
    assert_eq!(store.read("k").await, bytes(1));
}

#[tokio::test]
async fn uploads_in_parts_keep_conditions() {
    for store in all().await {
        let upload = async |condition: Condition<'_>, length| {
            let mut upload = store.store.upload("large")?;
            upload.write(bytes(length)).await?;
            upload.finish("large", condition).await
        };
        let first = upload(Absent, 2 * PART + 1).await.expect("absent");
        refused(upload(Absent, 2 * PART + 2).await);
        upload(Matches(&first.etag), 2 * PART + 3).await.expect("match");
        refused(upload(Matches(&first.etag), 2 * PART + 4).await);
        assert_eq!(store.store.head("large").await.expect("head").size, 2 * PART as u64 + 3);
    }
}
