//! Several operations on one record at once.

use aerospike::operations::{self, ListPolicy, lists};
use aerospike::{Bins, ResultCode, Value, as_bin};

use crate::common::{Site, code, read, write};

#[tokio::test]
async fn operations_are_done_in_order_and_each_has_its_answer() {
    let site = Site::new().await;
    let key = site.number(1).await;
    let ops = [
        operations::get_bin("n"),
        operations::add(&as_bin!("n", 41)),
        operations::get_bin("n"),
        operations::put(&as_bin!("text", "b")),
        operations::append(&as_bin!("text", "c")),
        operations::prepend(&as_bin!("text", "a")),
        operations::get_bin("text"),
        operations::get_bin("absent"),
    ];
    let record = site.client.operate(&write(), &key, &ops).await.unwrap();
    let nil = Value::Nil;
    let expected =
        [Value::from(1), nil.clone(), Value::from(42), nil.clone(), nil.clone(), nil.clone(), Value::from("abc"), nil];
    assert_eq!(record.results.as_deref(), Some(&expected[..]));
    assert_eq!(record.generation, 2);
}

#[tokio::test]
async fn reads_alone_change_nothing() {
    let site = Site::new().await;
    let key = site.number(5).await;
    let record = site.client.operate(&write(), &key, &[operations::get_bin("n")]).await.unwrap();
    assert_eq!(record.bins["n"], Value::from(5));
    let all = site.client.operate(&write(), &key, &[operations::get()]).await.unwrap();
    assert_eq!(all.bins["n"], Value::from(5));
    assert_eq!(site.get(&key).await.generation, 1);
}

#[tokio::test]
async fn one_operation_that_fails_undoes_all() {
    let site = Site::new().await;
    let key = site.number(1).await;
    let ops = [operations::put(&as_bin!("n", 2)), operations::append(&as_bin!("n", "text"))];
    assert_eq!(code(site.client.operate(&write(), &key, &ops).await), ResultCode::BinTypeError);
    let record = site.get(&key).await;
    assert_eq!((record.generation, &record.bins["n"]), (1, &Value::from(1)));
}

#[tokio::test]
async fn a_delete_inside_removes_or_makes_room() {
    let site = Site::new().await;
    let key = site.number(1).await;
    site.client.operate(&write(), &key, &[operations::delete(), operations::put(&as_bin!("m", 2))]).await.unwrap();
    let record = site.get(&key).await;
    assert_eq!((record.bins.len(), &record.bins["m"]), (1, &Value::from(2)));
    site.client.operate(&write(), &key, &[operations::delete()]).await.unwrap();
    assert!(!site.exists(&key).await);
    assert_eq!(code(site.client.operate(&write(), &key, &[operations::delete()]).await), ResultCode::KeyNotFoundError);
}

#[tokio::test]
async fn a_touch_inside_needs_the_record() {
    let site = Site::new().await;
    let absent = site.key();
    let ops = [operations::touch(), operations::put(&as_bin!("n", 1))];
    assert_eq!(code(site.client.operate(&write(), &absent, &ops).await), ResultCode::KeyNotFoundError);
    let key = site.number(1).await;
    site.client.operate(&write(), &key, &ops).await.unwrap();
    assert_eq!(site.get(&key).await.generation, 2);
}

#[tokio::test]
async fn what_the_stand_in_leaves_out_says_so() {
    let site = Site::controlled().await;
    let key = site.key();
    let append = lists::append(&ListPolicy::default(), "l", Value::from(1));
    assert_eq!(code(site.client.operate(&write(), &key, &[append]).await), ResultCode::UnsupportedFeature);
    assert_eq!(code(site.client.get(&read(), &key, Bins::All).await), ResultCode::KeyNotFoundError);
}
