//! How long records live.

use std::time::Duration;

use aerospike::{Expiration, ResultCode, Value, WritePolicy, as_bin};
use aerospike_stand_in::{NamespaceOptions, Options};

use crate::common::{Site, code, write};

fn lasting(expiration: Expiration) -> WritePolicy {
    WritePolicy { expiration, ..write() }
}

#[tokio::test]
async fn a_time_to_live_is_given_back() {
    let site = Site::new().await;
    let key = site.key();
    site.client.put(&lasting(Expiration::Seconds(100)), &key, &[as_bin!("n", 1)]).await.unwrap();
    let left = site.get(&key).await.time_to_live().unwrap().as_secs();
    assert!((95..=100).contains(&left), "{left}");
    site.client.put(&lasting(Expiration::DontUpdate), &key, &[as_bin!("n", 2)]).await.unwrap();
    assert!(site.get(&key).await.time_to_live().unwrap().as_secs() <= 100);
    site.client.put(&lasting(Expiration::Never), &key, &[as_bin!("n", 3)]).await.unwrap();
    assert_eq!(site.get(&key).await.time_to_live(), None);
    site.client.touch(&lasting(Expiration::Seconds(50)), &key).await.unwrap();
    assert!(site.get(&key).await.time_to_live().unwrap().as_secs() <= 50);
}

#[tokio::test]
async fn a_record_is_gone_when_its_time_is_over() {
    let site = Site::controlled().await;
    let (short, long) = (site.key(), site.number(1).await);
    site.client.put(&lasting(Expiration::Seconds(10)), &short, &[as_bin!("n", 1)]).await.unwrap();
    site.control().advance_clock(Duration::from_secs(8));
    assert!(site.exists(&short).await);
    site.control().advance_clock(Duration::from_secs(3));
    assert!(!site.exists(&short).await);
    assert!(site.exists(&long).await);
    site.put(&short, &[as_bin!("m", 2)]).await;
    let record = site.get(&short).await;
    assert_eq!((record.generation, record.bins.len()), (1, 1));
}

#[tokio::test]
async fn the_namespace_says_what_zero_means() {
    let options = NamespaceOptions { default_ttl: 30, ..NamespaceOptions::default() };
    let site = Site::with(Options::default().with_namespace("test", options)).await;
    let key = site.number(1).await;
    let left = site.get(&key).await.time_to_live().unwrap().as_secs();
    assert!((25..=30).contains(&left), "{left}");
    // A record that was not there takes the default, whoever says "leave it".
    let new = site.key();
    site.client.put(&lasting(Expiration::DontUpdate), &new, &[as_bin!("n", 1)]).await.unwrap();
    assert!(site.get(&new).await.time_to_live().is_some());
}

#[tokio::test]
async fn where_nothing_expires_a_time_to_live_is_refused() {
    let options = NamespaceOptions { nsup_period: 0, ..NamespaceOptions::default() };
    let site = Site::with(Options::default().with_namespace("test", options)).await;
    let key = site.key();
    let put = async |expiration| site.client.put(&lasting(expiration), &key, &[as_bin!("n", 1)]).await;
    assert_eq!(code(put(Expiration::Seconds(10)).await), ResultCode::FailForbidden);
    put(Expiration::NamespaceDefault).await.unwrap();
    put(Expiration::Never).await.unwrap();
    put(Expiration::DontUpdate).await.unwrap();
    assert_eq!(code(put(Expiration::Seconds(u32::MAX / 2)).await), ResultCode::ParameterError);
    assert_eq!(site.get(&key).await.bins["n"], Value::from(1));
}
