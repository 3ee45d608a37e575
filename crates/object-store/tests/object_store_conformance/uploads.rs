//! Objects written in pieces.

use std::time::Duration;

use bytes::Bytes;
use layer_object_store::{Condition::Always, Error, ObjectStore};

use crate::stores::{PART, all, bytes};

async fn upload(store: &ObjectStore, staging: &str, key: &str, whole: &Bytes, piece: usize) -> Result<(), Error> {
    let mut upload = store.upload(staging)?;
    for at in (0..whole.len()).step_by(piece.max(1)) {
        upload.write(whole.slice(at..whole.len().min(at + piece))).await?;
    }
    upload.finish(key, Always).await.map(drop)
}

#[tokio::test]
async fn uploads_of_every_length_arrive_whole() {
    for store in all().await {
        for length in [0, 1, PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 12_345] {
            let whole = bytes(length);
            upload(&store.store, "u", "u", &whole, 700_001).await.expect("upload");
            assert!(store.read("u").await == whole, "{length}");
        }
    }
}

#[tokio::test]
async fn an_upload_finds_its_name_last_and_leaves_nothing_beside() {
    for store in all().await {
        let whole = bytes(2 * PART + 77);
        upload(&store.store, "uploads/ä b+1", "named/late", &whole, PART + 3).await.expect("upload");
        assert!(store.read("named/late").await == whole);
        upload(&store.store, "uploads/2", "named/small", &bytes(9), 4).await.expect("upload");
        assert_eq!(store.keys("", 100).await, ["named/late", "named/small"]);
    }
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing() {
    for store in all().await {
        let mut upload = store.store.upload("dropped").expect("upload");
        upload.write(bytes(2 * PART + 1)).await.expect("write");
        drop(upload);
        assert!(store.keys("", 10).await.is_empty());
        if let Some(directory) = &store.directory {
            let left = std::fs::read_dir(directory.path().join(".tmp")).unwrap().count();
            assert_eq!(left, 0);
        }
    }
}

#[tokio::test]
async fn uploads_in_flight_are_bounded() {
    for store in all().await {
        let held = [store.store.upload("a").expect("first"), store.store.upload("b").expect("second")];
        assert!(matches!(store.store.upload("c"), Err(Error::Saturated { max: 2 })));
        assert!(matches!(store.store.reconnected().upload("c"), Err(Error::Saturated { max: 2 })));
        drop(held);
        store.store.upload("c").expect("places come back");
    }
}

#[tokio::test]
async fn a_directory_that_is_opened_again_has_everything_but_what_dead_writers_left() {
    let store = crate::stores::directory().await;
    store.store.put("kept", bytes(5), Always).await.expect("put");
    let temporary = store.directory.as_ref().expect("a directory").path().join(".tmp");
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    let dead = temporary.join("dead");
    std::fs::File::create(&dead).unwrap().set_modified(old).unwrap();
    // As of a writer that has not come to lock it yet.
    let young = temporary.join("young");
    std::fs::File::create(&young).unwrap();
    let mut alive = store.store.upload("alive").expect("upload");
    alive.write(bytes(2_000_000)).await.expect("write");
    for entry in std::fs::read_dir(&temporary).unwrap().filter(|entry| entry.as_ref().unwrap().path() != young) {
        std::fs::File::options().write(true).open(entry.unwrap().path()).unwrap().set_modified(old).unwrap();
    }
    let again = crate::stores::open(&store.settings).await;
    assert!(!dead.exists() && young.exists());
    alive.finish("alive", Always).await.expect("a writer that lives keeps its file");
    assert_eq!(again.get("kept", None).await.expect("get").body.collect(9).await.expect("body"), bytes(5));
    assert_eq!(again.head("alive").await.expect("head").size, 2_000_000);
}
