//! One record: put, get, delete, touch, exists, and the policies of a write.

use aerospike::{
    Bins, Expiration, GenerationPolicy, RecordExistsAction, ResultCode, Value, WritePolicy, as_bin, as_blob, as_list,
    as_val,
};

use crate::common::{Site, code, read, write};

#[tokio::test]
async fn every_type_of_value_comes_back() {
    let site = Site::new().await;
    let key = site.key();
    let bins = [
        as_bin!("int", i64::MIN),
        as_bin!("float", 1.25),
        as_bin!("text", "grüße"),
        as_bin!("blob", as_blob!(vec![0u8, 255, 7])),
        as_bin!("bool", true),
        as_bin!("list", as_list!(1, "two", 3.5, as_list!("deep"))),
    ];
    site.put(&key, &bins).await;
    let record = site.get(&key).await;
    assert_eq!(record.generation, 1);
    for bin in &bins {
        assert_eq!(record.bins.get(&bin.name), Some(&bin.value), "{}", bin.name);
    }
    assert_eq!(record.bins.len(), bins.len());
}

#[tokio::test]
async fn a_get_can_name_bins_or_ask_for_none() {
    let site = Site::new().await;
    let key = site.key();
    site.put(&key, &[as_bin!("a", 1), as_bin!("b", 2)]).await;
    let some = site.client.get(&read(), &key, ["b", "absent"]).await.unwrap();
    assert_eq!(some.bins.len(), 1);
    assert_eq!(some.bins["b"], Value::from(2));
    let header = site.client.get(&read(), &key, Bins::None).await.unwrap();
    assert!(header.bins.is_empty());
    assert_eq!(header.generation, 1);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let site = Site::new().await;
    let key = site.key();
    assert_eq!(code(site.client.get(&read(), &key, Bins::All).await), ResultCode::KeyNotFoundError);
    assert_eq!(code(site.client.touch(&write(), &key).await), ResultCode::KeyNotFoundError);
    assert!(!site.client.delete(&write(), &key).await.unwrap());
    assert!(!site.exists(&key).await);
}

#[tokio::test]
async fn a_delete_removes_and_generations_start_again() {
    let site = Site::new().await;
    let key = site.number(1).await;
    site.put(&key, &[as_bin!("n", 2)]).await;
    assert_eq!(site.get(&key).await.generation, 2);
    assert!(site.client.delete(&write(), &key).await.unwrap());
    assert!(!site.exists(&key).await);
    site.put(&key, &[as_bin!("n", 3)]).await;
    assert_eq!(site.get(&key).await.generation, 1);
}

#[tokio::test]
async fn a_touch_advances_the_generation_alone() {
    let site = Site::new().await;
    let key = site.number(7).await;
    site.client.touch(&write(), &key).await.unwrap();
    let record = site.get(&key).await;
    assert_eq!(record.generation, 2);
    assert_eq!(record.bins["n"], Value::from(7));
}

#[tokio::test]
async fn a_bin_is_removed_by_nil_and_the_last_one_takes_the_record_along() {
    let site = Site::new().await;
    let key = site.key();
    site.put(&key, &[as_bin!("a", 1), as_bin!("b", 2)]).await;
    site.put(&key, &[as_bin!("a", Value::Nil)]).await;
    assert_eq!(site.get(&key).await.bins.len(), 1);
    site.put(&key, &[as_bin!("b", Value::Nil)]).await;
    assert!(!site.exists(&key).await);
    assert_eq!(code(site.client.put(&write(), &key, &[as_bin!("b", Value::Nil)]).await), ResultCode::KeyNotFoundError);
}

fn acting(action: RecordExistsAction) -> WritePolicy {
    WritePolicy { record_exists_action: action, ..write() }
}

