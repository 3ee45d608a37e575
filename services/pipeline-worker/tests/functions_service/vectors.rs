use layer_proto::{
    function::v1::ItemStatus,
    types::v1::{DenseVector, Floats, Value, dense_vector::Elements, value},
};

use crate::{
    bench::{Bench, N, bench, row},
    fake::{int, key, text},
};

fn vector(x: f32) -> Value {
    let elements = Some(Elements::Floats(Floats { values: vec![x, 1.0] }));
    Value { kind: Some(value::Kind::DenseVector(DenseVector { elements })) }
}

/// A row with a vector, and an attribute of Layer's own.
async fn claimed(bench: &Bench) -> Vec<layer_proto::function::v1::ClaimedItem> {
    bench.create(|_| {}).await;
    for number in 1..=3 {
        let parent = ("_hevlayer_parent_id", text("doc"));
        bench.origin().put(N, &row(number), &[("title", text("t")), ("vector", vector(0.0)), ("kept", int(9)), parent]);
    }
    bench.discover().await;
    let mut claimed = bench.claim(9).await;
    claimed.sort_by_key(|item| key(item.id.as_ref().unwrap()));
    claimed
}

#[tokio::test]
async fn a_vector_is_written_with_the_whole_row() {
    let bench = bench().await;
    let claimed = claimed(&bench).await;
    assert_eq!(bench.complete(&claimed, &[("vector", vector(0.5)), ("topic", text("x"))]).await, [ItemStatus::Done; 3]);
    for number in 1..=3 {
        assert_eq!(bench.has(number, "vector"), Some(vector(0.5)));
        assert_eq!((bench.has(number, "kept"), bench.has(number, "topic")), (Some(int(9)), Some(text("x"))));
        assert_eq!(bench.has(number, "_hevlayer_parent_id"), Some(text("doc")));
        assert_eq!(bench.has(number, "_hevlayer_udf_f_v"), Some(text("v1")));
    }
    assert!(bench.origin().writes.iter().all(|write| write.patch_rows.is_empty()));
    assert_eq!(bench.discover().await, 0);
}

#[tokio::test]
async fn a_write_that_comes_between_is_not_overwritten() {
    let bench = bench().await;
    let claimed = claimed(&bench).await;
    bench.origin().meanwhile.push_back(Box::new(|origin| {
        origin.change(N, &row(1), &[("kept", int(10))]);
        origin.change(N, &row(2), &[("kept", int(10))]);
        origin.change(N, &row(3), &[("kept", int(10)), ("title", text("newer"))]);
    }));
    let statuses = bench.complete(&claimed, &[("vector", vector(0.5))]).await;
    assert_eq!(statuses, [ItemStatus::Done, ItemStatus::Done, ItemStatus::Obsolete]);
    for number in 1..=3 {
        assert_eq!(bench.has(number, "kept"), Some(int(10)), "{number}");
    }
    assert_eq!((bench.has(2, "vector"), bench.has(3, "vector")), (Some(vector(0.5)), Some(vector(0.0))));
}

#[tokio::test]
async fn an_attribute_that_the_schema_calls_a_vector_is_one() {
    let bench = bench().await;
    let claimed = claimed(&bench).await;
    let floats = layer_proto::types::v1::FloatArray { values: vec![0.25, 0.75] };
    let list = Value { kind: Some(value::Kind::FloatArray(floats)) };
    assert_eq!(bench.complete(&claimed[..1], &[("vector", list.clone())]).await, [ItemStatus::Done]);
    assert_eq!((bench.has(1, "vector"), bench.has(1, "kept")), (Some(list), Some(int(9))));
}

#[tokio::test]
async fn what_cannot_be_written_again_is_not_lost() {
    let bench = bench().await;
    let claimed = claimed(&bench).await;
    let odd = Value { kind: Some(value::Kind::JsonValue("{\"a\":1}".to_owned())) };
    bench.origin().row(N, &row(1)).insert("odd".to_owned(), odd.clone());
    let statuses = bench.complete(&claimed[..2], &[("vector", vector(0.5))]).await;
    assert_eq!(statuses, [ItemStatus::Refused, ItemStatus::Done]);
    assert_eq!((bench.has(1, "odd"), bench.has(1, "vector")), (Some(odd), Some(vector(0.0))));
}

#[tokio::test]
async fn vectors_and_patches_go_side_by_side() {
    let bench = bench().await;
    let claimed = claimed(&bench).await;
    let items = vec![
        (crate::bench::guard(&claimed[0]), crate::bench::gains(&[("vector", vector(0.5))])),
        (crate::bench::guard(&claimed[1]), crate::bench::gains(&[("topic", text("x"))])),
    ];
    assert_eq!(bench.completed(crate::bench::F, items).await.unwrap(), [ItemStatus::Done; 2]);
    assert_eq!((bench.has(1, "vector"), bench.has(2, "topic")), (Some(vector(0.5)), Some(text("x"))));
}
