use layer_proto::{
    function::v1::{
        ClaimRequest, FunctionRetry, HeartbeatRequest, ItemGuard, ItemStatus,
        function_service_server::FunctionService as _,
    },
    types::v1::{Comparison, ComparisonOperator, Filter, comparison, filter},
};
use pipeline_worker::state::{Guard, Held, Kind};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::{
    bench::{Bench, F, N, bench, bench_with, guard, named, row},
    fake::{int, text},
};

pub fn is(attribute: &str, value: layer_proto::types::v1::Value) -> Filter {
    let (attribute, op) = (attribute.to_owned(), ComparisonOperator::Eq.into());
    let operand = Some(comparison::Operand::Value(value));
    Filter { kind: Some(filter::Kind::Comparison(Comparison { attribute, op, operand })) }
}

async fn found(bench: &Bench, numbers: std::ops::RangeInclusive<u64>) {
    bench.create(|_| {}).await;
    bench.rows(numbers);
    bench.discover().await;
}

#[tokio::test]
async fn workers_get_the_inputs_as_they_are_now_and_no_more() {
    let bench = bench().await;
    found(&bench, 1..=2).await;
    bench.origin().change(N, &row(2), &[("title", text("newer")), ("other", int(1))]);
    let mut claimed = bench.claim(9).await;
    claimed.sort_by_key(|item| item.input["title"] == text("newer"));
    assert_eq!((claimed[0].namespace.as_str(), claimed[0].id.clone(), claimed[0].attempt), (N, Some(row(1)), 1));
    assert_eq!((claimed[0].input.len(), &claimed[0].input["title"]), (1, &text("t1")));
    assert_eq!((claimed[1].input.len(), &claimed[1].input["title"]), (1, &text("newer")));
    assert!(bench.claim(9).await.is_empty());
    assert_eq!(bench.status().await.leased, 2);
}

#[tokio::test]
async fn rows_that_are_gone_are_done() {
    let bench = bench().await;
    found(&bench, 1..=3).await;
    bench.origin().namespaces.get_mut(N).unwrap().rows.remove(&crate::fake::key(&row(2)));
    let claimed = bench.claim(9).await;
    assert_eq!(claimed.len(), 2);
    assert_eq!(bench.status().await.leased, 2);
    for item in &claimed {
        bench.origin().namespaces.get_mut(N).unwrap().rows.remove(&crate::fake::key(item.id.as_ref().unwrap()));
    }
    assert_eq!(bench.complete(&claimed, &[("topic", text("x"))]).await, [ItemStatus::Obsolete; 2]);
    let status = bench.status().await;
    assert_eq!((status.leased, status.ready, status.done_per_minute < 0.5), (0, 0, true));
}

#[tokio::test]
async fn of_a_namespace_that_is_gone_everything_is_done() {
    let bench = bench().await;
    found(&bench, 1..=3).await;
    bench.origin().namespaces.clear();
    assert!(bench.claim(9).await.is_empty());
    assert_eq!(bench.status().await.ready, 0);
}

#[tokio::test]
async fn rows_that_the_function_is_not_for_any_more_are_not_handed_out() {
    let bench = bench().await;
    bench.create(|s| s.filter = Some(is("lang", text("en")))).await;
    for (number, lang) in [(1, "en"), (2, "en"), (3, "de")] {
        bench.origin().put(N, &row(number), &[("title", text("t")), ("lang", text(lang))]);
    }
    assert_eq!(bench.discover().await, 2);
    bench.origin().change(N, &row(2), &[("lang", text("fr"))]);
    let claimed = bench.claim(9).await;
    assert_eq!((claimed.len(), claimed[0].id.clone()), (1, Some(row(1))));
    bench.upsert(|s| s.target_namespaces = vec!["other".to_owned()]).await;
    bench.state.enqueue(Kind::Function, F, &["n#7".to_owned()]).await.unwrap();
    assert!(bench.claim(9).await.is_empty());
    assert_eq!(bench.status().await.ready, 0);
}

#[tokio::test]
async fn with_the_router_away_items_are_given_back_at_once() {
    let bench = bench().await;
    found(&bench, 1..=2).await;
    bench.origin().faults.push_back(("fetch", Status::unavailable("away")));
    let away = bench.claimed(F, 9, "w").await.unwrap_err();
    let reason = away.get_details_error_info().unwrap().reason;
    assert_eq!((away.code(), reason.as_str()), (Code::Unavailable, "ROUTER_UNAVAILABLE"));
    assert_eq!(bench.status().await.ready, 2);
    let claimed = bench.claim(9).await;
    assert!(claimed.len() == 2 && claimed.iter().all(|item| item.attempt == 1));
}

#[tokio::test]
async fn a_claim_waits_for_what_is_found_meanwhile() {
    let bench = bench().await;
    bench.create(|_| {}).await;
    bench.rows(1..=1);
    let request = ClaimRequest {
        function_id: F.to_owned(),
        worker_id: "w".to_owned(),
        wait_ms: 20_000,
        ..ClaimRequest::default()
    };
    let waiting = tokio::spawn({
        let (service, request) = (bench.service.clone(), request.clone());
        async move { service.claim(Request::new(request)).await }
    });
    bench.until("the first look", async || bench.metrics.text().contains("query_name=\"claim\"")).await;
    bench.discover().await;
    assert_eq!(waiting.await.unwrap().unwrap().into_inner().items.len(), 1);
    // It ends when its time is up.
    let brief = ClaimRequest { wait_ms: 10, ..request };
    assert!(bench.service.claim(Request::new(brief)).await.unwrap().into_inner().items.is_empty());
}

