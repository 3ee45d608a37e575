//! Listings: in the order of the keys' bytes, by pages, whatever the directories look like.

use layer_object_store::Condition::Always;

use crate::stores::{Store, all, bytes, directory};

/// Where walking through directories gives another order than the keys' own.
const KEYS: [&str; 12] = ["a!/x", "a-b", "a.txt", "a/1", "a/2", "a/b/c", "a/b/d", "a0", "ab", "b/z", "é/1", "z"];

/// `keys` in the order in which `store` lists them. A server that keeps keys as paths orders the parts between slashes,
/// which its test run says (`LAYER_TEST_S3_ORDER=path`); S3 itself and the directory order the whole keys.
fn ordered(store: &Store, keys: impl IntoIterator<Item = &'static str>) -> Vec<&'static str> {
    let by_path = store.directory.is_none() && std::env::var("LAYER_TEST_S3_ORDER").is_ok_and(|order| order == "path");
    let mut keys: Vec<_> = keys.into_iter().collect();
    match by_path {
        true => keys.sort_by_key(|key| key.split('/').collect::<Vec<_>>()),
        false => keys.sort_unstable(),
    }
    keys
}

#[tokio::test]
async fn pages_of_every_size_hold_all_keys_in_order() {
    for store in all().await {
        for (at, key) in KEYS.iter().enumerate() {
            store.store.put(key, bytes(at), Always).await.expect(key);
        }
        for limit in [1, 2, 3, 5, 12, 1000] {
            assert_eq!(store.keys("", limit).await, ordered(&store, KEYS), "{limit}");
        }
    }
}

#[tokio::test]
async fn prefixes_and_places_to_start_cut_anywhere() {
    for store in all().await {
        for key in KEYS {
            store.store.put(key, bytes(1), Always).await.expect(key);
        }
        for prefix in ["a", "a/", "a/b", "a/b/", "b/z", "é", "nothing", "a/b/c/d"] {
            let expected = ordered(&store, KEYS.into_iter().filter(|key| key.starts_with(prefix)));
            assert_eq!(store.keys(prefix, 2).await, expected, "{prefix}");
        }
        // Servers that keep keys as paths take "a" for all that is in it, which no page of theirs can end with.
        let between = if store.directory.is_some() { ["a", "a/", "a/b"].as_slice() } else { &[] };
        for after in ["a/2", "a/b/c", "a/b/cc", "ab", "zz"].iter().chain(between).copied() {
            let page = store.store.list("", Some(after), 1000).await.expect(after);
            let all = ordered(&store, KEYS.into_iter().chain([after]));
            let place = all.iter().rposition(|key| *key == after).expect("it is in it");
            assert_eq!(
                page.objects.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(),
                all[place + 1..],
                "{after}"
            );
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
