//! What the server says of itself.

use aerospike::{AdminPolicy, PartitionFilter, QueryPolicy, Statement, as_bin};
use aerospike_stand_in::Options;
use std::time::Duration;

use crate::common::{Site, client_policy};

fn field(text: &str, name: &str) -> String {
    let pair = text.split(';').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name));
    pair.unwrap_or_else(|| panic!("no {name} in {text}")).1.to_owned()
}

async fn info(site: &Site, command: &str) -> String {
    site.client.info(&AdminPolicy::default(), &[command]).await.unwrap()[command].clone()
}

#[tokio::test]
async fn what_a_cache_asks_for_is_there() {
    let site = Site::new().await;
    assert!(info(&site, "build").await.starts_with(|first: char| first.is_ascii_digit()));
    assert!(!info(&site, "node").await.is_empty());
    assert!(info(&site, "namespaces").await.split(';').any(|name| name == site.namespace));
    let statistics = info(&site, "statistics").await;
    field(&statistics, "uptime").parse::<u64>().unwrap();
    assert_eq!(field(&statistics, "cluster_size"), "1");
    let namespace = info(&site, &format!("namespace/{}", site.namespace)).await;
    for name in ["objects", "nsup-period", "default-ttl", "data_used_bytes", "data_total_bytes", "evicted_objects"] {
        field(&namespace, name).parse::<u64>().unwrap();
    }
    assert_eq!(field(&namespace, "stop_writes"), "false");
    assert!(info(&site, "namespace/no-such").await.starts_with("ERROR"));
    assert!(info(&site, "no-such-command").await.starts_with("ERROR"));
}

#[tokio::test]
async fn uptime_is_set_by_command_and_starts_again_with_the_server() {
    let site = Site::controlled().await;
    let uptime = async || field(&info(&site, "statistics").await, "uptime").parse::<u64>().unwrap();
    site.control().set_uptime(Duration::from_secs(5000));
    assert!((5000..5060).contains(&uptime().await));
    site.control().set_uptime(Duration::ZERO);
    assert!(uptime().await < 60);
}

#[tokio::test]
async fn usage_follows_the_records() {
    let site = Site::controlled().await;
    let used = async || {
        let statistics = info(&site, "namespace/test").await;
        (field(&statistics, "objects"), field(&statistics, "data_used_bytes").parse::<u64>().unwrap())
    };
    assert_eq!(used().await, ("0".to_owned(), 0));
    let key = site.key();
    site.put(&key, &[as_bin!("t", "x".repeat(1000))]).await;
    let (objects, bytes) = used().await;
    assert_eq!(objects, "1");
    assert!((1000..1200).contains(&bytes), "{bytes}");
    assert!(info(&site, "sets/test/stand_in").await.contains("objects=1"));
    site.control().evict(&key.digest());
    assert_eq!(used().await, ("0".to_owned(), 0));
    assert_eq!(field(&info(&site, "namespace/test").await, "evicted_objects"), "1");
}

#[tokio::test]
async fn the_cluster_has_a_name_to_insist_on() {
    let options = Options { cluster_name: Some("layer".to_owned()), ..Options::default() };
    let site = Site::with(options).await;
    let hosts = site.server().address().to_string();
    let named = |name: &str| aerospike::ClientPolicy { cluster_name: Some(name.to_owned()), ..client_policy() };
    assert!(aerospike::Client::new(&named("layer"), &hosts).await.is_ok());
    assert!(aerospike::Client::new(&named("another"), &hosts).await.is_err());
}

#[tokio::test]
async fn a_truncate_empties_a_set_or_all() {
    let site = Site::controlled().await;
    let (here, there) = (site.key_in("a"), site.key_in("b"));
    for key in [&here, &there] {
        site.put(key, &[as_bin!("n", 1)]).await;
    }
    let admin = AdminPolicy::default();
    site.client.truncate(&admin, "test", "a", 1_500_000_000_000_000_000).await.unwrap();
    assert!(site.exists(&here).await, "it is younger than that");
    site.client.truncate(&admin, "test", "a", 0).await.unwrap();
    assert!(!site.exists(&here).await);
    assert!(site.exists(&there).await);
    site.client.truncate(&admin, "test", "", 0).await.unwrap();
    assert!(!site.exists(&there).await);
    assert!(site.client.truncate(&admin, "no-such", "a", 0).await.is_err());
}

#[tokio::test]
async fn a_scan_finds_every_record_of_a_set() {
    let site = Site::controlled().await;
    for number in 0..50 {
        site.number(number).await;
    }
    site.put(&site.key_in("another"), &[as_bin!("n", 1)]).await;
    let statement = Statement::new("test", "stand_in", aerospike::Bins::All);
    let records = site.client.query(&QueryPolicy::default(), PartitionFilter::all(), statement).await.unwrap();
    let mut found = Vec::new();
    let mut stream = records.into_stream();
    while let Some(record) = futures_util::StreamExt::next(&mut stream).await {
        let record = record.unwrap();
        let aerospike::Value::Int(number) = record.bins["n"] else { panic!() };
        found.push(number);
    }
    found.sort_unstable();
    assert_eq!(found, (0..50).collect::<Vec<i64>>());
}
