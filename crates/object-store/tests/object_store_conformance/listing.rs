//! Listings: in the order of the keys' bytes, by pages, whatever the directories look like.

use layer_object_store::Condition::Always;

use crate::stores::{all, bytes, directory};

/// Where walking through directories gives another order than the keys' own.
const KEYS: [&str; 12] = ["a!/x", "a-b", "a.txt", "a/1", "a/2", "a/b/c", "a/b/d", "a0", "ab", "b/z", "é/1", "z"];

#[tokio::test]
async fn pages_of_every_size_hold_all_keys_in_order() {
    for store in all().await {
        for (at, key) in KEYS.iter().enumerate() {
            store.store.put(key, bytes(at), Always).await.expect(key);
        }
        let mut sorted = KEYS;
        sorted.sort_unstable();
        for limit in [1, 2, 3, 5, 12, 1000] {
            assert_eq!(store.keys("", limit).await, sorted, "{limit}");
        }
    }
}

#[tokio::test]
async fn prefixes_and_places_to_start_cut_anywhere() {
    for store in all().await {
        for key in KEYS {
            store.store.put(key, bytes(1), Always).await.expect(key);
        }
        let starting = |prefix: &str| KEYS.into_iter().filter(|key| key.starts_with(prefix)).collect::<Vec<_>>();
        for prefix in ["a", "a/", "a/b", "a/b/", "b/z", "é", "nothing", "a/b/c/d"] {
            let mut expected = starting(prefix);
            expected.sort_unstable();
            assert_eq!(store.keys(prefix, 2).await, expected, "{prefix}");
        }
        for after in ["a", "a/", "a/2", "a/b/cc", "a0", "zz"] {
            let page = store.store.list("", Some(after), 1000).await.expect(after);
            let mut expected: Vec<_> = KEYS.into_iter().filter(|key| key.as_bytes() > after.as_bytes()).collect();
            expected.sort_unstable();
            assert_eq!(page.objects.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), expected, "{after}");
            assert!(!page.more);
        }
    }
}

#[tokio::test]
async fn a_listing_tells_what_head_tells() {
    for store in all().await {
        store.store.put("m/x", bytes(17), Always).await.expect("put");
        let page = store.store.list("m/", None, 10).await.expect("list");
        assert_eq!((page.objects.len(), page.more), (1, false));
        assert_eq!(page.objects[0].meta, store.store.head("m/x").await.expect("head"));
        assert!(store.store.list("m/y", None, 10).await.expect("list").objects.is_empty());
    }
}

/// Path-like servers cannot keep both; S3 itself and the directory can.
#[tokio::test]
async fn a_key_may_be_the_beginning_of_another() {
    let store = directory().await;
    let long = "x".repeat(300);
    let keys =
        ["a".to_owned(), "a/b".to_owned(), long.clone(), format!("{long}/y"), format!("{long}-z"), "x".repeat(240)];
    for key in &keys {
        store.store.put(key, bytes(1), Always).await.expect(key);
    }
    let mut sorted = keys.to_vec();
    sorted.sort();
    assert_eq!(store.keys("", 2).await, sorted);
    store.store.delete("a/b").await.expect("delete");
    assert_eq!(store.read("a").await, bytes(1));
}
