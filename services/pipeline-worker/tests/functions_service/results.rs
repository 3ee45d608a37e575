use layer_proto::{
    function::v1::{FunctionSchedule, ItemStatus},
    types::v1::{Value, value},
};
use tonic::{Code, Status};

use crate::{
    bench::{Bench, F, N, bench, gains, guard, row},
    fake::{int, key, text},
};

fn float(number: f64) -> Value {
    Value { kind: Some(value::Kind::FloatValue(number)) }
}

async fn claimed(bench: &Bench, numbers: std::ops::RangeInclusive<u64>) -> Vec<layer_proto::function::v1::ClaimedItem> {
    bench.create(|_| {}).await;
    bench.rows(numbers);
    bench.discover().await;
    let mut claimed = bench.claim(1000).await;
    claimed.sort_by_key(|item| key(item.id.as_ref().unwrap()));
    claimed
}

#[tokio::test]
async fn results_and_marks_are_written_together_once() {
    let bench = bench().await;
    let claimed = claimed(&bench, 1..=3).await;
    assert_eq!(bench.complete(&claimed, &[("topic", text("x")), ("score", int(7))]).await, [ItemStatus::Done; 3]);
    for number in 1..=3 {
        assert_eq!(bench.has(number, "topic"), Some(text("x")));
        assert_eq!(bench.has(number, "_hevlayer_udf_f_v"), Some(text("v1")));
        assert_eq!(bench.has(number, "title"), Some(text(&format!("t{number}"))));
    }
    assert_eq!(bench.origin().writes.len(), 1);
    assert_eq!((bench.discover().await, bench.claim(9).await.len()), (0, 0));
    // The answer was lost, and the call is repeated.
    assert_eq!(bench.complete(&claimed, &[("topic", text("y"))]).await, [ItemStatus::NotFound; 3]);
    assert_eq!(bench.origin().writes.len(), 1);
    let status = bench.status().await;
    assert!((status.done_per_minute - 3.0).abs() < 1e-9 && status.leased == 0, "{status:?}");
    let page = bench.metrics.text();
    assert!(page.contains("layer_udf_completed_total{outcome=\"done\",udf=\"f\"} 3"), "{page}");
    assert!(page.contains("layer_udf_stage_count{stage=\"running\",udf=\"f\"} 0"), "{page}");
}

#[tokio::test]
async fn a_result_for_older_inputs_is_not_written_and_the_row_is_done_anew() {
    let bench = bench().await;
    let claimed = claimed(&bench, 1..=2).await;
    bench.origin().change(N, &row(1), &[("title", text("newer"))]);
    let statuses = bench.complete(&claimed, &[("topic", text("old"))]).await;
    assert_eq!(statuses, [ItemStatus::Obsolete, ItemStatus::Done]);
    assert_eq!((bench.has(1, "topic"), bench.has(1, "_hevlayer_udf_f_v")), (None, None));
    let again = bench.claim(9).await;
    assert_eq!((again.len(), &again[0].input["title"]), (1, &text("newer")));
    assert_eq!(bench.complete(&again, &[("topic", text("new"))]).await, [ItemStatus::Done]);
}

#[tokio::test]
async fn a_change_of_other_attributes_does_not_matter() {
    let bench = bench().await;
    let claimed = claimed(&bench, 1..=1).await;
    bench.origin().change(N, &row(1), &[("other", int(1))]);
    assert_eq!(bench.complete(&claimed, &[("topic", text("x"))]).await, [ItemStatus::Done]);
    assert_eq!((bench.has(1, "other"), bench.has(1, "topic")), (Some(int(1)), Some(text("x"))));
}