#[tokio::test]
async fn writes_say_what_they_want_to_find() {
    let site = Site::new().await;
    let (there, absent) = (site.number(1).await, site.key());
    let bins = [as_bin!("other", 2)];
    let put = async |action, key| site.client.put(&acting(action), key, &bins).await;
    assert_eq!(code(put(RecordExistsAction::CreateOnly, &there).await), ResultCode::KeyExistsError);
    assert_eq!(code(put(RecordExistsAction::UpdateOnly, &absent).await), ResultCode::KeyNotFoundError);
    assert_eq!(code(put(RecordExistsAction::ReplaceOnly, &absent).await), ResultCode::KeyNotFoundError);
    assert!(!site.exists(&absent).await);
    put(RecordExistsAction::UpdateOnly, &there).await.unwrap();
    assert_eq!(site.get(&there).await.bins.len(), 2);
    put(RecordExistsAction::ReplaceOnly, &there).await.unwrap();
    assert_eq!(site.get(&there).await.bins.len(), 1);
    put(RecordExistsAction::Replace, &absent).await.unwrap();
    assert!(site.exists(&absent).await);
    put(RecordExistsAction::CreateOnly, &site.key()).await.unwrap();
}

#[tokio::test]
async fn a_generation_guards_writes_and_removes() {
    let site = Site::new().await;
    let key = site.number(1).await;
    let guarded = |policy, generation| WritePolicy { generation_policy: policy, generation, ..write() };
    let bins = [as_bin!("n", 2)];
    let stale = guarded(GenerationPolicy::ExpectGenEqual, 9);
    assert_eq!(code(site.client.put(&stale, &key, &bins).await), ResultCode::GenerationError);
    assert_eq!(code(site.client.delete(&stale, &key).await), ResultCode::GenerationError);
    let not_greater = guarded(GenerationPolicy::ExpectGenGreater, 1);
    assert_eq!(code(site.client.put(&not_greater, &key, &bins).await), ResultCode::GenerationError);
    site.client.put(&guarded(GenerationPolicy::ExpectGenEqual, 1), &key, &bins).await.unwrap();
    site.client.put(&guarded(GenerationPolicy::ExpectGenGreater, 5), &key, &bins).await.unwrap();
    assert_eq!(site.get(&key).await.generation, 3);
    // A record that is not there has generation 0.
    assert_eq!(code(site.client.put(&stale, &site.key(), &bins).await), ResultCode::GenerationError);
}

#[tokio::test]
async fn sets_keep_equal_keys_apart_and_a_wrong_set_is_refused() {
    let site = Site::new().await;
    let key = site.key_in("stand_in");
    let other = aerospike::Key::new(&site.namespace, "stand_in_b", key.user_key().unwrap().clone()).unwrap();
    assert_ne!(key.digest(), other.digest());
    site.put(&key, &[as_bin!("n", 1)]).await;
    assert!(!site.exists(&other).await);
    let forged = aerospike::Key::with_digest(&site.namespace, "stand_in_b", None, key.digest());
    assert_eq!(code(site.client.get(&read(), &forged, Bins::All).await), ResultCode::ParameterError);
    assert_eq!(code(site.client.put(&write(), &forged, &[as_bin!("n", 2)]).await), ResultCode::ParameterError);
}

#[tokio::test]
async fn a_namespace_that_is_none_is_refused() {
    let site = Site::controlled().await;
    let key = aerospike::Key::new("hevlayer", "s", Value::from(1)).unwrap();
    site.put(&key, &[as_bin!("n", 1)]).await;
    let none = aerospike::Key::new("no-such-namespace", "s", Value::from(1)).unwrap();
    assert!(site.client.put(&write(), &none, &[as_bin!("n", 1)]).await.is_err());
}

#[tokio::test]
async fn a_stored_key_must_match() {
    let site = Site::new().await;
    let key = site.key();
    let sending = WritePolicy { send_key: true, expiration: Expiration::NamespaceDefault, ..write() };
    site.client.put(&sending, &key, &[as_bin!("n", 1)]).await.unwrap();
    site.client.put(&sending, &key, &[as_bin!("n", 2)]).await.unwrap();
    let forged = aerospike::Key::with_digest(&site.namespace, "stand_in", Some(Value::from("another")), key.digest());
    assert_eq!(code(site.client.put(&sending, &forged, &[as_bin!("n", 3)]).await), ResultCode::KeyMismatch);
}
