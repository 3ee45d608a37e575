//! Refused writes: no space, a device that does not keep up, sets and records at their limits. Removes and reads go on.

use aerospike::operations::{self};
use aerospike::{AdminPolicy, Error};
use aerospike::{
    BatchDeletePolicy, BatchOperation, BatchReadPolicy, BatchWritePolicy, Bins, Expiration, GenerationPolicy, Key,
    RecordExistsAction, ResultCode, WritePolicy, as_bin, as_blob,
};
use aerospike_stand_in::{NamespaceOptions, Options, SetLimit, StopWrites};

use crate::common::{Site, batch, code, write};

/// Every way of writing a record that is there.
async fn writes(site: &Site, key: &Key) -> Vec<(&'static str, Result<(), Error>)> {
    let bins = [as_bin!("n", 2)];
    let create = WritePolicy { record_exists_action: RecordExistsAction::CreateOnly, ..write() };
    let stale = WritePolicy { generation_policy: GenerationPolicy::ExpectGenEqual, generation: 77, ..write() };
    let client = &site.client;
    vec![
        ("put", client.put(&write(), key, &bins).await),
        ("put of a new one", client.put(&write(), &site.key(), &bins).await),
        ("touch", client.touch(&write(), key).await),
        ("operate", client.operate(&write(), key, &[operations::add(&bins[0])]).await.map(drop)),
        ("delete in operate", client.operate(&write(), key, &[operations::delete()]).await.map(drop)),
        ("create", client.put(&create, key, &bins).await),
        ("stale", client.put(&stale, key, &bins).await),
    ]
}

#[tokio::test]
async fn stop_writes_refuses_every_write_first_of_all() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().stop_writes(StopWrites::On);
    for (name, result) in writes(&site, &key).await {
        let error = result.expect_err(name);
        assert_eq!(error.server_result_code(), Some(ResultCode::ServerMemError), "{name}");
        assert!(!error.in_doubt(), "{name}");
    }
    assert_eq!(site.get(&key).await.generation, 1);
    assert!(site.client.delete(&write(), &key).await.unwrap());
    let other = site.key();
    assert!(!site.client.delete(&write(), &other).await.unwrap());
    site.control().stop_writes(StopWrites::Off);
    site.put(&key, &[as_bin!("n", 3)]).await;
}

#[tokio::test]
async fn in_a_batch_each_write_carries_the_refusal() {
    let site = Site::controlled().await;
    let (kept, removed) = (site.number(1).await, site.number(2).await);
    site.control().stop_writes(StopWrites::On);
    let put = |key: &Key| {
        BatchOperation::write(&BatchWritePolicy::default(), key.clone(), [operations::put(&as_bin!("n", 9))])
    };
    let mut rows = vec![
        put(&kept),
        BatchOperation::read(&BatchReadPolicy::default(), kept.clone(), Bins::All),
        BatchOperation::delete(&BatchDeletePolicy::default(), removed.clone()),
        put(&site.key()),
    ];
    site.client.batch(&batch(), &mut rows).await.unwrap();
    let codes: Vec<_> = rows.iter().map(|row| row.batch_record().result_code().unwrap()).collect();
    let refused = ResultCode::ServerMemError;
    assert_eq!(codes, [refused, ResultCode::Ok, ResultCode::Ok, refused]);
    assert!(!site.exists(&removed).await);
}

#[tokio::test]
async fn stop_writes_shows_in_the_statistics_and_a_truncate_goes_on() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    let stopped = async || {
        let info = site.client.info(&AdminPolicy::default(), &["namespace/test"]).await.unwrap();
        info["namespace/test"].split(';').find_map(|pair| pair.strip_prefix("stop_writes=")).unwrap().to_owned()
    };
    assert_eq!(stopped().await, "false");
    site.control().stop_writes(StopWrites::Full);
    assert_eq!(stopped().await, "false");
    site.control().stop_writes(StopWrites::On);
    assert_eq!(stopped().await, "true");
    site.client.truncate(&AdminPolicy::default(), "test", "stand_in", 0).await.unwrap();
    assert!(!site.exists(&key).await);
}

