//! Requests that are wrong are refused by the path of the field at fault.

use layer_proto::router::v1::{ListNamespacesRequest, MultiQueryRequest, UpdateSchemaRequest};
use layer_proto::types::v1::score::Kind as ScoreKind;
use layer_proto::types::v1::value::Kind;
use layer_proto::types::v1::{
    Column, Columns, Comparison, ComparisonOperator as Op, DenseVectorColumn, FilterList, MultiVector, OrderBy, Row,
    Score, ScoreList, ValueList, VectorSearch, WeightedScore, column, dense_vector_column, filter, query, rank_by,
    vector_search,
};
use prost_types::Timestamp;

use super::*;
use crate::grpc::encode;
use crate::grpc::encode::encoder::MAX_DEPTH;

fn filter_faults(filter: Filter) -> Vec<String> {
    faults(encode::query(&filtered(filter)))
}

fn value_faults(kind: Kind) -> Vec<String> {
    filter_faults(compare("a", Op::Eq, value(kind)))
}

#[test]
fn namespaces_make_no_other_path() {
    let long = "n".repeat(129);
    for name in ["", ".", "..", "a/b", "a?b", "a b", "ü", "a%2f", long.as_str()] {
        let mut request = query_of(|_| ());
        request.namespace = name.to_owned();
        let faults = faults(encode::query(&request));
        assert!(faults[0].starts_with("namespace: must be 1 to 128 of"), "{name}: {faults:?}");
    }
}

#[test]
fn a_fault_deep_in_a_filter_is_named_by_its_path() {
    let good = compare("a", Op::Eq, int(1));
    let bad = compare("a", Op::Eq, value(Kind::FloatValue(f64::NAN)));
    let list = FilterList { filters: vec![good.clone(), good, bad] };
    assert_eq!(
        filter_faults(filter_of(filter::Kind::AllOf(list))),
        ["query.filters.all_of.filters[2].comparison.value.float_value: must be finite"]
    );
}

#[test]
fn every_fault_is_reported_at_once() {
    let comparison = Comparison { attribute: String::new(), op: 99, operand: None };
    assert_eq!(
        filter_faults(filter_of(filter::Kind::Comparison(comparison))),
        [
            "query.filters.comparison.attribute: is required",
            "query.filters.comparison.op: must be an operator of ComparisonOperator",
            "query.filters.comparison: must have value or ref_new",
        ]
    );
    assert_eq!(
        filter_faults(Filter { kind: None }),
        ["query.filters: must have one of comparison, all_of, any_of, negated, tokens, fuzzy"]
    );
}

#[test]
fn values_that_have_no_wire_form_are_refused() {
    let at = "query.filters.comparison.value";
    let late = Timestamp { seconds: 253_402_300_800, nanos: 0 };
    let odd = Timestamp { seconds: 0, nanos: -1 };
    for (kind, fault) in [
        (Kind::DatetimeValue(late), ".datetime_value: must be a time in the years 1 to 9999"),
        (Kind::DatetimeValue(odd), ".datetime_value: must be a time in the years 1 to 9999"),
        (Kind::UuidValue("no".to_owned()), ".uuid_value: must be a UUID"),
        (Kind::DenseVector(floats(&[1.0])), ": must not be a vector here"),
        (Kind::JsonValue("1".to_owned()), ": is of a kind that only answers have"),
    ] {
        assert_eq!(value_faults(kind), [format!("{at}{fault}")]);
    }
    assert_eq!(
        filter_faults(compare("a", Op::Eq, Value { kind: None })),
        [format!("{at}: must have a kind; null is null_value")]
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let innermost = compare("a", Op::Eq, int(1));
        let negate = |inner, _| filter_of(filter::Kind::Negated(Box::new(inner)));
        filtered((1..depth).fold(innermost, negate))
    };
    sent(encode::query(&nested(MAX_DEPTH)));
    let faults = faults(encode::query(&nested(MAX_DEPTH + 1)));
    assert_eq!(faults.len(), 1);
    assert!(faults[0].ends_with("negated: filters and scores may nest at most 32 deep"), "{faults:?}");
}