#[tokio::test]
async fn a_write_that_comes_between_the_comparison_and_the_result_is_noticed() {
    let bench = bench().await;
    let claimed = claimed(&bench, 1..=3).await;
    // While the result is on its way: new inputs for the first row, something else for the second, and the third goes.
    bench.origin().meanwhile.push_back(Box::new(|origin| {
        origin.put(N, &row(1), &[("title", text("newer"))]);
        origin.change(N, &row(2), &[("other", int(1))]);
        origin.namespaces.get_mut(N).unwrap().rows.remove(&key(&row(3)));
    }));
    let statuses = bench.complete(&claimed, &[("topic", text("x"))]).await;
    assert_eq!(statuses, [ItemStatus::Obsolete, ItemStatus::Done, ItemStatus::Obsolete]);
    assert_eq!((bench.has(1, "topic"), bench.has(2, "topic")), (None, Some(text("x"))));
    let again = bench.claim(9).await;
    assert_eq!((again.len(), again[0].id.clone()), (1, Some(row(1))));
    assert!(!bench.origin().namespaces[N].rows.contains_key(&key(&row(3))));
}

#[tokio::test]
async fn a_row_that_is_written_without_pause_is_handed_out_again() {
    let bench = bench().await;
    let claimed = claimed(&bench, 1..=1).await;
    for _ in 0..3 {
        bench.origin().meanwhile.push_back(Box::new(|origin| origin.change(N, &row(1), &[("other", int(1))])));
    }
    assert_eq!(bench.complete(&claimed, &[("topic", text("x"))]).await, [ItemStatus::Obsolete]);
    let again = bench.claim(9).await;
    assert_eq!((again.len(), again[0].attempt), (1, 1));
    assert_eq!(bench.complete(&again, &[("topic", text("x"))]).await, [ItemStatus::Done]);
}

#[tokio::test]
async fn a_result_that_the_origin_refuses_hinders_no_other() {
    let bench = bench().await;
    let claimed = claimed(&bench, 1..=20).await;
    let topic = |number: usize| if number == 6 || number == 13 { int(1) } else { text("x") };
    bench.origin().namespaces.get_mut(N).unwrap().schema.insert("topic".to_owned(), "string".to_owned());
    let items = claimed.iter().enumerate().map(|(at, item)| (guard(item), gains(&[("topic", topic(at))]))).collect();
    let statuses = bench.completed(F, items).await.unwrap();
    for (at, status) in statuses.iter().enumerate() {
        let expected = if at == 6 || at == 13 { ItemStatus::Refused } else { ItemStatus::Done };
        assert_eq!(*status, expected, "{at}");
    }
    assert_eq!(bench.status().await.dead, 2);
    let dead = bench.state.dead_letters(pipeline_worker::state::Kind::Function, F, "", 9).await.unwrap();
    assert!(dead[0].message.contains("topic is no string"), "{dead:?}");
}

#[tokio::test]
async fn what_nobody_takes_is_tried_only_so_often() {
    let bench = bench().await;
    let claimed = claimed(&bench, 1..=200).await;
    bench.origin().namespaces.get_mut(N).unwrap().schema.insert("topic".to_owned(), "string".to_owned());
    let statuses = bench.complete(&claimed, &[("topic", int(1))]).await;
    assert_eq!(statuses, [ItemStatus::Refused; 200]);
    assert!(bench.origin().writes.len() <= 65, "{} writes", bench.origin().writes.len());
    let status = bench.status().await;
    assert!(status.dead > 10 && status.dead + status.delayed == 200 && status.leased == 0, "{status:?}");
}

#[tokio::test]
async fn new_attributes_are_declared_by_their_values() {
    let bench = bench().await;
    let claimed = claimed(&bench, 1..=2).await;
    let items = vec![
        (guard(&claimed[0]), gains(&[("score", int(1)), ("topic", text("x"))])),
        (guard(&claimed[1]), gains(&[("score", float(0.5))])),
    ];
    assert_eq!(bench.completed(F, items).await.unwrap(), [ItemStatus::Done; 2]);
    let schema = bench.origin().namespaces[N].schema.clone();
    assert_eq!((schema["score"].as_str(), schema["topic"].as_str()), ("float", "string"));
    assert_eq!(schema["_hevlayer_udf_f_v"], "string");
    assert!(!schema.contains_key("_hevlayer_udf_f_stale_after"));
}

