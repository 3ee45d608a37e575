use std::{collections::HashSet, sync::Arc};

use pipeline_worker::state::{Claim, Completed, Failed, Guard, Held, Retry, State};
use tokio::task::JoinSet;

use crate::stores::{PIPELINE, Q, Store, at_once, body, claim, held, staging};

pub async fn racing_claimers_never_get_the_same_item(store: &Store) {
    let names: Vec<_> = (0..400).map(|n| format!("{n}")).collect();
    store.staged(&names.iter().map(String::as_str).collect::<Vec<_>>(), |_| {}).await;
    let mut claimers = JoinSet::new();
    for worker in 0..8 {
        let state = store.state.clone();
        claimers.spawn(async move {
            let claim = Claim { worker: format!("w{worker}"), ..claim(7) };
            let mut mine = Vec::new();
            loop {
                let claimed = state.claim(PIPELINE, Q, &claim).await.unwrap();
                // Others may hold the last rows for the moment of their claims: what is left over is theirs.
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.into_iter().map(|claimed| claimed.item));
            }
        });
    }
    let all: Vec<_> = claimers.join_all().await.into_iter().flatten().collect();
    let different: HashSet<_> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (400, 400));
}

pub async fn a_concurrency_limit_holds_in_a_race(store: &Store) {
    let names: Vec<_> = (0..100).map(|n| format!("{n}")).collect();
    store.staged(&names.iter().map(String::as_str).collect::<Vec<_>>(), |s| s.leased_max = 10).await;
    let mut claimers = JoinSet::new();
    for _ in 0..8 {
        let state = store.state.clone();
        claimers.spawn(async move { state.claim(PIPELINE, Q, &claim(4)).await.unwrap().len() });
    }
    let sizes = claimers.join_all().await;
    assert_eq!(sizes.iter().sum::<usize>(), 10, "{sizes:?}");
}

pub async fn racing_stagings_of_one_item_are_one_item(store: &Store) {
    store.queue(|_| {}).await;
    let now = store.state.now_ms().await.unwrap();
    let mut stagings = JoinSet::new();
    for turn in 0..12 {
        let state = store.state.clone();
        stagings.spawn(async move {
            // In both orders: whoever locks them in the order of the call waits for each other.
            let mut items: Vec<_> = ["a", "b", "c"].iter().map(|id| staging(id, body(now))).collect();
            if turn % 2 == 0 {
                items.reverse();
            }
            state.stage(PIPELINE, Q, &items).await.unwrap()
        });
    }
    let staged: Vec<_> = stagings.join_all().await.into_iter().flatten().collect();
    let versions: HashSet<_> = staged.iter().map(|staged| (&staged.item, staged.version)).collect();
    assert_eq!((staged.len(), versions.len()), (36, 36), "each staging has a version of its own");
    assert_eq!(staged.iter().filter(|staged| !staged.restaged).count(), 3);
    assert_eq!(store.claim(9).await.len(), 3);
}

/// Whatever several workers do at once, `Store::audit` finds the counters right, and every item is in one place.
pub async fn anything_at_all_keeps_the_counters_right(store: &Store) {
    store.queue(|s| s.retry = Retry { attempts_max: 3, leases_lost_max: 3, ..at_once() }).await;
    let seed = fastrand::u64(..);
    let mut workers = JoinSet::new();
    for worker in 0..4 {
        let state = Arc::new(store.state.clone());
        workers.spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed + worker);
            for _ in 0..60 {
                anything(&state, &mut random).await;
            }
        });
    }
    workers.join_all().await;
    let items = store.numbers("SELECT COUNT(*) FROM item").await;
    let wrong = store.numbers("SELECT COUNT(*) FROM item WHERE (state = 2) <> (worker IS NOT NULL)").await;
    assert_eq!(wrong, [[0]], "seed {seed}");
    assert!((1..=20).contains(&items[0][0]), "seed {seed}: {items:?}");
}

async fn anything(state: &State, random: &mut fastrand::Rng) {
    let some = |random: &mut fastrand::Rng| -> Vec<String> {
        let mut ids: Vec<_> = (0..random.usize(1..6)).map(|_| format!("{}", random.u8(0..20))).collect();
        ids.sort();
        ids.dedup();
        ids
    };
    let guard = Guard::default();
    let lease_ms = if random.bool() { 1 } else { 60_000 };
    match random.u8(0..8) {
        0 | 1 => {
            let now = state.now_ms().await.unwrap();
            let items: Vec<_> = some(random).iter().map(|id| staging(id, body(now))).collect();
            state.stage(PIPELINE, Q, &items).await.unwrap();
        }
        2 => {
            let stage = ["pending", "embedding", "indexed", "failed"][random.usize(0..4)];
            let held: Vec<_> = some(random).into_iter().map(Held::any).collect();
            state.set_stage(PIPELINE, Q, &held, &guard, stage, random.bool()).await.unwrap();
        }
        3 => {
            let ids = if random.bool() { some(random) } else { Vec::new() };
            state.requeue(PIPELINE, Q, &ids, 5).await.unwrap();
        }
        what => {
            let claimed = state.claim(PIPELINE, Q, &Claim { lease_ms, ..claim(random.usize(1..6)) }).await.unwrap();
            if claimed.is_empty() {
                return;
            }
            let held = held(&claimed);
            let completed: Vec<_> = held.iter().map(|held| Completed { held: held.clone(), output: None }).collect();
            let permanent = random.bool();
            let failed = |held: &Held| Failed { held: held.clone(), permanent, message: "no".to_owned() };
            let failed: Vec<_> = held.iter().map(failed).collect();
            match what {
                4 => drop(state.complete(PIPELINE, Q, &completed, &guard, None).await.unwrap()),
                5 => drop(state.fail(PIPELINE, Q, &failed, &guard).await.unwrap()),
                6 => drop(state.release(PIPELINE, Q, &held, &guard).await.unwrap()),
                _ => {}
            }
        }
    }
}
