//! How much PostgreSQL reads: as many rows as a call is about, whatever the planner knows of the table.

use pipeline_worker::state::{Completed, Guard, Spec, State};

use crate::stores::{PIPELINE, Store, body, claim, held, postgres, staging};

const BATCH: usize = 50;
const ROUNDS: usize = 20;
const DEEP: usize = 20_000;
/// Rows that may be read for one item of a call. A new one is not there to be read; one that is claimed and completed is read twice.
/// A statement that reads the queue reads hundreds for each.
const READ_MAX: i64 = 2;

/// A state whose connections are known by a name.
struct Named<'a> {
    store: &'a Store,
    state: State,
}

impl<'a> Named<'a> {
    async fn new(store: &'a Store) -> Self {
        let state = store.named("plans");
        state.migrate().await.unwrap();
        Self { store, state }
    }

    async fn stage(&self, queue: &str, from: usize, to: usize) {
        let now = self.state.now_ms().await.unwrap();
        for first in (from..to).step_by(5000) {
            let some: Vec<_> = (first..to.min(first + 5000)).map(|n| staging(&format!("{n:05}"), body(now))).collect();
            self.state.stage(PIPELINE, queue, &some).await.unwrap();
        }
    }

    /// Claims and completes; how many items.
    async fn work(&self, queue: &str) -> usize {
        for _ in 0..ROUNDS {
            let claimed = self.state.claim(PIPELINE, queue, &claim(BATCH)).await.unwrap();
            assert_eq!(claimed.len(), BATCH);
            let done: Vec<_> = held(&claimed).into_iter().map(|held| Completed { held, output: None }).collect();
            self.state.complete(PIPELINE, queue, &done, &Guard::default(), None).await.unwrap();
        }
        ROUNDS * BATCH
    }

    /// Rows that were read since the database was made. What a connection has counted is known when it has ended.
    async fn read(self) -> i64 {
        self.state.close().await;
        let open = "SELECT CAST(COUNT(*) AS BIGINT) FROM pg_stat_activity WHERE application_name = 'plans' \
                    AND datname = current_database()";
        while self.store.numbers(open).await[0][0] > 0 {
            tokio::task::yield_now().await;
        }
        let read = "SELECT CAST(SUM(seq_tup_read + COALESCE(idx_tup_fetch, 0)) AS BIGINT) FROM pg_stat_user_tables \
                    WHERE relname IN ('item', 'output', 'failure', 'stale')";
        self.store.numbers(read).await[0][0]
    }
}

/// A store whose statistics nobody makes anew behind the test's back.
async fn left_alone() -> Store {
    let store = postgres().await;
    for table in ["item", "output", "failure", "stale"] {
        store.run(format!("ALTER TABLE {table} SET (autovacuum_enabled = false)")).await;
    }
    store
}

fn check(read: i64, items: usize) {
    let most = READ_MAX * i64::try_from(items).unwrap();
    assert!(read <= most, "{read} rows were read for {items} items");
}

/// Plans are kept by their connection: those made for some rows must do for many.
#[tokio::test(flavor = "multi_thread")]
async fn plans_of_a_small_table_do_for_a_large_one() {
    let store = left_alone().await;
    store.queue(|_| {}).await;
    let named = Named::new(&store).await;
    named.stage("q", 0, 1000).await;
    let mut items = 1000 + named.work("q").await;
    named.stage("q", 1000, DEEP).await;
    items += DEEP - 1000 + named.work("q").await;
    check(named.read().await, items);
}

/// The statistics know nothing of a queue that was made after them.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_younger_than_the_statistics_is_read_no_more() {
    let store = left_alone().await;
    store.queue(|_| {}).await;
    let named = Named::new(&store).await;
    named.stage("q", 0, DEEP).await;
    store.run("ANALYZE".to_owned()).await;
    let before = named.read().await;

    store.again().await.create(PIPELINE, "young", &Spec::default()).await.unwrap();
    let named = Named::new(&store).await;
    named.stage("young", 0, DEEP).await;
    let items = DEEP + named.work("young").await;
    check(named.read().await - before, items);
}

/// With the statistics of one item a queue looks like a single row.
#[tokio::test(flavor = "multi_thread")]
async fn statistics_of_one_item_mislead_nobody() {
    let store = left_alone().await;
    store.queue(|_| {}).await;
    let named = Named::new(&store).await;
    named.stage("q", 0, 1).await;
    store.run("ANALYZE".to_owned()).await;
    named.stage("q", 1, DEEP).await;
    let items = DEEP + named.work("q").await;
    check(named.read().await, items);
}
