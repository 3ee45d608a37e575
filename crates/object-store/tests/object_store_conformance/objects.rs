//! Objects written whole: what goes in comes out.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::StreamExt;
use layer_object_store::{ByteRange, Condition::Always, Error};

use crate::stores::{all, bytes};

#[tokio::test]
async fn what_is_put_is_read() {
    for store in all().await {
        for (key, body) in [("a/empty", bytes(0)), ("a/one", bytes(1)), ("a/more", bytes(3_000_001))] {
            let put = store.store.put(key, body.clone(), Always).await.expect(key);
            let head = store.store.head(key).await.expect(key);
            assert_eq!((head.size, &head.etag), (body.len() as u64, &put.etag), "{key}");
            let got = store.store.get(key, None).await.expect(key);
            assert_eq!((got.meta.size, &got.meta.etag, &got.range), (head.size, &put.etag, &(0..head.size)), "{key}");
            let age = got.meta.modified.elapsed().unwrap_or_default();
            assert!(age.as_secs() < 60, "{age:?}");
            assert_eq!(store.read(key).await, body, "{key}");
        }
    }
}

#[tokio::test]
async fn the_last_write_is_what_is_read() {
    for store in all().await {
        let first = store.store.put("k", bytes(10), Always).await.expect("put");
        let second = store.store.put("k", bytes(7), Always).await.expect("put");
        assert_ne!(first.etag, second.etag);
        assert_eq!(store.read("k").await, bytes(7));
    }
}

/// S3 names versions by their bytes: there every body must be another one.
#[tokio::test]
async fn every_version_has_a_name_of_its_own() {
    for store in all().await {
        let mut etags = BTreeSet::new();
        for version in 0..50_u64 {
            let body = Bytes::copy_from_slice(&version.to_be_bytes());
            etags.insert(store.store.put("k", body, Always).await.expect("put").etag);
        }
        assert_eq!(etags.len(), 50);
    }
}

#[tokio::test]
async fn a_later_version_is_later_though_the_clock_was_set_back() {
    let store = crate::stores::directory().await;
    store.store.put("k", bytes(1), Always).await.expect("put");
    let ahead = SystemTime::now() + Duration::from_secs(3600);
    let path = store.directory.as_ref().expect("a directory").path().join("objects/k");
    std::fs::File::options().write(true).open(path).unwrap().set_modified(ahead).unwrap();
    let before = store.store.head("k").await.expect("head");
    let after = store.store.put("k", bytes(1), Always).await.expect("put");
    assert!(after.modified >= before.modified, "{after:?} {before:?}");
    assert_ne!(after.etag, before.etag);
}

#[tokio::test]
async fn what_is_absent_is_not_found() {
    for store in all().await {
        store.store.put("there/object", bytes(1), Always).await.expect("put");
        for key in ["no", "there", "there/no", "there/object/below"] {
            assert!(matches!(store.store.head(key).await, Err(Error::NotFound)), "{key}");
            assert!(matches!(store.store.get(key, None).await, Err(Error::NotFound)), "{key}");
            store.store.delete(key).await.expect(key);
        }
    }
}

#[tokio::test]
async fn what_is_deleted_is_gone_and_can_be_written_again() {
    for store in all().await {
        store.store.put("a/b/c", bytes(5), Always).await.expect("put");
        store.store.delete("a/b/c").await.expect("delete");
        assert!(matches!(store.store.head("a/b/c").await, Err(Error::NotFound)));
        store.store.put("a/b/c", bytes(6), Always).await.expect("put");
        assert_eq!(store.read("a/b/c").await, bytes(6));
    }
}

