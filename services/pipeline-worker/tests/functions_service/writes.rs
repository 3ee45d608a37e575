use layer_proto::function::v1::{
    FunctionSpec, ItemStatus, NotifyWritesRequest, NotifyWritesResponse, Trigger, WrittenRows,
    function_service_server::FunctionService as _,
};
use tonic::{Code, Request};

use crate::{
    bench::{Bench, F, N, bench, gains, guard, row},
    fake::text,
};

fn wants_writes(spec: &mut FunctionSpec) {
    spec.triggers = vec![Trigger::Write.into()];
}

async fn notify(bench: &Bench, namespace: &str, numbers: &[u64], unnamed: bool) -> NotifyWritesResponse {
    let write =
        WrittenRows { namespace: namespace.to_owned(), ids: numbers.iter().map(|n| row(*n)).collect(), unnamed };
    let request = NotifyWritesRequest { writes: vec![write] };
    bench.service.notify_writes(Request::new(request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn written_rows_enter_the_queues_of_who_wants_them() {
    let bench = bench().await;
    bench.create(wants_writes).await;
    bench.create_as("g", |_| {}).await.unwrap();
    bench.rows(1..=2);
    let told = notify(&bench, N, &[1, 2, 2], false).await;
    assert_eq!((told.enqueued, told.namespaces.as_slice(), told.valid_ms), (2, &[N.to_owned()][..], 5000));
    assert_eq!(
        (notify(&bench, N, &[1], false).await.enqueued, notify(&bench, "other", &[1], false).await.enqueued),
        (0, 0)
    );
    let claimed = bench.claim(9).await;
    assert_eq!(bench.complete(&claimed, &[("topic", text("x"))]).await, [ItemStatus::Done; 2]);
    // Written again, it is done again, although its mark is still there.
    assert_eq!(notify(&bench, N, &[1], false).await.enqueued, 1);
    assert!(bench.claimed("g", 9, "w").await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_new_function_is_told_at_once() {
    let bench = bench().await;
    bench.rows(1..=1);
    assert!(notify(&bench, N, &[1], false).await.namespaces.is_empty());
    bench.create(wants_writes).await;
    assert_eq!(notify(&bench, N, &[1], false).await.enqueued, 1);
    bench.upsert(|_| {}).await;
    assert!(notify(&bench, N, &[1], false).await.namespaces.is_empty());
}

#[tokio::test]
async fn rows_that_are_not_named_are_searched_for_soon() {
    let bench = bench().await;
    bench.create(|s| s.triggers = vec![Trigger::Write.into(), Trigger::Discovery.into()]).await;
    bench.rows(1..=1);
    let lifecycle = layer_service::lifecycle::Lifecycle::default();
    let running = tokio::spawn({
        let (service, lifecycle) = (bench.service.clone(), lifecycle.clone());
        async move { service.run(lifecycle).await }
    });
    bench.until("the first round", async || bench.status().await.sweeps_completed == 1).await;
    bench.rows(2..=2);
    notify(&bench, N, &[], true).await;
    bench.until("the second round", async || bench.status().await.sweeps_completed == 2).await;
    assert_eq!(bench.status().await.ready, 2);
    lifecycle.advance(layer_service::lifecycle::Stage::Noticing);
    running.await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let bench = bench().await;
    let of = |namespace: &str, ids: usize| {
        let ids = (0..ids as u64).map(row).collect();
        let write = WrittenRows { namespace: namespace.to_owned(), ids, unnamed: false };
        bench.service.notify_writes(Request::new(NotifyWritesRequest { writes: vec![write] }))
    };
    assert_eq!(of("a/b", 1).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(of(N, 10_001).await.unwrap_err().code(), Code::InvalidArgument);
    assert!(of(N, 10_000).await.is_ok());
}

#[tokio::test]
async fn what_a_result_invalidates_is_enqueued_where_writes_are_wanted() {
    let bench = bench().await;
    bench.create_as("g", wants_writes).await.unwrap();
    bench.create(|s| s.invalidates = vec!["g".to_owned()]).await;
    bench.rows(1..=1);
    bench.discover().await;
    let claimed = bench.claim(1).await;
    let items = vec![(guard(&claimed[0]), gains(&[("topic", text("x"))]))];
    assert_eq!(bench.completed(F, items).await.unwrap(), [ItemStatus::Done]);
    assert_eq!(bench.claimed("g", 9, "w").await.unwrap().items.len(), 1);
}
