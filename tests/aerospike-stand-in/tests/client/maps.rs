//! Maps in bins.

use std::collections::{BTreeMap, HashMap};

use aerospike::operations::Operation;
use aerospike::operations::maps;
use aerospike::operations::{MapOrder, MapPolicy, MapReturnType, MapWriteFlags};
use aerospike::{Key, ResultCode, Value, as_bin, as_list, as_val};

use crate::common::{Site, code, write};

async fn run(site: &Site, key: &Key, op: Operation) -> Value {
    let record = site.client.operate(&write(), key, &[op]).await.unwrap();
    record.results.unwrap().remove(0)
}

fn ordered() -> MapPolicy {
    MapPolicy::new(MapOrder::KeyOrdered, MapWriteFlags::DEFAULT)
}

async fn abc(site: &Site) -> Key {
    let key = site.key();
    let items: BTreeMap<Value, Value> =
        [("a", 30), ("b", 10), ("c", 20)].map(|(key, value)| (Value::from(key), Value::from(value))).into();
    assert_eq!(run(site, &key, maps::put_items(&ordered(), "m", items)).await, Value::from(3));
    key
}

#[tokio::test]
async fn put_get_size_and_remove_by_key() {
    let site = Site::new().await;
    let key = abc(&site).await;
    assert_eq!(run(&site, &key, maps::put(&ordered(), "m", Value::from("d"), Value::from(40))).await, Value::from(4));
    assert_eq!(run(&site, &key, maps::size("m")).await, Value::from(4));
    let get = |name: &str, kind| maps::get_by_key("m", Value::from(name), kind);
    assert_eq!(run(&site, &key, get("d", MapReturnType::VALUE)).await, Value::from(40));
    assert_eq!(run(&site, &key, get("x", MapReturnType::VALUE)).await, Value::Nil);
    assert_eq!(run(&site, &key, get("x", MapReturnType::EXISTS)).await, Value::from(false));
    assert_eq!(run(&site, &key, get("b", MapReturnType::INDEX)).await, Value::from(1));
    assert_eq!(run(&site, &key, get("b", MapReturnType::RANK)).await, Value::from(0));
    let remove = |name: &str| maps::remove_by_key("m", Value::from(name), MapReturnType::VALUE);
    assert_eq!(run(&site, &key, remove("d")).await, Value::from(40));
    assert_eq!(run(&site, &key, remove("d")).await, Value::Nil);
    assert_eq!(run(&site, &key, maps::size("m")).await, Value::from(3));
}

#[tokio::test]
async fn an_emptied_map_stays_a_bin_and_an_absent_one_is_not_made_by_a_remove() {
    let site = Site::new().await;
    let key = abc(&site).await;
    let all = ["a", "b", "c"].map(Value::from).to_vec();
    assert_eq!(run(&site, &key, maps::remove_by_key_list("m", all, MapReturnType::COUNT)).await, Value::from(3));
    assert_eq!(run(&site, &key, maps::size("m")).await, Value::from(0));
    assert!(site.get(&key).await.bins.contains_key("m"));
    let other = site.number(1).await;
    run(&site, &other, maps::remove_by_key("m", Value::from("a"), MapReturnType::NONE)).await;
    assert!(!site.get(&other).await.bins.contains_key("m"));
}

#[tokio::test]
async fn ranges_by_key_value_index_and_rank() {
    let site = Site::new().await;
    let key = abc(&site).await;
    let key_kind = MapReturnType::KEY;
    let range = maps::get_by_key_range("m", Value::from("a"), Value::from("c"), key_kind);
    assert_eq!(run(&site, &key, range).await, as_list!("a", "b"));
    let values = maps::get_by_value_range("m", Value::from(10), Value::from(30), key_kind);
    assert_eq!(run(&site, &key, values).await, as_list!("b", "c"));
    assert_eq!(run(&site, &key, maps::get_by_index("m", -1, key_kind)).await, Value::from("c"));
    assert_eq!(run(&site, &key, maps::get_by_rank("m", -1, key_kind)).await, Value::from("a"));
    assert_eq!(run(&site, &key, maps::get_by_index_range("m", 1, 5, key_kind)).await, as_list!("b", "c"));
    let out_of_range = maps::get_by_index("m", 9, key_kind);
    assert_eq!(code(site.client.operate(&write(), &key, &[out_of_range]).await), ResultCode::OpNotApplicable);
    let removed = maps::remove_by_value_range("m", Value::Nil, Value::from(21), MapReturnType::COUNT);
    assert_eq!(run(&site, &key, removed).await, Value::from(2));
    let rest = maps::get_by_key_range("m", Value::Nil, Value::Nil, MapReturnType::KEY.inverted());
    assert_eq!(run(&site, &key, rest).await, as_list!());
}

#[tokio::test]
async fn increments_and_clear() {
    let site = Site::new().await;
    let key = abc(&site).await;
    let by = |name: &str, by| maps::increment_value(&ordered(), "m", Value::from(name), Value::from(by));
    assert_eq!(run(&site, &key, by("a", 12)).await, Value::from(42));
    assert_eq!(run(&site, &key, by("new", -1)).await, Value::from(-1));
    run(&site, &key, maps::clear("m")).await;
    assert_eq!(run(&site, &key, maps::size("m")).await, Value::from(0));
}

#[tokio::test]
async fn a_put_says_what_it_wants_to_find() {
    let site = Site::new().await;
    let key = abc(&site).await;
    let put = async |flags, name: &str| {
        let op = maps::put(&MapPolicy::new(MapOrder::KeyOrdered, flags), "m", Value::from(name), Value::from(0));
        site.client.operate(&write(), &key, &[op]).await
    };
    assert_eq!(code(put(MapWriteFlags::CREATE_ONLY, "a").await), ResultCode::ElementExists);
    assert_eq!(code(put(MapWriteFlags::UPDATE_ONLY, "x").await), ResultCode::ElementNotFound);
    put(MapWriteFlags::CREATE_ONLY | MapWriteFlags::NO_FAIL, "a").await.unwrap();
    assert_eq!(run(&site, &key, maps::get_by_key("m", Value::from("a"), MapReturnType::VALUE)).await, Value::from(30));
}

#[tokio::test]
async fn a_bin_that_is_no_map_is_refused() {
    let site = Site::new().await;
    let key = site.number(1).await;
    let put = maps::put(&ordered(), "n", Value::from("a"), Value::from(1));
    assert_eq!(code(site.client.operate(&write(), &key, &[put]).await), ResultCode::BinTypeError);
    assert_eq!(code(site.client.operate(&write(), &key, &[maps::size("n")]).await), ResultCode::BinTypeError);
}

#[tokio::test]
async fn whole_maps_come_back_with_their_order() {
    let site = Site::new().await;
    let key = abc(&site).await;
    assert!(matches!(site.get(&key).await.bins["m"], Value::SortedMap(_)));
    let unordered: HashMap<Value, Value> = (0..300).map(|i| (Value::from(i), Value::from(i * 2))).collect();
    site.put(&key, &[as_bin!("u", unordered.clone())]).await;
    let back = site.get(&key).await;
    assert!(matches!(back.bins["u"], Value::OrderedMap(_)));
    assert_eq!(back.bins["u"], Value::from(unordered));
}

#[tokio::test]
async fn maps_inside_of_maps_say_that_they_are_left_out() {
    let site = Site::controlled().await;
    let key = abc(&site).await;
    let deep = maps::size("m").context(aerospike::operations::cdt_context::Path::new().map_key("a"));
    assert_eq!(code(site.client.operate(&write(), &key, &[deep]).await), ResultCode::UnsupportedFeature);
}
