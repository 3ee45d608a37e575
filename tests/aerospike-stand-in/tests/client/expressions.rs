//! Operations that read and write expressions.

use aerospike::expressions::{self as exp, Expression};
use aerospike::operations::exp::{ExpReadFlags, ExpWriteFlags, read_exp, write_exp};
use aerospike::operations::{self, MapOrder, MapPolicy, MapWriteFlags};
use aerospike::{Key, ResultCode, Value};
use std::time::Duration;

use crate::common::{Site, code, write};

async fn value_of(site: &Site, key: &Key, expression: Expression) -> Value {
    let op = read_exp("answer", expression, ExpReadFlags::DEFAULT);
    site.client.operate(&write(), key, &[op]).await.unwrap().bins["answer"].clone()
}

#[tokio::test]
async fn an_expression_is_read_beside_bins() {
    let site = Site::new().await;
    let key = site.number(6).await;
    let double = exp::num_mul(vec![exp::int_bin("n"), exp::int_val(2)]);
    let ops = [operations::get_bin("n"), read_exp("double", double, ExpReadFlags::DEFAULT)];
    let record = site.client.operate(&write(), &key, &ops).await.unwrap();
    assert_eq!(record.results.as_deref(), Some(&[Value::from(6), Value::from(12)][..]));
    assert_eq!(record.bins["double"], Value::from(12));
    assert_eq!(record.generation, 1);
}

#[tokio::test]
async fn arithmetic() {
    let site = Site::new().await;
    let key = site.number(10).await;
    let n = || exp::int_bin("n");
    let three = || exp::int_val(3);
    let cases = [
        (exp::num_add(vec![n(), three()]), 13),
        (exp::num_sub(vec![n(), three()]), 7),
        (exp::num_div(vec![n(), three()]), 3),
        (exp::num_mod(n(), three()), 1),
        (exp::num_abs(exp::num_sub(vec![three(), n()])), 7),
        (exp::int_and(vec![n(), exp::int_val(6)]), 2),
        (exp::int_or(vec![n(), exp::int_val(5)]), 15),
        (exp::int_xor(vec![n(), exp::int_val(2)]), 8),
        (exp::int_not(n()), -11),
        (exp::int_lshift(n(), three()), 80),
        (exp::int_rshift(n(), exp::int_val(1)), 5),
        (exp::int_count(n()), 2),
        (exp::min(vec![n(), three()]), 3),
        (exp::max(vec![n(), three()]), 10),
        (exp::to_int(exp::float_val(3.9)), 3),
    ];
    for (expression, expected) in cases {
        assert_eq!(value_of(&site, &key, expression.clone()).await, Value::from(expected), "{expression:?}");
    }
    let by_zero = read_exp("x", exp::num_div(vec![n(), exp::int_val(0)]), ExpReadFlags::DEFAULT);
    assert_eq!(code(site.client.operate(&write(), &key, &[by_zero]).await), ResultCode::OpNotApplicable);
}

#[tokio::test]
async fn an_expression_is_written_as_its_flags_say() {
    let site = Site::new().await;
    let key = site.number(1).await;
    let run = async |bin: &str, expression, flags| {
        site.client.operate(&write(), &key, &[write_exp(bin, expression, flags)]).await
    };
    run("m", exp::num_add(vec![exp::int_bin("n"), exp::int_val(1)]), ExpWriteFlags::DEFAULT).await.unwrap();
    assert_eq!(site.get(&key).await.bins["m"], Value::from(2));
    let five = || exp::int_val(5);
    assert_eq!(code(run("m", five(), ExpWriteFlags::CREATE_ONLY).await), ResultCode::BinExistsError);
    assert_eq!(code(run("new", five(), ExpWriteFlags::UPDATE_ONLY).await), ResultCode::BinNotFound);
    run("m", five(), ExpWriteFlags::CREATE_ONLY | ExpWriteFlags::POLICY_NO_FAIL).await.unwrap();
    assert_eq!(site.get(&key).await.bins["m"], Value::from(2));
    assert_eq!(code(run("m", exp::unknown(), ExpWriteFlags::DEFAULT).await), ResultCode::OpNotApplicable);
    run("m", exp::unknown(), ExpWriteFlags::EVAL_NO_FAIL).await.unwrap();
    assert_eq!(site.get(&key).await.bins["m"], Value::from(2));
    assert_eq!(code(run("m", exp::nil(), ExpWriteFlags::DEFAULT).await), ResultCode::OpNotApplicable);
    run("m", exp::nil(), ExpWriteFlags::ALLOW_DELETE).await.unwrap();
    assert!(!site.get(&key).await.bins.contains_key("m"));
}

#[tokio::test]
async fn a_token_is_made_only_where_there_is_none() {
    let site = Site::new().await;
    let key = site.key();
    let token = |fresh| {
        let kept = exp::cond(vec![exp::bin_exists("token"), exp::int_bin("token"), exp::int_val(fresh)]);
        [write_exp("token", kept, ExpWriteFlags::DEFAULT), operations::get_bin("token")]
    };
    for fresh in [11, 22] {
        let record = site.client.operate(&write(), &key, &token(fresh)).await.unwrap();
        assert_eq!(record.results.unwrap()[1], Value::from(11));
    }
}

#[tokio::test]
async fn a_map_is_changed_by_an_expression() {
    let site = Site::new().await;
    let key = site.key();
    let policy = MapPolicy::new(MapOrder::KeyOrdered, MapWriteFlags::DEFAULT);
    let put = operations::maps::put(&policy, "m", Value::from("a"), Value::from(1));
    site.client.operate(&write(), &key, &[put]).await.unwrap();
    let more = exp::maps::put(&policy, exp::string_val("b"), exp::int_val(2), exp::map_bin("m"), &[]);
    let ops = [write_exp("m", more, ExpWriteFlags::DEFAULT), operations::maps::size("m")];
    let record = site.client.operate(&write(), &key, &ops).await.unwrap();
    assert_eq!(record.results.unwrap()[1], Value::from(2));
}

#[tokio::test]
async fn what_is_known_of_a_record() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    assert_eq!(value_of(&site, &key, exp::ttl()).await, Value::from(-1));
    assert_eq!(value_of(&site, &key, exp::void_time()).await, Value::from(-1));
    assert_eq!(value_of(&site, &key, exp::key_exists()).await, Value::from(false));
    assert_eq!(value_of(&site, &key, exp::set_name()).await, Value::from("stand_in"));
    site.control().advance_clock(Duration::from_secs(3));
    let Value::Int(since) = value_of(&site, &key, exp::since_update()).await else { panic!() };
    assert!((3000..60_000).contains(&since), "{since}");
}

/// The server puts the new time in place before it does the operations: an expression among them never sees the old one.
/// Only a filter does. Whoever asks "was this not updated for so long?" must ask in a filter.
#[tokio::test]
async fn since_update_inside_of_a_write_is_zero_and_in_its_filter_is_not() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().advance_clock(Duration::from_secs(5));
    let ops = [write_exp("since", exp::since_update(), ExpWriteFlags::DEFAULT), operations::get_bin("since")];
    let long_ago = || {
        let mut policy = write();
        policy.base_policy.filter_expression = Some(exp::gt(exp::since_update(), exp::int_val(1000)));
        policy
    };
    let record = site.client.operate(&long_ago(), &key, &ops).await.unwrap();
    let Value::Int(since) = record.results.unwrap()[1] else { panic!() };
    assert!(since < 1000, "{since}");
    assert_eq!(code(site.client.operate(&long_ago(), &key, &ops).await), ResultCode::FilteredOut);
}
