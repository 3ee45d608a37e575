use layer_proto::function::v1::{
    ClaimRequest, CompleteRequest, DeleteFunctionRequest, FailureReason, FunctionSchedule, ItemStatus,
    ListDeadLettersRequest, ListFunctionsRequest, PauseFunctionRequest, ResetFailedRequest, ResumeFunctionRequest,
    function_service_server::FunctionService as _,
};
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::{
    bench::{Bench, F, bench, row},
    fake::text,
};

fn reason(error: &tonic::Status) -> String {
    error.get_details_error_info().unwrap().reason
}

#[tokio::test]
async fn functions_are_registered_listed_and_deleted() {
    let bench = bench().await;
    for id in ["b", "a", "c"] {
        let made = bench.create_as(id, |_| {}).await.unwrap();
        assert_eq!((made.function_id.as_str(), made.spec.unwrap().version.as_str()), (id, "v1"));
    }
    let again = bench.create_as("a", |_| {}).await.unwrap_err();
    assert_eq!((again.code(), reason(&again).as_str()), (Code::AlreadyExists, "FUNCTION_EXISTS"));
    let list = async |page_token: &str| {
        let request = ListFunctionsRequest { page_size: 2, page_token: page_token.to_owned() };
        bench.service.list_functions(Request::new(request)).await.unwrap().into_inner()
    };
    let first = list("").await;
    let ids = |functions: &[layer_proto::function::v1::Function]| -> Vec<String> {
        functions.iter().map(|function| function.function_id.clone()).collect()
    };
    assert_eq!(ids(&first.functions), ["a", "b"]);
    let second = list(&first.next_page_token).await;
    assert_eq!((ids(&second.functions), second.next_page_token.as_str()), (vec!["c".to_owned()], ""));
    let delete = DeleteFunctionRequest { function_id: "a".to_owned() };
    bench.service.delete_function(Request::new(delete.clone())).await.unwrap();
    let gone = bench.service.delete_function(Request::new(delete)).await.unwrap_err();
    assert_eq!((gone.code(), reason(&gone).as_str()), (Code::NotFound, "FUNCTION_NOT_FOUND"));
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_the_fields_name_and_nothing_is_done() {
    let bench = bench().await;
    let field = |error: tonic::Status| {
        assert_eq!((error.code(), reason(&error).as_str()), (Code::InvalidArgument, "INVALID_ARGUMENT"));
        error.get_details_bad_request().unwrap().field_violations[0].field.clone()
    };
    assert_eq!(field(bench.create_as("a.b", |_| {}).await.unwrap_err()), "function_id");
    assert_eq!(field(bench.create_as(F, |s| s.target_namespaces.clear()).await.unwrap_err()), "spec.target_namespaces");
    bench.create(|_| {}).await;
    let claim = |change: fn(&mut ClaimRequest)| {
        let (function_id, worker_id) = (F.to_owned(), "w".to_owned());
        let mut request = ClaimRequest { function_id, worker_id, ..ClaimRequest::default() };
        change(&mut request);
        bench.service.claim(Request::new(request))
    };
    assert_eq!(field(claim(|c| c.worker_id.clear()).await.unwrap_err()), "worker_id");
    assert_eq!(field(claim(|c| c.lease_ms = 1).await.unwrap_err()), "lease_ms");
    assert_eq!(field(claim(|c| c.wait_ms = 30_001).await.unwrap_err()), "wait_ms");
    let none = CompleteRequest { function_id: F.to_owned(), ..CompleteRequest::default() };
    assert_eq!(field(bench.service.complete(Request::new(none)).await.unwrap_err()), "items");
    assert!(bench.origin().calls.is_empty());
}

#[tokio::test]
async fn functions_that_would_mark_rows_alike_exclude_each_other() {
    let bench = bench().await;
    bench.create_as("a-b", |_| {}).await.unwrap();
    let other = bench.create_as("a_b", |_| {}).await.unwrap_err();
    assert!(other.code() == Code::AlreadyExists && other.message().contains("`a-b`"), "{other:?}");
}

#[tokio::test]
async fn invalidations_may_not_go_in_a_circle() {
    let bench = bench().await;
    let of = |id: &str| vec![id.to_owned()];
    bench.create_as("a", |s| s.invalidates = of("b")).await.unwrap();
    bench.create_as("b", |s| s.invalidates = of("c")).await.unwrap();
    let circle = bench.create_as("c", |s| s.invalidates = of("a")).await.unwrap_err();
    assert!(circle.message().contains("c → a → b → c"), "{circle:?}");
    bench.create_as("c", |s| s.invalidates = of("d")).await.unwrap();
}

async fn paused(bench: &Bench, paused: bool) {
    let function_id = F.to_owned();
    let function = if paused {
        let request = Request::new(PauseFunctionRequest { function_id });
        bench.service.pause_function(request).await.unwrap().into_inner().function
    } else {
        let request = Request::new(ResumeFunctionRequest { function_id });
        bench.service.resume_function(request).await.unwrap().into_inner().function
    };
    assert_eq!(function.unwrap().paused, paused);
}

#[tokio::test]
async fn a_paused_function_finds_and_hands_out_nothing_and_takes_what_is_done() {
    let bench = bench().await;
    bench.create(|_| {}).await;
    bench.rows(1..=2);
    assert_eq!(bench.discover().await, 2);
    let claimed = bench.claim(1).await;
    paused(&bench, true).await;
    bench.rows(3..=3);
    assert_eq!((bench.discover().await, bench.claim(9).await.len()), (0, 0));
    assert_eq!(bench.complete(&claimed, &[("topic", text("x"))]).await, [ItemStatus::Done]);
    paused(&bench, false).await;
    assert_eq!((bench.discover().await, bench.claim(9).await.len()), (1, 2));
}

#[tokio::test]
async fn dead_letters_are_listed_and_put_back() {
    let bench = bench().await;
    bench.create(|_| {}).await;
    bench.rows(1..=3);
    bench.discover().await;
    let claimed = bench.claim(3).await;
    assert_eq!(bench.fail(&claimed, 2).await, [ItemStatus::Done; 3]);
    let list = async |page_token: String| {
        let request = ListDeadLettersRequest { function_id: F.to_owned(), page_size: 2, page_token };
        bench.service.list_dead_letters(Request::new(request)).await.unwrap().into_inner()
    };
    let first = list(String::new()).await;
    let second = list(first.next_page_token).await;
    assert_eq!((first.dead_letters.len(), second.dead_letters.len()), (2, 1));
    let letter = &second.dead_letters[0];
    assert_eq!((letter.namespace.as_str(), letter.id.clone(), letter.message.as_str()), ("n", Some(row(3)), "no"));
    assert_eq!((letter.reason(), letter.attempts), (FailureReason::Permanent, 1));
    assert_eq!(bench.status().await.dead, 3);
    // Found again, they stay what they are.
    assert_eq!(bench.discover().await, 0);
    let reset = ResetFailedRequest { function_id: F.to_owned() };
    assert_eq!(bench.service.reset_failed(Request::new(reset)).await.unwrap().into_inner().reset_count, 3);
    assert_eq!(bench.claim(9).await.len(), 3);
}

#[tokio::test]
async fn a_version_makes_every_row_stale_and_a_late_result_worthless() {
    let bench = bench().await;
    bench.create(|_| {}).await;
    bench.rows(1..=2);
    bench.discover().await;
    let done = bench.claim(1).await;
    bench.complete(&done, &[("topic", text("old"))]).await;
    let late = bench.claim(1).await;
    let changed = bench.upsert(|s| s.version = "v2".to_owned()).await;
    assert_ne!(changed.updated_at, changed.created_at);
    assert_eq!(bench.complete(&late, &[("topic", text("late"))]).await, [ItemStatus::Obsolete]);
    assert_eq!(bench.discover().await, 1, "the other is in the queue already");
    let claimed = bench.claim(9).await;
    assert_eq!(bench.complete(&claimed, &[("topic", text("new"))]).await, [ItemStatus::Done; 2]);
    for number in 1..=2 {
        assert_eq!(bench.has(number, "topic"), Some(text("new")));
        assert_eq!(bench.has(number, "_hevlayer_udf_f_v"), Some(text("v2")));
    }
    assert_eq!(bench.discover().await, 0);
}

#[tokio::test]
async fn a_change_that_is_no_version_leaves_what_is_done() {
    let bench = bench().await;
    bench.create(|_| {}).await;
    bench.rows(1..=2);
    bench.discover().await;
    let claimed = bench.claim(1).await;
    let schedule = FunctionSchedule { lease_ms: 5000, ..FunctionSchedule::default() };
    bench.upsert(|s| s.schedule = Some(schedule)).await;
    assert_eq!(bench.complete(&claimed, &[]).await, [ItemStatus::Done]);
    let answer = bench.claimed(F, 9, "w").await.unwrap();
    assert_eq!((answer.lease_ms, answer.version.as_str(), answer.items.len()), (5000, "v1", 1));
}
