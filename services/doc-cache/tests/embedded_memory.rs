//! What the embedded backend says that it takes is what the process takes: measured, not reckoned.
//!
//! Alone in its binary, so that nothing else grows beside it. `LAYER_TEST_DOCUMENTS` asks for another number of documents.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; helpers of tests too")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use doc_cache::{
    backend::{
        Backend, Body, Fill, Filled, Kind, Lookup, Scope,
        embedded::{Embedded, EmbeddedOptions},
    },
    clock::BootClock,
};
use layer_service::metrics::Metrics;

const DOCUMENTS: u64 = 100_000;
const DOCUMENT_BYTES: usize = 1024;
const DEADLINE: Duration = Duration::from_secs(10);
/// What a document of 1 KiB is said to cost as a value and as a record.
const VALUE_BYTES: u64 = 1024 + 16 + 320;
const RECORD_BYTES: u64 = 250;
/// Records fall on 64 shards by the hash of their key: some get more than their share.
const RECORDS_SLACK_PERCENT: u64 = 3;

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn key(at: u64) -> Bytes {
    Bytes::from([b"u".as_slice(), &at.to_be_bytes()].concat())
}

#[tokio::test]
async fn documents_fit_the_memory_that_they_are_said_to_take() {
    let documents = std::env::var("LAYER_TEST_DOCUMENTS").map_or(DOCUMENTS, |text| text.parse().unwrap());
    let records_bytes = documents * RECORD_BYTES * (100 + RECORDS_SLACK_PERCENT) / 100 + 4 * 1024 * 1024;
    let options = EmbeddedOptions {
        // Not a byte more than they are said to take.
        memory_bytes: documents * VALUE_BYTES,
        records_bytes: records_bytes * 8 / 7,
        disk: None,
        value_bytes_max: 1024 * 1024,
    };
    let bound = options.memory_bytes + options.records_bytes;
    let backend = Embedded::open(options, Arc::new(BootClock), &Metrics::default()).await.unwrap();
    let scope = Scope { tenant: "default".to_owned(), namespace: "products".to_owned(), kind: Kind::Document };
    let before = resident_bytes();
    for first in (0..documents).step_by(1000) {
        let ids: Vec<_> = (first..documents.min(first + 1000)).map(key).collect();
        let found = backend.get(&scope, &ids, DEADLINE).await.unwrap();
        let fills = ids.into_iter().zip(found).map(|(id, lookup)| {
            let Lookup::Miss(lease) = lookup else { panic!("{lookup:?}") };
            let data = Bytes::from(vec![b'x'; DOCUMENT_BYTES]);
            let body = Body { data, content_type: "application/json".to_owned(), compression: 0 };
            Fill { id, lease, body, ttl: Duration::from_secs(3600) }
        });
        let filled = backend.fill(&scope, fills.collect(), None, DEADLINE).await.unwrap();
        assert!(filled.iter().all(|filled| *filled == Filled::Stored));
    }
    let (usage, grown) = (backend.usage(), resident_bytes() - before);
    let each = grown / documents;
    println!("{documents} documents: {grown} bytes resident, {each} each; said to be {:?}", usage.bytes);
    assert_eq!(usage.entries, Some(documents), "{usage:?}");
    assert!(grown <= bound, "{grown} bytes for {documents} documents, over the bound of {bound}");
    assert!(grown <= usage.bytes.unwrap(), "{grown} bytes, and it says {usage:?}");
    let mut hits = 0;
    for first in (0..documents).step_by(1000) {
        let ids: Vec<_> = (first..documents.min(first + 1000)).map(key).collect();
        let found = backend.get(&scope, &ids, DEADLINE).await.unwrap();
        hits += found.iter().filter(|lookup| matches!(lookup, Lookup::Hit(_))).count() as u64;
    }
    assert_eq!(hits, documents);
}