#[test]
fn the_deepest_request_that_is_allowed_can_be_decoded() {
    use prost::Message as _;
    let innermost = compare("a", Op::In, value(Kind::EmptyArray(Default::default())));
    let wrap = |inner, _| filter_of(filter::Kind::AllOf(FilterList { filters: vec![inner] }));
    let request = filtered((1..MAX_DEPTH).fold(innermost, wrap));
    assert_eq!(QueryRequest::decode(request.encode_to_vec().as_slice()).unwrap(), request);
    sent(encode::query(&request));
}

#[test]
fn vectors_are_whole_finite_and_even() {
    let search = |query| {
        let search = VectorSearch { attribute: "vector".to_owned(), method: 0, query: Some(query) };
        faults(encode::query(&ranked(rank_by::Kind::VectorSearch(search))))
    };
    let raw =
        |bytes: &[u8]| DenseVector { elements: Some(dense_vector::Elements::LittleEndian(bytes.to_vec().into())) };
    let at = "query.rank_by.vector_search.vector";
    let whole = format!("{at}.little_endian: must hold little-endian f32, four bytes each");
    let finite = "must hold finite numbers only";
    assert_eq!(search(vector_search::Query::Vector(raw(&[1, 2, 3]))), std::slice::from_ref(&whole));
    assert_eq!(search(vector_search::Query::Vector(raw(&[]))), [whole]);
    assert_eq!(
        search(vector_search::Query::Vector(raw(&f32::NAN.to_le_bytes()))),
        [format!("{at}.little_endian: {finite}")]
    );
    assert_eq!(search(vector_search::Query::Vector(floats(&[f32::INFINITY]))), [format!("{at}.floats: {finite}")]);
    assert_eq!(search(vector_search::Query::Vector(floats(&[]))), [format!("{at}.floats: must not be empty")]);
    let uneven = MultiVector { vectors: vec![floats(&[1.0]), floats(&[1.0, 2.0])] };
    assert_eq!(
        search(vector_search::Query::MultiVector(uneven)),
        ["query.rank_by.vector_search.multi_vector.vectors[1]: must have as many elements as the first vector"]
    );
}

#[test]
fn scores_are_complete_and_constants_stand_in_max_only() {
    let ranked_by = |kind| faults(encode::query(&ranked(rank_by::Kind::Score(Score { kind: Some(kind) }))));
    let constant = Score { kind: Some(ScoreKind::Constant(1.0)) };
    assert_eq!(
        ranked_by(ScoreKind::Sum(ScoreList { scores: vec![constant] })),
        ["query.rank_by.score.sum.scores[0].constant: may stand only directly in max"]
    );
    assert_eq!(
        ranked_by(ScoreKind::Product(Box::new(WeightedScore { weight: -1.0, score: None }))),
        ["query.rank_by.score.product.weight: must be zero or above", "query.rank_by.score.product.score: is required",]
    );
    assert_eq!(
        ranked_by(ScoreKind::Max(ScoreList { scores: vec![] })),
        ["query.rank_by.score.max.scores: must hold at least one score"]
    );
}

#[test]
fn queries_contradict_themselves_in_no_way() {
    let both = query_of(|query| {
        query.include = Some(query::Include::IncludeAllAttributes(true));
        query.exclude_attributes = vec!["a".to_owned()];
    });
    assert_eq!(faults(encode::query(&both)), ["query.exclude_attributes: must be empty where attributes are included"]);
    let neither = query_of(|query| query.rank_by = None);
    assert_eq!(faults(encode::query(&neither)), ["query: must have rank_by or aggregate_by"]);
    let order = |keys| faults(encode::query(&ranked(rank_by::Kind::OrderBy(OrderBy { keys }))));
    assert_eq!(order(vec![]), ["query.rank_by.order_by.keys: must have 1 to 8 keys"]);
    let mut nothing = query_of(|_| ());
    nothing.query = None;
    assert_eq!(faults(encode::query(&nothing)), ["query: is required"]);
}

#[test]
fn known_fields_come_by_their_own_name_only() {
    let more = |name: &str, text: &str| {
        let entry = (name.to_owned(), text.to_owned());
        faults(encode::query(&query_of(|query| query.additional_fields = [entry].into())))
    };
    let known = "names a field that the contract has";
    for name in ["rank_by", "top_k", "include_attributes", "queries", ""] {
        assert_eq!(more(name, "1"), [format!("query.additional_fields[{name:?}]: {known}")]);
    }
    for text in ["", "{", "1,\"rank_by\":2", "nul"] {
        assert_eq!(more("new", text), ["query.additional_fields[\"new\"]: must be JSON text"]);
    }
}