#[tokio::test]
async fn only_so_many_claims_may_wait() {
    let bench = bench_with(|s| s.waits_max = 1).await;
    bench.create(|_| {}).await;
    let request = ClaimRequest {
        function_id: F.to_owned(),
        worker_id: "w".to_owned(),
        wait_ms: 30_000,
        ..ClaimRequest::default()
    };
    let waiting = tokio::spawn({
        let (service, request) = (bench.service.clone(), request.clone());
        async move { service.claim(Request::new(request)).await }
    });
    bench.until("the first look", async || bench.metrics.text().contains("query_name=\"claim\"")).await;
    let shed = bench.service.claim(Request::new(request.clone())).await.unwrap_err();
    assert_eq!(
        (shed.code(), shed.get_details_error_info().unwrap().reason.as_str()),
        (Code::ResourceExhausted, "OVERLOADED")
    );
    let at_once = ClaimRequest { wait_ms: 0, ..request };
    assert!(bench.service.claim(Request::new(at_once)).await.is_ok());
    waiting.abort();
}

#[tokio::test]
async fn heartbeats_keep_leases_and_tell_who_lost_one() {
    let bench = bench().await;
    found(&bench, 1..=3).await;
    let claimed = bench.claim(2).await;
    let none = ItemGuard { namespace: N.to_owned(), id: Some(row(9)), token: 1 };
    let stale = ItemGuard { token: 1, ..guard(&claimed[1]) };
    let beat = async |items: Vec<ItemGuard>, worker: &str| {
        let (function_id, worker_id) = (F.to_owned(), worker.to_owned());
        let request = HeartbeatRequest { function_id, items, worker_id, lease_ms: 0 };
        let answer = bench.service.heartbeat(Request::new(request)).await.unwrap().into_inner();
        answer.results.iter().map(layer_proto::function::v1::ItemResult::status).collect::<Vec<_>>()
    };
    let statuses = beat(vec![guard(&claimed[0]), stale, none], "").await;
    assert_eq!(statuses, [ItemStatus::Done, ItemStatus::StaleToken, ItemStatus::NotFound]);
    assert_eq!(beat(vec![guard(&claimed[0])], "other").await, [ItemStatus::OtherWorker]);
    bench.upsert(|s| s.version = "v2".to_owned()).await;
    assert_eq!(beat(vec![guard(&claimed[0])], "w").await, [ItemStatus::Obsolete]);
}

#[tokio::test]
async fn what_fails_is_tried_again_and_then_dead() {
    let bench = bench().await;
    let retry = FunctionRetry { attempts_max: 2, initial_backoff_ms: 1, max_backoff_ms: 1 };
    bench.create(|s| s.retry = Some(retry)).await;
    bench.rows(1..=1);
    bench.discover().await;
    for attempt in 1..=2 {
        bench
            .until("the next attempt", async || bench.state.now_ms().await.is_ok() && bench.status().await.dead == 0)
            .await;
        let mut claimed = Vec::new();
        bench
            .until("the item", async || {
                claimed = bench.claim(1).await;
                !claimed.is_empty()
            })
            .await;
        assert_eq!(claimed[0].attempt, attempt);
        assert_eq!(bench.fail(&claimed, 0).await, [ItemStatus::Done]);
    }
    assert_eq!(bench.status().await.dead, 1);
    let page = bench.metrics.text();
    assert!(page.contains("layer_udf_failed_total{kind=\"transient\",udf=\"f\"} 2"), "{page}");
}

#[tokio::test]
async fn an_id_that_came_as_text_may_stand_for_an_integer() {
    let bench = bench().await;
    found(&bench, 1..=2).await;
    bench.claim(2).await;
    let of = |name: &str| (ItemGuard { namespace: N.to_owned(), id: Some(named(name)), token: 0 }, Default::default());
    let done = bench.completed(F, vec![of("1"), of("01"), of("3")]).await.unwrap();
    assert_eq!(done, [ItemStatus::Done, ItemStatus::NotFound, ItemStatus::NotFound]);
    assert_eq!(bench.has(1, "_hevlayer_udf_f_v"), Some(text("v1")));
}

#[tokio::test]
async fn who_lost_the_lease_writes_nothing() {
    let bench = bench().await;
    found(&bench, 1..=1).await;
    let first = bench.claim(1).await;
    let held = [Held::any("n#1")];
    bench.state.heartbeat(Kind::Function, F, &held, &Guard::default(), 1).await.unwrap();
    let mut second = Vec::new();
    bench
        .until("the lease's end", async || {
            second = bench.claim(1).await;
            !second.is_empty()
        })
        .await;
    assert_eq!(bench.complete(&first, &[("topic", text("late"))]).await, [ItemStatus::StaleToken]);
    assert_eq!(bench.complete(&second, &[("topic", text("right"))]).await, [ItemStatus::Done]);
    assert_eq!(bench.complete(&first, &[("topic", text("late"))]).await, [ItemStatus::NotFound]);
    assert_eq!(bench.has(1, "topic"), Some(text("right")));
}
