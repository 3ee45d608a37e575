use std::time::{Duration, Instant};

use layer_service::metrics::Metrics;
use pipeline_worker::state::{Error, Spec, State, StateSettings};

use crate::stores::{PIPELINE, Q, Store, claim, postgres};

pub async fn a_second_process_finds_everything(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let other = store.again().await;
    assert_eq!(other.claim(PIPELINE, Q, &claim(1)).await.unwrap().len(), 1);
    assert!(store.claim(1).await.is_empty());
    assert_eq!(store.state.status(PIPELINE, Q).await.unwrap().stages[1].leased, 1);
}

/// Another process may be in the middle of its steps, and half a schema is none.
pub async fn nothing_is_answered_before_the_schema_is_up_to_date(store: &Store) {
    store.staged(&["x"], |_| {}).await;
    let other = store.beginning();
    assert!(matches!(other.get(PIPELINE, Q).await, Err(Error::Unavailable(_))));
    assert!(matches!(other.claim(PIPELINE, Q, &claim(1)).await, Err(Error::Unavailable(_))));
    other.migrate().await.unwrap();
    assert_eq!(other.claim(PIPELINE, Q, &claim(1)).await.unwrap().len(), 1);
}

pub async fn a_closed_store_is_unavailable(store: &Store) {
    store.queue(|_| {}).await;
    let other = store.again().await;
    other.close().await;
    assert!(matches!(other.claim(PIPELINE, Q, &claim(1)).await, Err(Error::Unavailable(_))));
    assert!(matches!(other.list(PIPELINE, "", 1).await, Err(Error::Unavailable(_))));
}

pub async fn a_call_that_is_given_up_leaves_no_transaction_open(store: &Store) {
    store.queue(|_| {}).await;
    for round in 0..300 {
        let began = Instant::now();
        let given_up = async {
            while began.elapsed() < Duration::from_micros(round * 7) {
                tokio::task::yield_now().await;
            }
        };
        let claim = claim(1);
        tokio::select! {
            biased;
            claimed = store.state.claim(PIPELINE, Q, &claim) => drop(claimed.unwrap()),
            () = given_up => {}
        }
        // One statement by itself: in the transaction of who was there before it would not be there for others.
        store.state.create(PIPELINE, &format!("other{round}"), &Spec::default()).await.unwrap();
        let there = store.numbers("SELECT CAST(COUNT(*) AS BIGINT) FROM queue").await[0][0];
        assert_eq!(there, round.cast_signed() + 2, "what was acknowledged is lost, round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_are_made_anew() {
    let store = postgres().await;
    store.staged(&["x", "y"], |_| {}).await;
    let cut = "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS BIGINT) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for left in [1, 0] {
        assert!(store.numbers(cut).await[0][0] > 0, "nothing was cut");
        let claimed = match store.state.claim(PIPELINE, Q, &claim(1)).await {
            Err(Error::Unavailable(_)) => store.claim(1).await,
            other => other.unwrap(),
        };
        assert_eq!(claimed.len(), 1, "{left} left");
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable_and_keeps_nothing_from_starting() {
    let settings = StateSettings {
        url: Some(layer_service::config::Secret::new("postgres://127.0.0.1:1/none")),
        acquire_timeout_ms: 500,
        ..StateSettings::default()
    };
    let state = State::open(&settings, &Metrics::default()).unwrap().unwrap();
    let (migrated, claimed) = (state.migrate().await, state.claim(PIPELINE, Q, &claim(1)).await);
    assert!(matches!(migrated, Err(Error::Unavailable(_))), "{migrated:?}");
    assert!(matches!(claimed, Err(Error::Unavailable(_))), "{claimed:?}");
}
