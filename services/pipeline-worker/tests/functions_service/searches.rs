use layer_proto::function::v1::{
    DiscoverRequest, FunctionSchedule, ItemStatus, Trigger, function_service_server::FunctionService as _,
};
use layer_service::lifecycle::{Lifecycle, Stage};
use tokio::task::JoinHandle;
use tonic::{Code, Request, Status};

use crate::{
    bench::{Bench, F, N, bench, bench_with, named, row},
    claims::is,
    fake::text,
};

/// The search in the background.
struct Running {
    lifecycle: Lifecycle,
    task: JoinHandle<()>,
}

impl Running {
    fn start(bench: &Bench) -> Self {
        let (service, lifecycle) = (bench.service.clone(), Lifecycle::default());
        let task = tokio::spawn({
            let lifecycle = lifecycle.clone();
            async move { service.run(lifecycle).await }
        });
        Self { lifecycle, task }
    }

    async fn stop(self) {
        self.lifecycle.advance(Stage::Noticing);
        self.task.await.unwrap();
    }
}

async fn sweeps(bench: &Bench) -> u64 {
    bench.status().await.sweeps_completed
}

fn often(interval_ms: u64) -> Option<FunctionSchedule> {
    Some(FunctionSchedule { discovery_interval_ms: interval_ms, ..FunctionSchedule::default() })
}

#[tokio::test]
async fn a_search_goes_on_from_page_to_page_and_finds_every_row_once() {
    let bench = bench_with(|s| (s.page_rows, s.ready_max) = (7, 1)).await;
    bench.create(|s| s.target_namespaces = [N, "texts", "missing"].map(str::to_owned).to_vec()).await;
    bench.rows(1..=50);
    for name in ["a", "b/c", "é%"] {
        bench.origin().put("texts", &named(name), &[("title", text("t"))]);
    }
    let running = Running::start(&bench);
    bench.until("the first round", async || sweeps(&bench).await == 1).await;
    running.stop().await;
    let status = bench.status().await;
    assert_eq!((status.ready, status.active_namespaces), (53, vec![N.to_owned(), "texts".to_owned()]));
    assert!(status.last_completed_at.is_some());
    let claimed = bench.claim(1000).await;
    let different: std::collections::HashSet<_> = claimed.iter().map(|item| format!("{:?}", item.id)).collect();
    assert_eq!((claimed.len(), different.len()), (53, 53));
    let page = bench.metrics.text();
    assert!(page.contains("layer_udf_enqueued_total{trigger=\"discovery\",udf=\"f\"} 53"), "{page}");
}

#[tokio::test]
async fn rounds_come_at_the_interval_and_find_what_is_new() {
    let bench = bench().await;
    bench.create(|s| s.schedule = often(1000)).await;
    bench.rows(1..=1);
    let running = Running::start(&bench);
    bench.until("the first row", async || bench.status().await.ready == 1).await;
    bench.rows(2..=2);
    bench.until("the second row", async || bench.status().await.ready == 2).await;
    assert!(sweeps(&bench).await >= 1);
    running.stop().await;
}

#[tokio::test]
async fn nothing_is_searched_for_while_enough_waits() {
    let bench = bench_with(|s| (s.page_rows, s.waiting_max, s.ready_max) = (10, 20, 1)).await;
    bench.create(|_| {}).await;
    bench.rows(1..=50);
    let running = Running::start(&bench);
    bench.until("the first pages", async || bench.status().await.ready == 20).await;
    let claimed = bench.claim(15).await;
    assert_eq!(bench.complete(&claimed, &[]).await, [ItemStatus::Done; 15]);
    bench.until("the next pages", async || bench.status().await.ready == 25).await;
    assert_eq!(sweeps(&bench).await, 0);
    let claimed = bench.claim(25).await;
    assert_eq!(bench.complete(&claimed, &[]).await, [ItemStatus::Done; 25]);
    bench.until("the round's end", async || sweeps(&bench).await == 1).await;
    assert_eq!(bench.status().await.ready, 10);
    running.stop().await;
}

