//! The canary and the epoch.

use doc_cache::backend::{Canary, Filled};

use super::*;

impl<F: Fixture> Case<F> {
    async fn canary(&self) -> Canary {
        self.backend.canary(self.fixture.lapse(), DEADLINE).await.expect("canary")
    }
}

pub async fn canaries_in_time_keep_the_epoch<F: Fixture>(case: Case<F>) {
    let first = case.canary().await;
    assert!(!first.stop_writes);
    case.store("k", "one").await;
    for _ in 0..8 {
        case.fixture.pass(case.fixture.lapse() / 4).await;
        assert_eq!(case.canary().await, first);
    }
    case.assert_hit("k", "one").await;
    assert_eq!(case.lease("other").await.epoch, first.epoch);
}

pub async fn a_lapse_begins_a_new_epoch<F: Fixture>(case: Case<F>) {
    let first = case.canary().await;
    case.store("k", "one").await;
    let older = case.lease("other").await;
    case.fixture.pass(2 * case.fixture.lapse()).await;
    let second = case.canary().await;
    assert_ne!(first.epoch, second.epoch);
    case.assert_miss("k").await;
    case.fill("other", older, "stale").await;
    case.assert_miss("other").await;
    assert_eq!(case.lease("k").await.epoch, second.epoch);
    case.store("k", "two").await;
    case.assert_hit("k", "two").await;
    assert_eq!(case.canary().await.epoch, second.epoch);
}

pub async fn holds_outlive_the_epoch<F: Fixture>(case: Case<F>) {
    let (write, older) = (write(), case.lease("k").await);
    case.hold(write, "k", LONG).await;
    case.fixture.pass(2 * case.fixture.lapse()).await;
    case.canary().await;
    case.assert_held("k").await;
    assert_eq!(case.fill("k", older, "stale").await, Filled::LeaseEnded);
    case.release(write, "k").await;
    case.assert_miss("k").await;
}
