use layer_proto::types::v1::value::Kind;
use layer_proto::types::v1::{
    Comparison, ComparisonOperator as Op, EmptyArray, Filter, FilterList, FuzzyFilter, IntArray, MaxEditDistance,
    StringArray, TextOperand, TokenFilter, TokenOperator, UintArray, UuidArray, comparison, filter, text_operand,
};
use prost_types::Timestamp;
use serde_json::{Value as Json, json};

use super::*;
use crate::grpc::encode;

fn filters(filter: Filter) -> Json {
    body(encode::query(&filtered(filter)))["filters"].clone()
}

#[test]
fn every_comparison_has_the_wires_name() {
    let names = [
        "Eq",
        "NotEq",
        "In",
        "NotIn",
        "Contains",
        "NotContains",
        "ContainsAny",
        "NotContainsAny",
        "Lt",
        "Lte",
        "Gt",
        "Gte",
        "AnyLt",
        "AnyLte",
        "AnyGt",
        "AnyGte",
        "Glob",
        "NotGlob",
        "IGlob",
        "NotIGlob",
        "Regex",
    ];
    for (number, name) in (1..).zip(names) {
        let op = Op::try_from(number).expect("an operator");
        assert_eq!(filters(compare("a", op, int(1))), json!(["a", name, 1]));
    }
    assert!(Op::try_from(names.len() as i32 + 1).is_err(), "an operator without a test");
}

#[test]
fn operands_keep_their_type_and_every_digit() {
    let uuid = "7a8f6d1e-3b0c-4c57-9a55-0f5f5f0a1b2c";
    let time = Timestamp { seconds: 1_709_337_600, nanos: 5_000_000 };
    for (operand, expected) in [
        (value(Kind::NullValue(0)), json!(null)),
        (text("tab\t\"quoted\" ü"), json!("tab\t\"quoted\" ü")),
        (int(i64::MIN), json!(i64::MIN)),
        (value(Kind::UintValue(u64::MAX)), json!(u64::MAX)),
        (value(Kind::FloatValue(0.1)), json!(0.1)),
        (value(Kind::BoolValue(true)), json!(true)),
        (value(Kind::BytesValue(vec![0, 255, 1].into())), json!("AP8B")),
        (value(Kind::DatetimeValue(time)), json!("2024-03-02T00:00:00.005Z")),
        (value(Kind::UuidValue(uuid.to_owned())), json!(uuid)),
        (value(Kind::IntArray(IntArray { values: vec![-1, 2] })), json!([-1, 2])),
        (value(Kind::UintArray(UintArray { values: vec![u64::MAX] })), json!([u64::MAX])),
        (value(Kind::UuidArray(UuidArray { values: vec![uuid.to_owned()] })), json!([uuid])),
        (value(Kind::EmptyArray(EmptyArray {})), json!([])),
    ] {
        assert_eq!(filters(compare("a", Op::Eq, operand)), json!(["a", "Eq", expected]));
    }
}

#[test]
fn filters_combine() {
    let list = |filters: Vec<Filter>| FilterList { filters };
    let low = compare("year", Op::Gte, int(1999));
    let not = filter_of(filter::Kind::Negated(Box::new(compare("tags", Op::Contains, text("draft")))));
    let any = filter_of(filter::Kind::AnyOf(list(vec![not, low.clone()])));
    let all = filter_of(filter::Kind::AllOf(list(vec![low, any])));
    let expected = json!([
        "And",
        [["year", "Gte", 1999], ["Or", [["Not", ["tags", "Contains", "draft"]], ["year", "Gte", 1999]]]]
    ]);
    assert_eq!(filters(all), expected);
    assert_eq!(filters(filter_of(filter::Kind::AllOf(list(vec![])))), json!(["And", []]));
}

#[test]
fn tokens_are_looked_for_in_one_text_or_several() {
    let tokens = |op: TokenOperator, kind, last_as_prefix| {
        let operand = Some(TextOperand { kind: Some(kind) });
        let filter = TokenFilter { attribute: "title".to_owned(), op: op as i32, operand, last_as_prefix };
        filters(filter_of(filter::Kind::Tokens(filter)))
    };
    let one = text_operand::Kind::Text("blue whale".to_owned());
    let many = text_operand::Kind::Texts(StringArray { values: vec!["blue".to_owned(), "whale".to_owned()] });
    assert_eq!(
        tokens(TokenOperator::ContainsAllTokens, one.clone(), Some(true)),
        json!(["title", "ContainsAllTokens", "blue whale", {"last_as_prefix": true}])
    );
    assert_eq!(
        tokens(TokenOperator::ContainsAnyToken, many, None),
        json!(["title", "ContainsAnyToken", ["blue", "whale"]])
    );
    assert_eq!(
        tokens(TokenOperator::ContainsTokenSequence, one, None),
        json!(["title", "ContainsTokenSequence", "blue whale"])
    );
}

#[test]
fn fuzzy_carries_its_parameters() {
    let fuzzy = FuzzyFilter {
        attribute: "name".to_owned(),
        text: "walrus".to_owned(),
        max_edit_distance: vec![MaxEditDistance { min_query_chars: 6, distance: 1 }],
        case_sensitive: Some(false),
    };
    let expected = json!(["name", "Fuzzy", "walrus",
        {"max_edit_distance": [{"min_query_chars": 6, "distance": 1}], "case_sensitive": false}]);
    assert_eq!(filters(filter_of(filter::Kind::Fuzzy(fuzzy))), expected);
}

#[test]
fn conditions_may_refer_to_the_row_that_is_written() {
    let newer = filter_of(filter::Kind::Comparison(Comparison {
        attribute: "version".to_owned(),
        op: Op::Lt as i32,
        operand: Some(comparison::Operand::RefNew("version".to_owned())),
    }));
    let request = write_of(|write| write.upsert_condition = Some(newer));
    assert_eq!(body(encode::write(&request)), json!({"upsert_condition": ["version", "Lt", {"$ref_new": "version"}]}));
}