#[tokio::test]
async fn what_is_remembered_of_a_schema_may_be_wrong() {
    let bench = bench().await;
    let claimed = claimed(&bench, 1..=2).await;
    assert_eq!(bench.complete(&claimed[..1], &[("score", int(1))]).await, [ItemStatus::Done]);
    // Everything is made anew meanwhile, and differently.
    let kept = bench.origin().namespaces.remove(N).unwrap();
    bench.origin().put(N, &row(2), &[("title", text("t2"))]);
    bench.origin().namespaces.get_mut(N).unwrap().schema.remove("score");
    drop(kept);
    assert_eq!(bench.complete(&claimed[1..], &[("score", int(2))]).await, [ItemStatus::Done]);
    assert_eq!(bench.has(2, "score"), Some(int(2)));
}

#[tokio::test]
async fn with_the_router_away_items_keep_their_leases() {
    let bench = bench().await;
    let claimed = claimed(&bench, 1..=2).await;
    for call in ["fetch", "write"] {
        bench.origin().faults.push_back((call, Status::unavailable("away")));
        let items = claimed.iter().map(|item| (guard(item), gains(&[("topic", text("x"))]))).collect();
        let away = bench.completed(F, items).await.unwrap_err();
        assert_eq!(away.code(), Code::Unavailable, "{call}");
        assert_eq!(bench.status().await.leased, 2);
    }
    assert_eq!(bench.complete(&claimed, &[("topic", text("x"))]).await, [ItemStatus::Done; 2]);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_done_by_the_repetition() {
    let bench = bench().await;
    let claimed = claimed(&bench, 1..=1).await;
    // It was carried out; then the connection broke.
    bench.origin().change(N, &row(1), &[("topic", text("x")), ("_hevlayer_udf_f_v", text("v1"))]);
    bench.origin().namespaces.get_mut(N).unwrap().schema.insert("_hevlayer_udf_f_v".to_owned(), "string".to_owned());
    bench.origin().namespaces.get_mut(N).unwrap().schema.insert("topic".to_owned(), "string".to_owned());
    assert_eq!(bench.complete(&claimed, &[("topic", text("x"))]).await, [ItemStatus::Done]);
    assert_eq!(bench.discover().await, 0);
}

#[tokio::test]
async fn results_that_are_good_for_a_time_are_found_when_it_is_over() {
    let bench = bench().await;
    let schedule = FunctionSchedule { stale_after_ms: 3_600_000, ..FunctionSchedule::default() };
    bench.create(|s| s.schedule = Some(schedule)).await;
    bench.rows(1..=2);
    bench.discover().await;
    let claimed = bench.claim(9).await;
    let before = bench.state.now_ms().await.unwrap();
    assert_eq!(bench.complete(&claimed, &[]).await, [ItemStatus::Done; 2]);
    let Some(Value { kind: Some(value::Kind::IntValue(until)) }) = bench.has(1, "_hevlayer_udf_f_stale_after") else {
        panic!("no time")
    };
    assert!((before + 3_600_000..before + 3_660_000).contains(&until), "{until} from {before}");
    assert_eq!(bench.discover().await, 0);
    bench.origin().change(N, &row(1), &[("_hevlayer_udf_f_stale_after", int(before))]);
    assert_eq!(bench.discover().await, 1);
}

#[tokio::test]
async fn what_a_result_invalidates_loses_its_mark_in_the_same_write() {
    let bench = bench().await;
    bench.create_as("g-h", |_| {}).await.unwrap();
    bench.create(|s| s.invalidates = vec!["g-h".to_owned()]).await;
    bench.rows(1..=1);
    bench.discover_as("g-h").await;
    let other = bench.claimed("g-h", 9, "w").await.unwrap().items;
    assert_eq!(bench.completed("g-h", vec![(guard(&other[0]), gains(&[]))]).await.unwrap(), [ItemStatus::Done]);
    assert_eq!(bench.discover_as("g-h").await, 0);
    bench.discover().await;
    let claimed = bench.claim(9).await;
    assert_eq!(bench.complete(&claimed, &[("topic", text("x"))]).await, [ItemStatus::Done]);
    assert_eq!((bench.has(1, "_hevlayer_udf_g_h_v"), bench.origin().writes.len()), (None, 2));
    assert_eq!((bench.discover_as("g-h").await, bench.discover().await), (1, 0));
}
