//! Filter expressions on requests, also as the document cache uses them.

use std::collections::BTreeMap;

use aerospike::expressions::{self as exp, ExpType, Expression};
use aerospike::operations::{self, MapReturnType};
use aerospike::{
    BatchOperation, BatchReadPolicy, BatchWritePolicy, Bins, Key, ReadPolicy, RecordExistsAction, ResultCode, Value,
    WritePolicy, as_bin, as_blob,
};

use crate::common::{Site, batch, code, read, write};

fn reading(filter: Expression) -> ReadPolicy {
    let mut policy = read();
    policy.base_policy.filter_expression = Some(filter);
    policy
}

fn writing(filter: Expression) -> WritePolicy {
    let mut policy = write();
    policy.base_policy.filter_expression = Some(filter);
    policy
}

/// Whether the record passes.
async fn passes(site: &Site, key: &Key, filter: Expression) -> bool {
    match site.client.get(&reading(filter), key, Bins::All).await {
        Ok(_) => true,
        result => {
            assert_eq!(code(result), ResultCode::FilteredOut);
            false
        }
    }
}

async fn sample(site: &Site) -> Key {
    let key = site.key();
    let map: BTreeMap<Value, Value> = [(Value::from("k"), Value::from(5))].into();
    let bins = [
        as_bin!("n", 7),
        as_bin!("f", 1.5),
        as_bin!("t", "seven"),
        as_bin!("b", as_blob!(vec![1u8, 2])),
        as_bin!("y", true),
        as_bin!("m", map),
    ];
    site.put(&key, &bins).await;
    key
}

fn seven() -> Expression {
    exp::int_bin("n")
}

#[tokio::test]
async fn comparisons_of_every_type() {
    let site = Site::new().await;
    let key = sample(&site).await;
    let same: BTreeMap<Value, Value> = [(Value::from("k"), Value::from(5))].into();
    let truths = vec![
        exp::eq(seven(), exp::int_val(7)),
        exp::ne(seven(), exp::int_val(8)),
        exp::gt(seven(), exp::int_val(6)),
        exp::ge(seven(), exp::int_val(7)),
        exp::lt(exp::float_bin("f"), exp::float_val(2.0)),
        exp::le(exp::string_bin("t"), exp::string_val("seven")),
        exp::lt(exp::blob_bin("b"), exp::blob_val(vec![1, 2, 0])),
        exp::eq(exp::bool_bin("y"), exp::bool_val(true)),
        exp::eq(exp::map_bin("m"), exp::map_val(same)),
        exp::in_list(seven(), exp::list_val(vec![Value::from(1), Value::from(7)])),
        exp::eq(exp::set_name(), exp::string_val("stand_in")),
        exp::eq(exp::bin_type("t"), exp::int_val(3)),
    ];
    for truth in truths {
        assert!(passes(&site, &key, truth.clone()).await, "{truth:?}");
        assert!(!passes(&site, &key, exp::not(truth.clone())).await, "not {truth:?}");
    }
}

#[tokio::test]
async fn and_or_not_exclusive_with_the_unknown() {
    let site = Site::new().await;
    let key = sample(&site).await;
    let (yes, no) = (exp::eq(seven(), exp::int_val(7)), exp::eq(seven(), exp::int_val(0)));
    let unknown = exp::eq(exp::int_bin("absent"), exp::int_val(1));
    let passes = async |filter| passes(&site, &key, filter).await;
    assert!(passes(exp::and(vec![yes.clone(), yes.clone()])).await);
    assert!(!passes(exp::and(vec![yes.clone(), no.clone()])).await);
    assert!(passes(exp::or(vec![unknown.clone(), yes.clone()])).await);
    assert!(!passes(exp::or(vec![unknown.clone(), no.clone()])).await);
    assert!(!passes(unknown.clone()).await);
    assert!(!passes(exp::not(unknown.clone())).await);
    assert!(passes(exp::not(exp::and(vec![unknown, no.clone()]))).await);
    assert!(passes(exp::xor(vec![yes.clone(), no.clone()])).await);
    assert!(!passes(exp::xor(vec![yes.clone(), yes.clone()])).await);
    assert!(!passes(exp::unknown()).await);
    // A bin of another type is as good as none.
    assert!(!passes(exp::eq(exp::int_bin("t"), exp::int_val(1))).await);
    assert!(passes(exp::bin_exists("n")).await);
    assert!(!passes(exp::bin_exists("absent")).await);
}

