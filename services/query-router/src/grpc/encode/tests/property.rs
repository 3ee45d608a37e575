//! Any filter that is right becomes JSON of the wire's grammar, which a reader written from the grammar alone turns back
//! into the same filter.

use layer_proto::types::v1::value::Kind;
use layer_proto::types::v1::{ComparisonOperator, Filter, FilterList, IntArray, StringArray, filter};
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::grpc::encode;
use crate::grpc::encode::filter::wire_name;

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(value(Kind::NullValue(0))),
        any::<String>().prop_map(|text| value(Kind::StringValue(text))),
        any::<i64>().prop_map(int),
        (i64::MAX as u64 + 1..).prop_map(|number| value(Kind::UintValue(number))),
        proptest::num::f64::NORMAL.prop_map(|number| value(Kind::FloatValue(number))),
        any::<bool>().prop_map(|truth| value(Kind::BoolValue(truth))),
        proptest::collection::vec(any::<String>(), 1..4)
            .prop_map(|values| value(Kind::StringArray(StringArray { values }))),
        proptest::collection::vec(any::<i64>(), 1..4).prop_map(|values| value(Kind::IntArray(IntArray { values }))),
    ]
}

fn any_comparison() -> impl Strategy<Value = Filter> {
    let operator = (1..=21).prop_map(|number| ComparisonOperator::try_from(number).unwrap());
    // `And`, `Or` and `Not` would be read as such: no attribute of these names can be filtered on the wire itself.
    let name = any::<String>()
        .prop_filter("not empty", |name| !name.is_empty() && !["And", "Or", "Not"].contains(&name.as_str()));
    (name, operator, any_value()).prop_map(|(name, op, with)| compare(&name, op, with))
}

fn any_filter() -> impl Strategy<Value = Filter> {
    any_comparison().prop_recursive(8, 64, 4, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..4).prop_map(|filters| FilterList { filters });
        prop_oneof![
            list.clone().prop_map(|list| filter_of(filter::Kind::AllOf(list))),
            list.prop_map(|list| filter_of(filter::Kind::AnyOf(list))),
            inner.prop_map(|inner| filter_of(filter::Kind::Negated(Box::new(inner)))),
        ]
    })
}

/// Reads the wire's grammar: `["And"|"Or",[…]]`, `["Not",…]`, `[attr, op, value]`.
fn read(json: &Json) -> Filter {
    match json.as_array().expect("a filter is an array").as_slice() {
        [Json::String(and), Json::Array(list)] if and == "And" => filter_of(filter::Kind::AllOf(read_list(list))),
        [Json::String(or), Json::Array(list)] if or == "Or" => filter_of(filter::Kind::AnyOf(read_list(list))),
        [Json::String(not), inner] if not == "Not" => filter_of(filter::Kind::Negated(Box::new(read(inner)))),
        [Json::String(name), Json::String(op), with] => compare(name, read_operator(op), read_value(with)),
        other => panic!("no filter: {other:?}"),
    }
}

fn read_list(list: &[Json]) -> FilterList {
    FilterList { filters: list.iter().map(read).collect() }
}

fn read_operator(name: &str) -> ComparisonOperator {
    let mut all = (1..=21).map(|number| ComparisonOperator::try_from(number).unwrap());
    all.find(|op| wire_name(*op) == Some(name)).unwrap_or_else(|| panic!("no operator: {name}"))
}

fn read_value(json: &Json) -> Value {
    value(match json {
        Json::Null => Kind::NullValue(0),
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Bool(truth) => Kind::BoolValue(*truth),
        Json::Number(number) if number.is_i64() => Kind::IntValue(number.as_i64().unwrap()),
        Json::Number(number) if number.is_u64() => Kind::UintValue(number.as_u64().unwrap()),
        Json::Number(number) => Kind::FloatValue(number.as_f64().unwrap()),
        Json::Array(list) if list[0].is_string() => Kind::StringArray(StringArray {
            values: list.iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
        }),
        Json::Array(list) => {
            Kind::IntArray(IntArray { values: list.iter().map(|number| number.as_i64().unwrap()).collect() })
        }
        Json::Object(_) => panic!("no operand: {json}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn filters_survive_the_wire(filter in any_filter()) {
        let json = body(encode::query(&filtered(filter.clone())))["filters"].clone();
        prop_assert_eq!(read(&json), filter);
    }
}