#[tokio::test]
async fn a_full_file_refuses_what_it_would_have_stored() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().stop_writes(StopWrites::Full);
    let expected = [
        ("put", Some(ResultCode::ServerMemError)),
        ("put of a new one", Some(ResultCode::ServerMemError)),
        ("touch", Some(ResultCode::ServerMemError)),
        ("operate", Some(ResultCode::ServerMemError)),
        // What leaves nothing to store goes through: here the record goes.
        ("delete in operate", None),
        // There is none any more, so this would have been stored.
        ("create", Some(ResultCode::ServerMemError)),
        ("stale", Some(ResultCode::GenerationError)),
    ];
    let found = writes(&site, &key).await;
    let found: Vec<_> = found
        .into_iter()
        .map(|(name, result)| (name, result.err().and_then(|error| error.server_result_code())))
        .collect();
    assert_eq!(found, expected);
    assert!(!site.exists(&key).await);
}

#[tokio::test]
async fn an_overloaded_device_refuses_writes_and_takes_removes() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().device_overload(true);
    for (name, result) in writes(&site, &key).await {
        let error = result.expect_err(name);
        // The client tries again and wraps what it got at last.
        assert!(format!("{error:?}").contains("DeviceOverload"), "{name}: {error:?}");
    }
    assert_eq!(site.get(&key).await.generation, 1);
    assert!(site.client.delete(&write(), &key).await.unwrap());
}

#[tokio::test]
async fn a_set_at_its_limit_is_refused() {
    let site = Site::controlled().await;
    let keys: Vec<Key> = (0..3).map(|_| site.key_in("small")).collect();
    let put = async |key: &Key| site.client.put(&write(), key, &[as_bin!("n", 1)]).await;
    site.control().limit_set("small", SetLimit { count: Some(2), bytes: None });
    put(&keys[0]).await.unwrap();
    put(&keys[1]).await.unwrap();
    assert_eq!(code(put(&keys[2]).await), ResultCode::FailForbidden);
    put(&keys[0]).await.unwrap();
    put(&site.key_in("another")).await.unwrap();
    site.client.delete(&write(), &keys[1]).await.unwrap();
    put(&keys[2]).await.unwrap();
    site.control().limit_set("small", SetLimit { count: None, bytes: Some(10) });
    assert_eq!(code(put(&keys[0]).await), ResultCode::FailForbidden);
    site.control().limit_set("small", SetLimit::default());
    put(&keys[0]).await.unwrap();
}

#[tokio::test]
async fn a_record_over_the_limit_is_refused_and_the_old_one_stays() {
    let site = Site::new().await;
    let key = site.number(1).await;
    let large = as_bin!("b", as_blob!(vec![1u8; 1 << 20]));
    assert_eq!(code(site.client.put(&write(), &key, &[large]).await), ResultCode::RecordTooBig);
    assert_eq!(site.get(&key).await.generation, 1);
    site.put(&key, &[as_bin!("b", as_blob!(vec![1u8; (1 << 20) - 1000]))]).await;
}

#[tokio::test]
async fn the_record_limit_is_a_setting() {
    let options = NamespaceOptions { max_record_bytes: 2000, ..NamespaceOptions::default() };
    let site = Site::with(Options::default().with_namespace("test", options)).await;
    let blob = |len| [as_bin!("b", as_blob!(vec![1u8; len]))];
    assert_eq!(code(site.client.put(&write(), &site.key(), &blob(2000)).await), ResultCode::RecordTooBig);
    site.put(&site.key(), &blob(1000)).await;
}

#[tokio::test]
async fn durable_deletes_are_refused_by_the_community_edition_only() {
    let durable = WritePolicy { durable_delete: true, expiration: Expiration::NamespaceDefault, ..write() };
    let site = Site::controlled().await;
    let key = site.number(1).await;
    assert!(site.client.delete(&durable, &key).await.unwrap());
    let site = Site::with(Options { is_community: true, ..Options::default() }).await;
    let key = site.number(1).await;
    assert_eq!(code(site.client.delete(&durable, &key).await), ResultCode::EnterpriseOnly);
    assert!(site.client.delete(&write(), &key).await.unwrap());
}
