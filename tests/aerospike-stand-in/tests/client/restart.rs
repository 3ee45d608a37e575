//! A server that dies and comes back: empty, as it was, or with what had been deleted.

use aerospike::{Bins, Key, as_bin};
use aerospike_stand_in::Restart;

use crate::common::{Site, read, until, write};

async fn number(site: &Site, key: &Key) -> Option<String> {
    let record = site.client.get(&read(), key, Bins::All).await.ok()?;
    Some(format!("{:?}", record.bins["n"]))
}

async fn is_back(site: &Site) {
    until("the client finds the server again", async || {
        let absent = site.key();
        site.client.exists(&read(), &absent).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn empty() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().restart(Restart::Empty);
    is_back(&site).await;
    assert!(!site.exists(&key).await);
    assert_eq!(site.control().records(), 0);
}

#[tokio::test]
async fn as_it_was() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().restart(Restart::Keep);
    is_back(&site).await;
    assert!(site.exists(&key).await);
}

#[tokio::test]
async fn with_the_records_of_a_moment_ago() {
    let site = Site::controlled().await;
    let (deleted, changed) = (site.number(1).await, site.number(1).await);
    site.control().mark();
    assert!(site.client.delete(&write(), &deleted).await.unwrap());
    site.put(&changed, &[as_bin!("n", 2)]).await;
    let new = site.number(3).await;
    site.control().restart(Restart::Marked);
    is_back(&site).await;
    assert!(number(&site, &deleted).await.is_some(), "what was deleted is back");
    assert_eq!(number(&site, &changed).await, number(&site, &deleted).await, "the last write is lost");
    assert!(!site.exists(&new).await);
}

#[tokio::test]
async fn with_every_deleted_record() {
    let site = Site::controlled().await;
    let (deleted, kept) = (site.number(1).await, site.number(2).await);
    assert!(site.client.delete(&write(), &deleted).await.unwrap());
    let again = site.number(5).await;
    assert!(site.client.delete(&write(), &again).await.unwrap());
    site.put(&again, &[as_bin!("n", 6)]).await;
    site.control().restart(Restart::Resurrected);
    is_back(&site).await;
    assert!(site.exists(&deleted).await);
    assert!(site.exists(&kept).await);
    assert_eq!(site.get(&again).await.bins["n"], aerospike::Value::from(6));
}

#[tokio::test]
async fn nobody_answers_between_a_kill_and_a_boot() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().kill();
    let address = site.server().address();
    until("nobody listens", async || tokio::net::TcpStream::connect(address).await.is_err()).await;
    assert!(site.client.get(&read(), &key, Bins::All).await.is_err());
    site.control().boot(Restart::Keep);
    is_back(&site).await;
    assert_eq!(site.get(&key).await.generation, 1);
}

#[tokio::test]
async fn eviction_by_command() {
    let site = Site::controlled().await;
    let (one, other) = (site.number(1).await, site.number(2).await);
    assert!(site.control().evict(&one.digest()));
    assert!(!site.control().evict(&one.digest()));
    assert!(!site.exists(&one).await);
    assert!(site.exists(&other).await);
    site.control().evict_all();
    assert_eq!(site.control().records(), 0);
}
