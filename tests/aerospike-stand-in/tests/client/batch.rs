//! Batches: one request for many records.

use aerospike::operations::{self, MapOrder, MapPolicy, MapReturnType, MapWriteFlags, maps};
use aerospike::{
    BatchDeletePolicy, BatchOperation, BatchReadPolicy, BatchWritePolicy, Bins, Expiration, GenerationPolicy, Key,
    RecordExistsAction, ResultCode, Value, as_bin,
};

use crate::common::{Site, batch};

async fn numbers(site: &Site, count: i64) -> Vec<Key> {
    let mut keys = Vec::new();
    for number in 0..count {
        keys.push(site.number(number).await);
    }
    keys
}

fn read(key: &Key) -> BatchOperation {
    BatchOperation::read(&BatchReadPolicy::default(), key.clone(), Bins::All)
}

fn write(policy: &BatchWritePolicy, key: &Key, number: i64) -> BatchOperation {
    BatchOperation::write(policy, key.clone(), [operations::put(&as_bin!("n", number))])
}

fn delete(key: &Key) -> BatchOperation {
    BatchOperation::delete(&BatchDeletePolicy::default(), key.clone())
}

fn codes(rows: &[BatchOperation]) -> Vec<ResultCode> {
    rows.iter().map(|row| row.batch_record().result_code().unwrap()).collect()
}

#[tokio::test]
async fn a_thousand_reads_come_back_in_order() {
    let site = Site::new().await;
    let keys = numbers(&site, 200).await;
    let mut rows: Vec<BatchOperation> = (0..1000).map(|row| read(&keys[row % keys.len()])).collect();
    site.client.batch(&batch(), &mut rows).await.unwrap();
    for (row, op) in rows.iter().enumerate() {
        let record = op.batch_record().record.as_ref().unwrap();
        assert_eq!(record.bins["n"], Value::from((row % keys.len()) as i64));
    }
}

#[tokio::test]
async fn an_answer_larger_than_one_part_arrives_whole() {
    let site = Site::new().await;
    let blob = vec![7u8; 100_000];
    let mut rows = Vec::new();
    for _ in 0..8 {
        let key = site.key();
        site.put(&key, &[as_bin!("b", aerospike::as_blob!(blob.clone()))]).await;
        rows.push(read(&key));
    }
    site.client.batch(&batch(), &mut rows).await.unwrap();
    for op in &rows {
        assert_eq!(op.batch_record().record.as_ref().unwrap().bins["b"], aerospike::as_blob!(blob.clone()));
    }
}

#[tokio::test]
async fn each_row_has_its_own_outcome() {
    let site = Site::new().await;
    let keys = numbers(&site, 4).await;
    let create = BatchWritePolicy { record_exists_action: RecordExistsAction::CreateOnly, ..Default::default() };
    let stale =
        BatchWritePolicy { generation_policy: GenerationPolicy::ExpectGenEqual, generation: 9, ..Default::default() };
    let mut rows = vec![
        read(&keys[0]),
        read(&site.key()),
        write(&create, &keys[1], 5),
        write(&stale, &keys[2], 5),
        write(&BatchWritePolicy::default(), &keys[2], 22),
        delete(&keys[3]),
        delete(&site.key()),
        read(&keys[3]),
    ];
    site.client.batch(&batch(), &mut rows).await.unwrap();
    let expected = [
        ResultCode::Ok,
        ResultCode::KeyNotFoundError,
        ResultCode::KeyExistsError,
        ResultCode::GenerationError,
        ResultCode::Ok,
        ResultCode::Ok,
        ResultCode::KeyNotFoundError,
        ResultCode::KeyNotFoundError,
    ];
    assert_eq!(codes(&rows), expected);
    assert_eq!(site.get(&keys[2]).await.bins["n"], Value::from(22));
    assert!(!site.exists(&keys[3]).await);
}

#[tokio::test]
async fn rows_operate_on_maps_and_answer_by_place() {
    let site = Site::new().await;
    let keys = [site.key(), site.key()];
    let policy = MapPolicy::new(MapOrder::KeyOrdered, MapWriteFlags::DEFAULT);
    let ops = [
        maps::put(&policy, "m", Value::from("a"), Value::from(1)),
        operations::put(&as_bin!("n", 3)),
        maps::size("m"),
        operations::get_bin("n"),
        maps::remove_by_key("m", Value::from("a"), MapReturnType::VALUE),
    ];
    let write = BatchWritePolicy { expiration: Expiration::Seconds(60), ..Default::default() };
    let mut rows: Vec<_> = keys.iter().map(|key| BatchOperation::write(&write, key.clone(), ops.clone())).collect();
    site.client.batch(&batch(), &mut rows).await.unwrap();
    for op in &rows {
        let record = op.batch_record().record.as_ref().unwrap();
        let expected = [1, 0, 1, 3, 1].map(Value::from);
        let results = record.results.as_ref().unwrap();
        assert_eq!(results.len(), 5);
        assert_eq!(
            (&results[0], &results[2], &results[3], &results[4]),
            (&expected[0], &expected[2], &expected[3], &expected[4])
        );
        assert!(record.time_to_live().unwrap().as_secs() >= 55);
    }
}

#[tokio::test]
async fn rows_read_with_operations_and_headers() {
    let site = Site::new().await;
    let keys = numbers(&site, 2).await;
    let policy = BatchReadPolicy::default();
    let mut rows = vec![
        BatchOperation::read_ops(&policy, keys[1].clone(), [operations::get_bin("n"), operations::get_bin("absent")]),
        BatchOperation::read(&policy, keys[0].clone(), Bins::None),
        BatchOperation::read(&policy, keys[1].clone(), Bins::from(["n"])),
    ];
    site.client.batch(&batch(), &mut rows).await.unwrap();
    let record = |row: usize| rows[row].batch_record().record.as_ref().unwrap();
    assert_eq!(record(0).bins["n"], Value::from(1));
    assert!(record(1).bins.is_empty());
    assert_eq!(record(1).generation, 1);
    assert_eq!(record(2).bins["n"], Value::from(1));
}

#[tokio::test]
async fn a_batch_is_one_request_and_its_rows_are_counted() {
    let site = Site::controlled().await;
    let keys = numbers(&site, 3).await;
    site.control().reset_counters();
    let mut rows = vec![read(&keys[0]), write(&BatchWritePolicy::default(), &keys[1], 9), delete(&keys[2])];
    site.client.batch(&batch(), &mut rows).await.unwrap();
    let counters = site.control().counters();
    assert_eq!((counters.batches, counters.batch_reads, counters.batch_writes, counters.batch_deletes), (1, 1, 1, 1));
    // A batch of one row goes out as a single request: that is the client's doing.
    site.client.batch(&batch(), &mut [read(&keys[0])]).await.unwrap();
    let counters = site.control().counters();
    assert_eq!((counters.batches, counters.gets), (1, 1));
}

#[tokio::test]
async fn a_caller_that_wants_no_answer_after_a_failure_gets_an_error() {
    let site = Site::new().await;
    let keys = numbers(&site, 3).await;
    let mut policy = batch();
    policy.respond_all_keys = false;
    let create = BatchWritePolicy { record_exists_action: RecordExistsAction::CreateOnly, ..Default::default() };
    let mut rows = vec![read(&keys[0]), write(&create, &keys[1], 5), read(&keys[2])];
    // Whether the call or a row says so is the client's affair; that it is said is ours.
    let whole = site.client.batch(&policy, &mut rows).await;
    let failed = rows.iter().any(|row| row.batch_record().result_code() == Some(ResultCode::KeyExistsError));
    assert!(whole.is_err() || failed);
}
