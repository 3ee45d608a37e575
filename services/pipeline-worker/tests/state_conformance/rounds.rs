use std::collections::HashSet;

use pipeline_worker::state::{Claim, Page, Plan, Queue, Scan, State};
use tokio::task::JoinSet;

use crate::{
    functions::{FUNCTION, function, spec},
    stores::{LONG, Q, Store, claim, held},
};

const HOUR: i64 = 3_600_000;

fn plan(namespaces: &'static [&str], interval_ms: Option<i64>) -> impl Fn(&Queue, i64) -> Plan + Send + Sync {
    move |_, _| Plan {
        namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        interval_ms,
        cron_ms: None,
        ready_max: 1000,
    }
}

async fn take(state: &State, scans_max: u32) -> Option<Scan> {
    state.take_scan(Q, scans_max, 1000, LONG).await.unwrap()
}

async fn searching(store: &Store) -> Vec<String> {
    store.state.searching("", 9).await.unwrap().into_iter().map(|queue| queue.name).collect()
}

fn items(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// Makes the function of the case, and begins its first round.
async fn begun(store: &Store, namespaces: &'static [&str]) {
    function(store, &[]).await;
    assert!(store.state.begin_round(Q, &plan(namespaces, Some(HOUR))).await.unwrap());
}

pub async fn a_round_looks_through_every_namespace_once(store: &Store) {
    begun(store, &["a", "b"]).await;
    let first = take(&store.state, 9).await.unwrap();
    let second = take(&store.state, 9).await.unwrap();
    assert_eq!((first.namespace.as_str(), second.namespace.as_str(), first.every), ("a", "b", false));
    assert!(take(&store.state, 9).await.is_none(), "somebody is at both");
    let more = Page::More("n5".to_owned());
    assert_eq!(store.state.scanned(&first, &more, &items(&["a#1", "a#2"])).await.unwrap(), Some(2));
    assert_eq!(store.state.scanned(&second, &Page::Missing, &[]).await.unwrap(), Some(0));
    let on = take(&store.state, 9).await.unwrap();
    assert_eq!((on.namespace.as_str(), on.after.as_str()), ("a", "n5"));
    assert_eq!(store.state.searched(Q).await.unwrap().completed, 0);
    assert_eq!(store.state.scanned(&on, &Page::Last, &items(&["a#2", "a#3"])).await.unwrap(), Some(1));
    let searched = store.state.searched(Q).await.unwrap();
    let now = store.state.now_ms().await.unwrap();
    assert_eq!((searched.completed, searched.namespaces), (1, items(&["a"])));
    assert!((0..60_000).contains(&(now - searched.completed_ms.unwrap())));
    assert!(take(&store.state, 9).await.is_none() && searching(store).await.is_empty());
    assert!(!store.state.begin_round(Q, &plan(&["a", "b"], Some(HOUR))).await.unwrap(), "not before the interval");
}

pub async fn a_page_counts_only_for_who_has_the_namespace(store: &Store) {
    begun(store, &["a"]).await;
    let late = store.state.take_scan(Q, 9, 1000, 1).await.unwrap().unwrap();
    store.pass(2).await;
    let scan = take(&store.state, 9).await.unwrap();
    assert_eq!(store.state.scanned(&late, &Page::Last, &items(&["a#1"])).await.unwrap(), None);
    assert_eq!(store.numbers("SELECT COUNT(*) FROM item").await, [[0]]);
    assert_eq!(store.state.scanned(&scan, &Page::Last, &items(&["a#1"])).await.unwrap(), Some(1));
    assert_eq!(store.state.scanned(&scan, &Page::Last, &[]).await.unwrap(), None, "repeated, it does nothing");
    assert_eq!(store.state.searched(Q).await.unwrap().completed, 1);
}

pub async fn racing_scanners_share_the_namespaces(store: &Store) {
    begun(store, &["a", "b", "c", "d", "e", "f"]).await;
    let mut scanners = JoinSet::new();
    for _ in 0..6 {
        let state = store.state.clone();
        scanners.spawn(async move { take(&state, 4).await.map(|scan| scan.namespace) });
    }
    let taken: Vec<_> = scanners.join_all().await.into_iter().flatten().collect();
    let different: HashSet<_> = taken.iter().collect();
    assert_eq!((taken.len(), different.len()), (4, 4), "{taken:?}");
}

pub async fn a_page_that_could_not_be_read_is_tried_again_later(store: &Store) {
    begun(store, &["a", "b"]).await;
    let scan = take(&store.state, 9).await.unwrap();
    store.state.scanned(&scan, &Page::Failed(60_000), &[]).await.unwrap();
    assert_eq!(take(&store.state, 9).await.unwrap().namespace, "b");
    assert!(take(&store.state, 9).await.is_none());
    store.run("UPDATE sweep SET free_ms = free_ms - 60000".to_owned()).await;
    assert_eq!(take(&store.state, 9).await.unwrap().namespace, "a");
}

pub async fn nothing_is_searched_for_while_enough_waits(store: &Store) {
    function(store, &["a#1", "a#2"]).await;
    let few = |queue: &Queue, now| Plan { ready_max: 1, ..plan(&["a"], Some(HOUR))(queue, now) };
    assert!(!store.state.begin_round(Q, &few).await.unwrap());
    assert!(searching(store).await.is_empty(), "not at once again");
    sqlx::query("UPDATE discovery SET due_ms = 1").execute(&store.raw).await.unwrap();
    assert_eq!(searching(store).await, [Q]);
    assert!(store.state.begin_round(Q, &plan(&["a"], Some(HOUR))).await.unwrap());
    assert!(store.state.take_scan(Q, 9, 2, LONG).await.unwrap().is_none());
    assert!(store.state.take_scan(Q, 9, 3, LONG).await.unwrap().is_some());
}

pub async fn a_change_ends_a_round_and_begins_the_next_at_once(store: &Store) {
    begun(store, &["a", "b"]).await;
    let scan = take(&store.state, 9).await.unwrap();
    assert_eq!(searching(store).await, [Q], "a round runs");
    let changed = pipeline_worker::state::Spec { rest: "v2".to_owned(), ..spec() };
    store.state.upsert(FUNCTION, Q, &changed, |_, _| true).await.unwrap();
    assert!(store.state.begin_round(Q, &plan(&["b", "c"], Some(HOUR))).await.unwrap());
    assert_eq!(store.state.scanned(&scan, &Page::Last, &items(&["a#1"])).await.unwrap(), None);
    for namespace in ["b", "c"] {
        let scan = take(&store.state, 9).await.unwrap();
        assert_eq!(scan.namespace, namespace);
        store.state.scanned(&scan, &Page::Last, &[]).await.unwrap();
    }
    assert_eq!(store.state.searched(Q).await.unwrap().namespaces, ["b", "c"]);
    assert_eq!(store.numbers("SELECT COUNT(*) FROM sweep").await, [[2]]);
}

pub async fn at_its_time_all_rows_are_done_anew(store: &Store) {
    function(store, &[]).await;
    let at = |queue: &Queue, now: i64| Plan { cron_ms: Some(now + 60_000), ..plan(&["a"], None)(queue, now) };
    assert_eq!(searching(store).await, [Q], "it is to be planned");
    assert!(!store.state.begin_round(Q, &at).await.unwrap());
    assert!(searching(store).await.is_empty());
    // Moved, not set: what was never noted is not due now either.
    store.run("UPDATE discovery SET cron_ms = cron_ms - 60000".to_owned()).await;
    assert_eq!(searching(store).await, [Q]);
    assert!(store.state.begin_round(Q, &at).await.unwrap());
    let scan = take(&store.state, 9).await.unwrap();
    assert!(scan.every);
    store.state.scanned(&scan, &Page::Last, &[]).await.unwrap();
    store.state.hasten(Q).await.unwrap();
    assert!(searching(store).await.is_empty(), "it has no other times");
}

pub async fn a_paused_function_is_not_searched_for(store: &Store) {
    begun(store, &["a"]).await;
    store.state.set_paused(FUNCTION, Q, true).await.unwrap();
    assert!(searching(store).await.is_empty() && take(&store.state, 9).await.is_none());
    assert!(!store.state.begin_round(Q, &plan(&["a"], Some(HOUR))).await.unwrap());
    store.state.set_paused(FUNCTION, Q, false).await.unwrap();
    assert!(take(&store.state, 9).await.is_some(), "the round goes on");
}

pub async fn a_round_can_be_hastened(store: &Store) {
    begun(store, &["a"]).await;
    let scan = take(&store.state, 9).await.unwrap();
    store.state.scanned(&scan, &Page::Last, &[]).await.unwrap();
    assert!(searching(store).await.is_empty());
    store.state.hasten(Q).await.unwrap();
    assert_eq!(searching(store).await, [Q]);
    assert!(store.state.begin_round(Q, &plan(&["a"], Some(HOUR))).await.unwrap());
}

pub async fn what_belongs_to_a_deleted_function_is_purged(store: &Store) {
    begun(store, &["a"]).await;
    let scan = take(&store.state, 9).await.unwrap();
    store.state.scanned(&scan, &Page::More("x".to_owned()), &items(&["a#1"])).await.unwrap();
    store.state.delete(FUNCTION, Q).await.unwrap();
    assert!(store.state.scanned(&scan, &Page::Last, &[]).await.is_err() && searching(store).await.is_empty());
    for _ in 0..2 {
        store.state.purge_deleted(100).await.unwrap();
    }
    let left = "SELECT (SELECT COUNT(*) FROM item), (SELECT COUNT(*) FROM sweep), (SELECT COUNT(*) FROM discovery)";
    assert_eq!(store.numbers(left).await, [[0, 0, 0]]);
    // One of the same name begins anew, and what the old one found is not its.
    function(store, &[]).await;
    assert_eq!(store.state.searched(Q).await.unwrap().completed, 0);
    assert!(store.state.begin_round(Q, &plan(&["a"], Some(HOUR))).await.unwrap());
    assert_eq!(store.state.scanned(&scan, &Page::Last, &items(&["a#9"])).await.unwrap(), None);
    let claim = Claim { claim_stage: "running".to_owned(), ..claim(9) };
    assert!(held(&store.state.claim(FUNCTION, Q, &claim).await.unwrap()).is_empty());
}