#[tokio::test]
async fn a_directory_that_is_emptied_is_gone_and_not_those_beside() {
    let store = crate::stores::directory().await;
    let objects = store.directory.as_ref().expect("a directory").path().join("objects");
    let left = || std::fs::read_dir(&objects).unwrap().count();
    store.store.put("a/b/c", bytes(5), Always).await.expect("put");
    store.store.put("d/e", bytes(5), Always).await.expect("put");
    assert_eq!(left(), 2);
    store.store.delete("a/b/c").await.expect("delete");
    assert_eq!(left(), 1);
    assert_eq!(store.read("d/e").await, bytes(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_put_meets_no_directory_that_vanishes() {
    let store = crate::stores::directory().await;
    for round in 0..200 {
        store.store.put("a/b/old", bytes(1), Always).await.expect("put");
        let put = store.store.put("a/b/new", bytes(2), Always);
        let (put, deleted) = tokio::join!(put, store.store.delete("a/b/old"));
        put.expect("put");
        deleted.expect("delete");
        assert_eq!(store.read("a/b/new").await, bytes(2), "{round}");
        store.store.delete("a/b/new").await.expect("delete");
    }
}

#[tokio::test]
async fn keys_of_any_letters_are_kept_apart() {
    let keys = [
        "case/a",
        "case/A",
        "é",
        "e\u{301}",
        "日本/語",
        "space d",
        "plus+d",
        "percent%2Fd",
        "hash#d",
        "quest?d",
        "amp&d=1",
        "semi;colon:at@",
        "quote\"'<>",
        "..dots",
        ".hidden",
        "tilde~",
        "brace{}[]|^`",
        "🦀",
        "new+/part",
    ];
    for store in all().await {
        for key in keys {
            store.store.put(key, Bytes::from(key), Always).await.expect(key);
        }
        for key in keys {
            assert_eq!(store.read(key).await, key.as_bytes(), "{key}");
        }
        let mut sorted: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        sorted.sort();
        assert_eq!(store.keys("", 7).await, sorted);
    }
}

#[tokio::test]
async fn long_keys_are_kept() {
    let keys = [format!("long/{}", "k".repeat(1000)), format!("long/{}l", "k".repeat(250)), "ß".repeat(120)];
    for store in all().await {
        // Servers that keep keys as paths take 255 bytes a part.
        let keys: Vec<_> = keys.iter().filter(|key| store.directory.is_some() || key.len() < 255).collect();
        for key in &keys {
            store.store.put(key, Bytes::from((*key).clone()), Always).await.expect(key);
        }
        for key in keys {
            assert_eq!(store.read(key).await, key.as_bytes());
        }
    }
}

#[tokio::test]
async fn keys_that_escape_or_vanish_are_refused() {
    for store in all().await {
        for key in ["", "/", "../x", "a/../../x", "a//b", "a/", ".", "a\\b", "a\0b"] {
            assert!(matches!(store.store.put(key, bytes(1), Always).await, Err(Error::Key(_))), "{key:?}");
            assert!(matches!(store.store.get(key, None).await, Err(Error::Key(_))), "{key:?}");
            assert!(matches!(store.store.upload(key), Err(Error::Key(_))), "{key:?}");
        }
    }
}

#[tokio::test]
async fn ranges_are_parts_of_the_whole() {
    let whole = bytes(1_000_000);
    for store in all().await {
        store.store.put("r", whole.clone(), Always).await.expect("put");
        let cases = [(0, Some(1)), (0, None), (999_999, None), (300_000, Some(700_001)), (5, Some(9_999_999))];
        for (start, end) in cases {
            let got = store.store.get("r", Some(ByteRange { start, end })).await.expect("range");
            let expected = start..end.unwrap_or(u64::MAX).min(1_000_000);
            assert_eq!((&got.range, got.meta.size), (&expected, 1_000_000));
            let slice = whole.slice(usize::try_from(start).unwrap()..usize::try_from(expected.end).unwrap());
            assert_eq!(got.body.collect(1_000_000).await.expect("body"), slice);
        }
        for range in [ByteRange { start: 1_000_000, end: None }, ByteRange { start: 3, end: Some(3) }] {
            assert!(matches!(store.store.get("r", Some(range)).await, Err(Error::Range { .. })), "{range:?}");
        }
    }
}

#[tokio::test]
async fn a_reader_keeps_the_version_that_it_opened_or_learns_that_it_broke() {
    for store in all().await {
        let old = bytes(3_000_000);
        store.store.put("v", old.clone(), Always).await.expect("put");
        let mut body = store.store.get("v", None).await.expect("get").body;
        let first = body.next().await.expect("some").expect("bytes");
        store.store.put("v", bytes(10), Always).await.expect("put");
        match body.collect(4_000_000).await {
            Ok(rest) => assert_eq!([first, rest].concat(), old),
            // A server may give up an object that is being read.
            Err(error) => assert!(error.is_transient() && store.directory.is_none(), "{error}"),
        }
    }
}
