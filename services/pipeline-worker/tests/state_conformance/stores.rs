//! A state store of each kind, and what tests ask of it.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use layer_service::{config::Secret, metrics::Metrics};
use pipeline_worker::state::{Body, Claim, Claimed, Held, Kind, Output, Retry, Spec, Staging, State, StateSettings};
use sqlx::{AnyPool, Row, any::AnyPoolOptions};

use crate::cluster::cluster;

pub const PIPELINE: Kind = Kind::Pipeline;
/// The queue of most cases.
pub const Q: &str = "q";
/// A lease that does not end in a test.
pub const LONG: u64 = 600_000;

/// A store, and another way into its database.
pub struct Store {
    pub state: State,
    pub raw: AnyPool,
    url: String,
    _directory: Option<tempfile::TempDir>,
}

pub async fn sqlite() -> Store {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("state.db").display());
    open(url, Some(directory)).await
}

pub async fn postgres() -> Store {
    // The drivers are named by the first store that is opened.
    drop(State::open(&settings("postgres:///none"), &Metrics::default()).unwrap());
    open(cluster().database().await, None).await
}

fn settings(url: &str) -> StateSettings {
    StateSettings { url: Some(Secret::new(url)), ..StateSettings::default() }
}

async fn open(url: String, directory: Option<tempfile::TempDir>) -> Store {
    let state = State::open(&settings(&url), &Metrics::default()).unwrap().unwrap();
    state.migrate().await.unwrap();
    let raw = AnyPoolOptions::new().max_connections(2).connect(&url).await.unwrap();
    Store { state, raw, url, _directory: directory }
}

impl Store {
    /// The same database, as another process has it.
    pub async fn again(&self) -> State {
        let state = self.beginning();
        state.migrate().await.unwrap();
        state
    }

    /// As a process has it that has just begun.
    pub fn beginning(&self) -> State {
        State::open(&settings(&self.url), &Metrics::default()).unwrap().unwrap()
    }

    /// As a process has it whose connections are known to PostgreSQL by a name.
    pub fn named(&self, name: &str) -> State {
        let url = format!("{}{}application_name={name}", self.url, if self.url.contains('?') { '&' } else { '?' });
        State::open(&settings(&url), &Metrics::default()).unwrap().unwrap()
    }

    /// Carries a statement out.
    pub async fn run(&self, statement: String) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&self.raw).await.unwrap();
    }

    /// Makes the queue of the case.
    pub async fn queue(&self, change: impl FnOnce(&mut Spec)) {
        let mut spec = Spec::default();
        change(&mut spec);
        self.state.create(PIPELINE, Q, &spec).await.unwrap();
    }

    /// Makes the queue, and stages items in it.
    pub async fn staged(&self, ids: &[&str], change: impl FnOnce(&mut Spec)) {
        self.queue(change).await;
        self.stage(ids).await;
    }

    /// Stages items, each with a new body.
    pub async fn stage(&self, ids: &[&str]) {
        let now = self.state.now_ms().await.unwrap();
        let items: Vec<_> = ids.iter().map(|id| staging(id, body(now))).collect();
        self.state.stage(PIPELINE, Q, &items).await.unwrap();
    }

    pub async fn claim(&self, limit: usize) -> Vec<Claimed> {
        self.state.claim(PIPELINE, Q, &claim(limit)).await.unwrap()
    }

    /// Claims one item for a lease so short that it is over, and waits until it is.
    pub async fn claim_briefly(&self, limit: usize) -> Vec<Claimed> {
        let brief = Claim { lease_ms: 1, ..claim(limit) };
        let claimed = self.state.claim(PIPELINE, Q, &brief).await.unwrap();
        self.pass(2).await;
        claimed
    }

    /// Waits until the database's clock is `ms` on.
    pub async fn pass(&self, ms: i64) {
        let until = self.state.now_ms().await.unwrap() + ms;
        while self.state.now_ms().await.unwrap() <= until {}
    }

    /// Where an item stands: stage, state, attempts.
    pub async fn at(&self, id: &str) -> (String, String, u32) {
        let found = self.state.items(PIPELINE, Q, &[id.to_owned()]).await.unwrap();
        let item = found.into_iter().next().unwrap_or_else(|| panic!("{id} is not there"));
        (item.stage, format!("{:?}", item.standing), item.attempts)
    }

    /// Holds the counters against the items.
    pub async fn audit(&self) {
        let truth = "SELECT queue, stage, state, CAST(COUNT(*) AS BIGINT) FROM item GROUP BY queue, stage, state \
                     ORDER BY queue, stage, state";
        let told = "SELECT queue, stage, state, CAST(SUM(n) AS BIGINT) FROM tally GROUP BY queue, stage, state \
                    HAVING SUM(n) <> 0 ORDER BY queue, stage, state";
        assert_eq!(self.numbers(told).await, self.numbers(truth).await, "the counters have drifted");
    }

    /// The rows of a statement, all of them numbers.
    pub async fn numbers(&self, statement: &'static str) -> Vec<Vec<i64>> {
        let rows = sqlx::query(statement).fetch_all(&self.raw).await.unwrap();
        rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect()
    }
}

/// A body that no other is like.
pub fn body(minted_ms: i64) -> Body {
    static DIGEST: AtomicI64 = AtomicI64::new(1);
    Body { minted_ms, digest: DIGEST.fetch_add(1, Relaxed), chunks: 3, pack: None }
}

pub fn output(stage: &str, body: Body) -> Option<Output> {
    Some(Output { stage: stage.to_owned(), body })
}

pub fn staging(id: &str, body: Body) -> Staging {
    Staging { item: id.to_owned(), body: Some(body), priority: 0, version_floor: 0 }
}

pub fn claim(limit: usize) -> Claim {
    Claim {
        stage: "pending".to_owned(),
        claim_stage: "embedding".to_owned(),
        limit,
        worker: "w".to_owned(),
        lease_ms: LONG,
        prefix: String::new(),
    }
}

pub fn held(claimed: &[Claimed]) -> Vec<Held> {
    claimed.iter().map(|claimed| Held::under(&claimed.item, claimed.token)).collect()
}

pub fn ids(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.item.as_str()).collect()
}

/// Trying again at once.
pub fn at_once() -> Retry {
    Retry { initial_backoff_ms: 0, max_backoff_ms: 0, ..Retry::default() }
}