#[tokio::test]
async fn cond_let_var_and_maps() {
    let site = Site::new().await;
    let key = sample(&site).await;
    let passes = async |filter| passes(&site, &key, filter).await;
    let by_key =
        |name: &str, kind, gives| exp::maps::get_by_key(kind, gives, exp::string_val(name), exp::map_bin("m"), &[]);
    assert!(passes(exp::eq(by_key("k", MapReturnType::VALUE, ExpType::Int), exp::int_val(5))).await);
    assert!(!passes(exp::eq(by_key("x", MapReturnType::VALUE, ExpType::Int), exp::int_val(5))).await);
    assert!(passes(exp::not(by_key("x", MapReturnType::EXISTS, ExpType::Bool))).await);
    assert!(passes(exp::eq(exp::maps::size(exp::map_bin("m"), &[]), exp::int_val(1))).await);
    let chosen = exp::cond(vec![
        exp::bin_exists("absent"),
        exp::int_bin("absent"),
        exp::bin_exists("n"),
        exp::int_bin("n"),
        exp::unknown(),
    ]);
    assert!(passes(exp::eq(chosen, exp::int_val(7))).await);
    let sum = exp::exp_let(vec![
        exp::def("x", seven()),
        exp::def("y", exp::num_mul(vec![exp::var("x"), exp::int_val(2)])),
        exp::eq(exp::num_add(vec![exp::var("x"), exp::var("y")]), exp::int_val(21)),
    ]);
    assert!(passes(sum).await);
    let without = exp::maps::remove_by_key(MapReturnType::NONE, exp::string_val("k"), exp::map_bin("m"), &[]);
    assert!(passes(exp::eq(exp::maps::size(without, &[]), exp::int_val(0))).await);
    let kept = exp::maps::size(exp::map_bin("m"), &[]);
    assert!(passes(exp::eq(kept, exp::int_val(1))).await, "a filter changes nothing");
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused() {
    let site = Site::new().await;
    let key = sample(&site).await;
    let wrong = [
        exp::eq(seven(), exp::string_val("7")),
        exp::int_val(1),
        exp::and(vec![seven(), exp::bool_val(true)]),
        exp::var("nobody"),
    ];
    for filter in wrong {
        let result = site.client.get(&reading(filter.clone()), &key, Bins::All).await;
        assert_eq!(code(result), ResultCode::ParameterError, "{filter:?}");
    }
}

#[tokio::test]
async fn a_fill_is_stored_only_while_its_token_holds() {
    let site = Site::new().await;
    let key = site.key();
    site.put(&key, &[as_bin!("token", 41)]).await;
    let guard = |token| exp::eq(exp::int_bin("token"), exp::int_val(token));
    let fill = |token| WritePolicy { record_exists_action: RecordExistsAction::UpdateOnly, ..writing(guard(token)) };
    let value = [as_bin!("value", "body")];
    assert_eq!(code(site.client.put(&fill(40), &key, &value).await), ResultCode::FilteredOut);
    assert!(!site.get(&key).await.bins.contains_key("value"));
    site.client.put(&fill(41), &key, &value).await.unwrap();
    assert!(site.get(&key).await.bins.contains_key("value"));
    assert_eq!(code(site.client.delete(&writing(guard(40)), &key).await), ResultCode::FilteredOut);
    assert!(site.client.delete(&writing(guard(41)), &key).await.unwrap());
    assert_eq!(code(site.client.put(&fill(41), &key, &value).await), ResultCode::KeyNotFoundError);
}

#[tokio::test]
async fn a_filter_does_not_keep_a_write_from_making_a_record() {
    let site = Site::new().await;
    let key = site.key();
    let never = exp::eq(exp::int_bin("token"), exp::int_val(1));
    site.client.put(&writing(never), &key, &[as_bin!("n", 1)]).await.unwrap();
    assert!(site.exists(&key).await);
}

#[tokio::test]
async fn filters_of_a_batch_and_of_its_rows() {
    let site = Site::new().await;
    let keys = [site.number(1).await, site.number(2).await, site.number(3).await];
    let is = |number| Some(exp::eq(exp::int_bin("n"), exp::int_val(number)));
    let mut policy = batch();
    policy.base_policy.filter_expression = is(2);
    let rows_read = |policy: &BatchReadPolicy| {
        keys.iter().map(|key| BatchOperation::read(policy, key.clone(), Bins::All)).collect::<Vec<_>>()
    };
    let codes =
        |rows: &[BatchOperation]| rows.iter().map(|row| row.batch_record().result_code().unwrap()).collect::<Vec<_>>();
    let mut rows = rows_read(&BatchReadPolicy::default());
    site.client.batch(&policy, &mut rows).await.unwrap();
    assert_eq!(codes(&rows), [ResultCode::FilteredOut, ResultCode::Ok, ResultCode::FilteredOut]);
    let mut rows = rows_read(&BatchReadPolicy { filter_expression: is(3), ..Default::default() });
    site.client.batch(&batch(), &mut rows).await.unwrap();
    assert_eq!(codes(&rows), [ResultCode::FilteredOut, ResultCode::FilteredOut, ResultCode::Ok]);
    let mut rows: Vec<BatchOperation> = (1..=3)
        .map(|number| {
            let policy = BatchWritePolicy { filter_expression: is(number.min(2)), ..Default::default() };
            BatchOperation::write(
                &policy,
                keys[number as usize - 1].clone(),
                [operations::put(&as_bin!("n", number * 10))],
            )
        })
        .collect();
    site.client.batch(&batch(), &mut rows).await.unwrap();
    assert_eq!(codes(&rows), [ResultCode::Ok, ResultCode::Ok, ResultCode::FilteredOut]);
    assert_eq!(site.get(&keys[1]).await.bins["n"], Value::from(20));
    assert_eq!(site.get(&keys[2]).await.bins["n"], Value::from(3));
}

#[tokio::test]
async fn what_the_stand_in_leaves_out_is_not_guessed() {
    let site = Site::controlled().await;
    let key = sample(&site).await;
    let regex = exp::regex_compare("s.*", aerospike::RegexFlags::NONE, exp::string_bin("t"));
    assert_eq!(code(site.client.get(&reading(regex), &key, Bins::All).await), ResultCode::UnsupportedFeature);
}