#[tokio::test]
async fn a_search_outlives_the_routers_absence() {
    let bench = bench().await;
    bench.create(|_| {}).await;
    bench.rows(1..=3);
    bench.origin().faults.push_back(("query", Status::unavailable("away")));
    let running = Running::start(&bench);
    bench.until("the failure", async || bench.metrics.text().contains("status=\"unavailable\"")).await;
    bench.until("the round's end", async || sweeps(&bench).await == 1).await;
    assert_eq!(bench.status().await.ready, 3);
    running.stop().await;
}

#[tokio::test]
async fn a_filter_that_the_origin_refuses_holds_up_no_other_namespace() {
    let bench = bench().await;
    bench
        .create(|s| {
            s.target_namespaces = ["m", N].map(str::to_owned).to_vec();
            s.filter = Some(is("lang", text("en")));
        })
        .await;
    bench.origin().put("m", &row(1), &[("title", text("t"))]);
    bench.origin().put(N, &row(1), &[("title", text("t")), ("lang", text("en"))]);
    let running = Running::start(&bench);
    bench.until("the round's end", async || sweeps(&bench).await == 1).await;
    assert_eq!(bench.status().await.ready, 1);
    assert!(bench.metrics.text().contains("status=\"refused\""));
    running.stop().await;
}

#[tokio::test]
async fn two_replicas_find_every_row_once() {
    let bench = bench_with(|s| s.page_rows = 5).await;
    bench.create(|_| {}).await;
    bench.rows(1..=60);
    let (first, second) = (Running::start(&bench), Running::start(&bench));
    bench.until("the round's end", async || sweeps(&bench).await == 1).await;
    first.stop().await;
    second.stop().await;
    assert_eq!(bench.status().await.ready, 60);
    // Each page was read once: twelve full ones and the empty last.
    let pages = bench.origin().calls.iter().filter(|call| **call == "query").count();
    assert!(pages <= 14, "{pages} pages");
}

#[tokio::test]
async fn a_callers_search_takes_as_many_as_it_asks_for_and_only_of_the_functions_namespaces() {
    let bench = bench_with(|s| s.page_rows = 4).await;
    bench.create(|_| {}).await;
    bench.rows(1..=20);
    let discover = |page_size: u32, namespaces: &[&str]| {
        let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
        let request = DiscoverRequest { function_id: F.to_owned(), namespaces, page_size };
        bench.service.discover(Request::new(request))
    };
    let first = discover(6, &[]).await.unwrap().into_inner();
    assert_eq!((first.enqueued, first.namespaces), (6, vec![N.to_owned()]));
    assert_eq!(discover(6, &[N]).await.unwrap().into_inner().enqueued, 6, "those that are known are passed over");
    assert_eq!(discover(0, &[]).await.unwrap().into_inner().enqueued, 8);
    assert_eq!(discover(1, &["other"]).await.unwrap_err().code(), Code::InvalidArgument);
    bench.origin().faults.push_back(("query", Status::unavailable("away")));
    assert_eq!(discover(1, &[]).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn where_nothing_was_ever_marked_the_mark_is_declared() {
    let bench = bench().await;
    bench.create(|_| {}).await;
    bench.rows(1..=1);
    assert_eq!(bench.discover().await, 1);
    assert_eq!(bench.origin().calls, ["query", "declare", "query"]);
    assert_eq!(bench.origin().namespaces[N].schema["_hevlayer_udf_f_v"], "string");
    bench.discover().await;
    assert_eq!(bench.origin().calls.len(), 4, "once is enough");
}

#[tokio::test]
async fn a_function_with_other_triggers_is_not_searched_for() {
    let bench = bench().await;
    bench.create_as("written", |s| s.triggers = vec![Trigger::Write.into()]).await.unwrap();
    bench.create(|_| {}).await;
    bench.rows(1..=1);
    let running = Running::start(&bench);
    bench.until("the other's round", async || sweeps(&bench).await == 1).await;
    running.stop().await;
    assert!(bench.claimed("written", 9, "w").await.unwrap().items.is_empty());
}