#[test]
fn several_queries_are_bounded_and_fused_wholly() {
    let multi = |change: &dyn Fn(&mut MultiQueryRequest)| {
        let queries = vec![query_of(|_| ()).query.unwrap()];
        let mut request = MultiQueryRequest { namespace: "docs".to_owned(), queries, ..MultiQueryRequest::default() };
        change(&mut request);
        faults(encode::multi_query(&request))
    };
    assert_eq!(multi(&|request| request.queries.clear()), ["queries: must hold 1 to 16 queries"]);
    assert_eq!(
        multi(&|request| request.queries = vec![request.queries[0].clone(); 17]),
        ["queries: must hold 1 to 16 queries"]
    );
    assert_eq!(multi(&|request| request.limit = Some(1)), ["limit: goes together with rrf or model"]);
    assert_eq!(multi(&|request| request.offset = Some(1)), ["offset: must be unset without rrf or model"]);
    assert_eq!(
        multi(&|request| request.queries[0].filters = Some(Filter { kind: None }))[0].split(':').next(),
        Some("queries[0].filters")
    );
}

#[test]
fn rows_and_columns_are_complete() {
    let nameless = |name: &str| {
        let row = Row { id: None, attributes: [(name.to_owned(), int(1))].into() };
        faults(encode::write(&write_of(|write| write.upsert_rows = vec![row])))
    };
    let no_id = "upsert_rows[0].id: is required".to_owned();
    for (name, fault) in [
        ("id", "the id is set by the field id"),
        ("$dist", "names of attributes do not start with '$'"),
        ("", "names of attributes have 1 to 128 bytes"),
    ] {
        assert_eq!(nameless(name), [no_id.clone(), format!("upsert_rows[0].attributes[{name:?}]: {fault}")]);
    }
    let column = |kind| {
        let columns =
            Columns { ids: vec![uint_id(1), uint_id(2)], columns: [("c".to_owned(), Column { kind })].into() };
        faults(encode::write(&write_of(|write| write.patch_columns = Some(columns))))
    };
    let at = "patch_columns.columns[\"c\"]";
    assert_eq!(column(None), [format!("{at}: must have values or dense_vectors")]);
    assert_eq!(
        column(Some(column::Kind::Values(ValueList { values: vec![int(1)] }))),
        [format!("{at}.values: must have as many values as there are ids")]
    );
    let packed = |dimensions, values: &[f32]| {
        let elements = dense_vector_column::Elements::Floats(Floats { values: values.to_vec() });
        column(Some(column::Kind::DenseVectors(DenseVectorColumn { dimensions, elements: Some(elements) })))
    };
    assert_eq!(packed(0, &[]), [format!("{at}.dense_vectors.dimensions: must be above zero")]);
    assert_eq!(packed(2, &[1.0; 3]), [format!("{at}.dense_vectors.floats: must hold dimensions elements for each id")]);
    assert_eq!(packed(u32::MAX, &[1.0; 3]).len(), 1);
}

#[test]
fn ids_are_bounded() {
    let fault = faults(encode::write(&write_of(|write| write.deletes = vec![text_id(&"x".repeat(65)), Id::default()])));
    assert_eq!(
        fault,
        ["deletes[0].string_value: must be at most 64 bytes", "deletes[1]: must have uint_value or string_value"]
    );
}

#[test]
fn settings_are_checked() {
    let schema = UpdateSchemaRequest { namespace: "docs".to_owned(), schema: Default::default() };
    assert_eq!(faults(encode::update_schema(&schema)), ["schema: must not be empty"]);
    let list = ListNamespacesRequest { page_size: -1, ..ListNamespacesRequest::default() };
    assert_eq!(faults(encode::list_namespaces(&list)), ["page_size: must not be negative"]);
    let mut request = query_of(|_| ());
    request.attribute_types = [("a".to_owned(), "texts".to_owned())].into();
    assert_eq!(faults(encode::query(&request)), ["attribute_types[\"a\"]: must be a type of the schema"]);
    request = query_of(|_| ());
    request.vector_encoding = 7;
    assert_eq!(faults(encode::query(&request)), ["vector_encoding: must be an encoding of VectorEncoding"]);
}
