use http::Method;
use layer_proto::router::v1::{BranchFromNamespace, CopyFromNamespace, PatchByFilter};
use layer_proto::types::v1::attribute_schema_change::Kind as ChangeKind;
use layer_proto::types::v1::value::Kind;
use layer_proto::types::v1::{
    AttributeSchemaChange, Column, Columns, ComparisonOperator as Op, CustomerManagedEncryption, DefaultEncryption,
    DenseVectorColumn, DistanceMetric, Encryption, MultiVector, Row, Sharding, SparseVector, StringArray, ValueList,
    column, dense_vector_column, encryption,
};
use serde_json::json;

use super::*;
use crate::grpc::encode;

fn row(id: Id, attributes: impl IntoIterator<Item = (&'static str, Value)>) -> Row {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Row { id: Some(id), attributes }
}

fn typed(name: &str) -> AttributeSchemaChange {
    AttributeSchemaChange { kind: Some(ChangeKind::TypeOnly(name.to_owned())) }
}

fn dense(values: &[f32]) -> Value {
    value(Kind::DenseVector(floats(values)))
}

#[test]
fn rows_are_upserted_patched_and_deleted() {
    let tags = value(Kind::StringArray(StringArray { values: vec!["a".to_owned()] }));
    let request = write_of(|write| {
        write.upsert_rows = vec![row(uint_id(u64::MAX), [("title", text("blue whale")), ("tags", tags)])];
        write.patch_rows = vec![row(text_id("b"), [("title", value(Kind::NullValue(0)))])];
        write.deletes = vec![uint_id(3), text_id("")];
        write.distance_metric = DistanceMetric::EuclideanSquared as i32;
        write.return_affected_ids = Some(true);
        write.disable_backpressure = Some(false);
        write.create_namespace = Some(true);
        write.sharding = Some(Sharding { num_shards: 4 });
    });
    let expected = json!({
        "upsert_rows": [{"id": u64::MAX, "title": "blue whale", "tags": ["a"]}],
        "patch_rows": [{"id": "b", "title": null}], "deletes": [3, ""], "distance_metric": "euclidean_squared",
        "return_affected_ids": true, "disable_backpressure": false, "create_namespace": true,
        "sharding": {"num_shards": 4},
    });
    let sent = sent(encode::write(&request));
    assert_eq!((sent.method, sent.target.as_str()), (Method::POST, "/v2/namespaces/docs"));
    assert_eq!(serde_json::from_slice::<Json>(&sent.body).unwrap(), expected);
}

#[test]
fn base64_goes_only_where_the_origin_knows_a_vector() {
    let request = write_of(|write| {
        let names = ["vector", "declared", "narrow", "unknown"];
        write.upsert_rows = vec![row(uint_id(1), names.map(|name| (name, dense(&[0.1, 0.6]))))];
        write.schema = [("declared", "[2]f16"), ("narrow", "[2]i8"), ("many", "[][2]f32")]
            .map(|(name, kind)| (name.to_owned(), typed(kind)))
            .into();
    });
    let expected = json!({"id": 1, "vector": "zczMPZqZGT8=", "declared": "zczMPZqZGT8=", "narrow": [0.1, 0.6],
        "unknown": [0.1, 0.6]});
    assert_eq!(body(encode::write(&request))["upsert_rows"][0], expected);
}

#[test]
fn sparse_and_several_vectors_are_written() {
    let sparse = value(Kind::SparseVector(SparseVector { weights: [("x".to_owned(), 0.5f32)].into() }));
    let multi = value(Kind::MultiVector(MultiVector { vectors: vec![floats(&[1.0]), floats(&[0.7])] }));
    let request = write_of(|write| write.upsert_rows = vec![row(uint_id(1), [("s", sparse), ("m", multi)])]);
    let expected = json!({"id": 1, "s": {"x": 0.5}, "m": [[1.0], [0.7]]});
    assert_eq!(body(encode::write(&request))["upsert_rows"][0], expected);
}

#[test]
fn columns_hold_values_or_packed_vectors() {
    let bytes: Vec<u8> = [0.1f32, 0.6, 0.1, 0.6].iter().flat_map(|float| float.to_le_bytes()).collect();
    let packed = |elements| Column {
        kind: Some(column::Kind::DenseVectors(DenseVectorColumn { dimensions: 2, elements: Some(elements) })),
    };
    let titles = ValueList { values: vec![text("a"), value(Kind::NullValue(0))] };
    let request = write_of(|write| {
        write.upsert_columns = Some(Columns {
            ids: vec![uint_id(1), uint_id(2)],
            columns: [
                ("title".to_owned(), Column { kind: Some(column::Kind::Values(titles)) }),
                ("vector".to_owned(), packed(dense_vector_column::Elements::LittleEndian(bytes.into()))),
                (
                    "other".to_owned(),
                    packed(dense_vector_column::Elements::Floats(Floats { values: vec![1.0, 2.0, 3.0, 4.5] })),
                ),
            ]
            .into(),
        });
    });
    let expected = json!({"id": [1, 2], "title": ["a", null], "vector": ["zczMPZqZGT8=", "zczMPZqZGT8="],
        "other": [[1.0, 2.0], [3.0, 4.5]]});
    assert_eq!(body(encode::write(&request)), json!({"upsert_columns": expected}));
}

#[test]
fn writes_by_filter_and_conditions_are_written() {
    let filter = || compare("year", Op::Lt, int(2000));
    let request = write_of(|write| {
        write.delete_by_filter = Some(filter());
        write.delete_by_filter_allow_partial = Some(true);
        let patch = [("old".to_owned(), value(Kind::BoolValue(true)))].into();
        write.patch_by_filter = Some(PatchByFilter { filters: Some(filter()), patch });
        write.patch_by_filter_allow_partial = Some(false);
        write.patch_condition = Some(filter());
        write.delete_condition = Some(filter());
    });
    let old = json!(["year", "Lt", 2000]);
    let expected = json!({
        "delete_by_filter": old, "delete_by_filter_allow_partial": true,
        "patch_by_filter": {"filters": old, "patch": {"old": true}}, "patch_by_filter_allow_partial": false,
        "patch_condition": old, "delete_condition": old,
    });
    assert_eq!(body(encode::write(&request)), expected);
}

#[test]
fn namespaces_are_copied_and_branched() {
    let keys = CustomerManagedEncryption {
        key_name: "k".to_owned(),
        encryption_context: [("team".to_owned(), "a".to_owned())].into(),
    };
    let copy = write_of(|write| {
        write.copy_from_namespace = Some(CopyFromNamespace {
            source_namespace: "old".to_owned(),
            source_region: Some("aws-us-east-1".to_owned()),
            source_api_key: Some("secret".to_owned()),
        });
        write.encryption = Some(Encryption { mode: Some(encryption::Mode::CustomerManaged(keys)) });
    });
    let expected = json!({
        "copy_from_namespace":
            {"source_namespace": "old", "source_region": "aws-us-east-1", "source_api_key": "secret"},
        "encryption": {"mode": "customer-managed", "key_name": "k", "encryption_context": {"team": "a"}},
    });
    assert_eq!(body(encode::write(&copy)), expected);
    let branch = write_of(|write| {
        write.branch_from_namespace = Some(BranchFromNamespace { source_namespace: "old".to_owned() });
        write.encryption = Some(Encryption { mode: Some(encryption::Mode::DefaultEncryption(DefaultEncryption {})) });
    });
    let expected = json!({"branch_from_namespace": {"source_namespace": "old"}, "encryption": {"mode": "default"}});
    assert_eq!(body(encode::write(&branch)), expected);
}
