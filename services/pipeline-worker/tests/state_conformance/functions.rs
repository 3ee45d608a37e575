use pipeline_worker::state::{Claim, Claimed, Error, Failed, Given, Guard, Held, Kind, Refusal, Spec};

use crate::stores::{LONG, Q, Store, at_once, claim, held, ids};

pub const FUNCTION: Kind = Kind::Function;

pub fn spec() -> Spec {
    let stages = ["pending", "running", "done"].map(str::to_owned).to_vec();
    Spec { stages, retry: at_once(), rest: "v1".to_owned(), ..Spec::default() }
}

/// Makes the function of the case, with items.
pub async fn function(store: &Store, ids: &[&str]) {
    store.state.create(FUNCTION, Q, &spec()).await.unwrap();
    enqueue(store, ids).await;
}

async fn enqueue(store: &Store, ids: &[&str]) -> usize {
    let items: Vec<_> = ids.iter().map(|id| (*id).to_owned()).collect();
    if items.is_empty() { 0 } else { store.state.enqueue(FUNCTION, Q, &items).await.unwrap() }
}

async fn take(store: &Store, limit: usize) -> Vec<Claimed> {
    let claim = Claim { claim_stage: "running".to_owned(), ..claim(limit) };
    store.state.claim(FUNCTION, Q, &claim).await.unwrap()
}

async fn standing(store: &Store, id: &str) -> Option<String> {
    let found = store.state.items(FUNCTION, Q, &[id.to_owned()]).await.unwrap();
    found.first().map(|item| format!("{:?}", item.standing))
}

async fn give(store: &Store, claimed: &[Claimed], version: Option<i64>) {
    let given: Vec<_> = claimed.iter().map(|c| Given { item: c.item.clone(), token: c.token, version }).collect();
    store.state.hand_out(FUNCTION, Q, &given).await.unwrap();
}

async fn vouch(store: &Store, held: &[Held]) -> Vec<Result<(), Refusal>> {
    let (vouched, now) = store.state.vouch(FUNCTION, Q, held, &Guard::default(), LONG).await.unwrap();
    assert!(now <= store.state.now_ms().await.unwrap());
    vouched.into_iter().map(|vouched| vouched.verdict).collect()
}

/// A change after which what is claimed does not count.
async fn change(store: &Store, rest: &str) -> pipeline_worker::state::Queue {
    let spec = Spec { rest: rest.to_owned(), ..spec() };
    store.state.upsert(FUNCTION, Q, &spec, |old, new| old.rest != new.rest).await.unwrap()
}

pub async fn only_items_that_are_not_there_are_put_into_the_queue(store: &Store) {
    function(store, &["n#1", "n#2"]).await;
    assert_eq!(enqueue(store, &["n#2", "n#3", "n#3"]).await, 1);
    let claimed = take(store, 2).await;
    let failed = [Failed { held: held(&claimed)[0].clone(), permanent: true, message: "no".to_owned() }];
    store.state.fail(FUNCTION, Q, &failed, &Guard::default()).await.unwrap();
    assert_eq!(enqueue(store, &["n#1", "n#2", "n#3"]).await, 0);
    assert_eq!(standing(store, &claimed[0].item).await.as_deref(), Some("Dead(Permanent)"));
    assert_eq!(standing(store, &claimed[1].item).await.as_deref(), Some("Leased"));
    let refused = store.state.enqueue(FUNCTION, "none", &["n#1".to_owned()]).await;
    assert!(matches!(refused, Err(Error::QueueNotFound { .. })), "{refused:?}");
}

pub async fn what_is_done_leaves_the_queue_and_is_counted(store: &Store) {
    function(store, &["a", "b", "c"]).await;
    let claimed = take(store, 3).await;
    let twice = [held(&claimed)[0].clone(), held(&claimed)[0].clone(), Held::under("none", 1)];
    let outcomes = store.state.finish(FUNCTION, Q, &twice, true).await.unwrap();
    let verdicts: Vec<_> = outcomes.iter().map(|outcome| outcome.verdict).collect();
    assert_eq!(verdicts, [Ok(()), Ok(()), Err(Refusal::NotFound)]);
    let unknown = [Held::under(&claimed[1].item, claimed[1].token - 1), Held::any(&claimed[1].item)];
    let outcomes = store.state.finish(FUNCTION, Q, &unknown, true).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.verdict == Err(Refusal::StaleToken)), "{outcomes:?}");
    store.state.finish(FUNCTION, Q, &held(&claimed[2..]), false).await.unwrap();
    let status = store.state.status(FUNCTION, Q).await.unwrap();
    assert!((status.done_per_minute - 1.0).abs() < 1e-9, "{status:?}");
    assert_eq!(store.numbers("SELECT COUNT(*) FROM item").await, [[1]]);
    assert_eq!(enqueue(store, &["a"]).await, 1, "it may come again");
}

pub async fn an_item_whose_row_is_gone_leaves_the_queue_uncounted(store: &Store) {
    function(store, &["a", "b"]).await;
    let claimed = take(store, 2).await;
    give(store, &claimed[..1], Some(7)).await;
    give(store, &claimed[1..], None).await;
    assert_eq!(standing(store, &claimed[1].item).await, None);
    let found = store.state.items(FUNCTION, Q, &[claimed[0].item.clone()]).await.unwrap();
    assert_eq!(found[0].version, 7);
    // A late note of who lost the item changes nothing.
    let late = Claimed { token: claimed[0].token - 1, ..claimed[0].clone() };
    give(store, &[late], None).await;
    assert_eq!(standing(store, &claimed[0].item).await.as_deref(), Some("Leased"));
    assert!(store.state.status(FUNCTION, Q).await.unwrap().done_per_minute < 1e-9);
}

pub async fn what_changed_since_it_was_given_is_claimed_anew(store: &Store) {
    function(store, &["a", "b"]).await;
    let claimed = take(store, 2).await;
    give(store, &claimed, Some(7)).await;
    let of = |place: usize, version| Held { version: Some(version), ..held(&claimed)[place].clone() };
    assert_eq!(vouch(store, &[of(0, 7), of(1, 8)]).await, [Ok(()), Err(Refusal::StaleVersion)]);
    assert_eq!(standing(store, &claimed[1].item).await.as_deref(), Some("Ready"));
    assert_eq!(vouch(store, &[of(1, 7)]).await, [Err(Refusal::StaleToken)]);
    let again = take(store, 2).await;
    assert_eq!((ids(&again), again[0].attempt), (vec![claimed[1].item.as_str()], 1));
}

pub async fn who_is_vouched_for_keeps_the_lease(store: &Store) {
    function(store, &["a"]).await;
    let brief = Claim { claim_stage: "running".to_owned(), lease_ms: 2000, ..claim(1) };
    let claimed = store.state.claim(FUNCTION, Q, &brief).await.unwrap();
    assert_eq!(vouch(store, &held(&claimed)).await, [Ok(())]);
    store.pass(2001).await;
    assert!(take(store, 1).await.is_empty());
    // It never shortens one.
    let (vouched, _) = store.state.vouch(FUNCTION, Q, &held(&claimed), &Guard::default(), 1).await.unwrap();
    assert_eq!(vouched[0].token, claimed[0].token);
    store.pass(2).await;
    assert!(take(store, 1).await.is_empty());
}

pub async fn a_lease_that_is_over_is_not_vouched_for(store: &Store) {
    function(store, &["a"]).await;
    let brief = Claim { claim_stage: "running".to_owned(), lease_ms: 1, ..claim(1) };
    let claimed = store.state.claim(FUNCTION, Q, &brief).await.unwrap();
    store.pass(2).await;
    assert_eq!(vouch(store, &held(&claimed)).await, [Err(Refusal::NotLeased)]);
    let other = Guard { worker: Some("other".to_owned()), stage: None };
    let claimed = take(store, 1).await;
    let (vouched, _) = store.state.vouch(FUNCTION, Q, &held(&claimed), &other, LONG).await.unwrap();
    assert_eq!(vouched[0].verdict, Err(Refusal::OtherWorker));
}

pub async fn a_new_version_outdates_every_claim(store: &Store) {
    function(store, &["a", "b"]).await;
    let old = take(store, 1).await;
    let changed = change(store, "v2").await;
    assert!(changed.generation >= old[0].token && changed.updated_ms > changed.created_ms, "{changed:?}");
    let new = take(store, 1).await;
    assert!(new[0].token > changed.generation);
    let both = [held(&old)[0].clone(), held(&new)[0].clone()];
    assert_eq!(vouch(store, &both).await, [Err(Refusal::StaleVersion), Ok(())]);
    assert_eq!(standing(store, &old[0].item).await.as_deref(), Some("Ready"));
    // Also where the clock was set far back meanwhile.
    sqlx::query("UPDATE item SET token = token + 1000000000000").execute(&store.raw).await.unwrap();
    let changed = change(store, "v3").await;
    let late = Held::under(&new[0].item, new[0].token + 1_000_000_000_000);
    assert_eq!(vouch(store, &[late]).await, [Err(Refusal::StaleVersion)]);
    assert!(take(store, 9).await.iter().all(|claimed| claimed.token > changed.generation));
}

pub async fn a_change_that_is_none_changes_nothing(store: &Store) {
    function(store, &[]).await;
    let before = store.state.get(FUNCTION, Q).await.unwrap();
    assert_eq!(change(store, "v1").await, before);
    let small = Spec { leased_max: 3, ..spec() };
    let after = store.state.upsert(FUNCTION, Q, &small, |old, new| old.rest != new.rest).await.unwrap();
    assert_eq!((after.generation, after.spec.leased_max), (before.generation, 3));
    assert!(after.updated_ms > before.updated_ms && after.id == before.id);
    let other = Spec { stages: vec!["a".to_owned(), "b".to_owned()], ..spec() };
    let refused = store.state.upsert(FUNCTION, Q, &other, |_, _| true).await.unwrap_err();
    assert!(refused.to_string().contains("`stages`"), "{refused}");
    let new = store.state.upsert(FUNCTION, "new", &spec(), |_, _| true).await.unwrap();
    assert_eq!((new.name.as_str(), new.generation, new.updated_ms), ("new", 0, new.created_ms));
}

pub async fn functions_whose_marks_would_be_the_same_exclude_each_other(store: &Store) {
    let (state, spec) = (&store.state, spec());
    state.create(FUNCTION, "a-b", &spec).await.unwrap();
    for made in [state.create(FUNCTION, "a_b", &spec).await, state.upsert(FUNCTION, "a_b", &spec, |_, _| true).await] {
        assert!(matches!(&made, Err(Error::QueueExists { name, .. }) if name == "a-b"), "{made:?}");
    }
    let same = state.create(FUNCTION, "a-b", &spec).await;
    assert!(matches!(&same, Err(Error::QueueExists { name, .. }) if name == "a-b"), "{same:?}");
    state.create(Kind::Pipeline, "a-b", &Spec::default()).await.unwrap();
    state.create(Kind::Pipeline, "a_b", &Spec::default()).await.unwrap();
    state.delete(FUNCTION, "a-b").await.unwrap();
    state.create(FUNCTION, "a_b", &spec).await.unwrap();
}

pub async fn nothing_is_claimed_from_a_queue_that_is_paused(store: &Store) {
    function(store, &["a", "b"]).await;
    let claimed = take(store, 1).await;
    let paused = store.state.set_paused(FUNCTION, Q, true).await.unwrap();
    assert!(paused.paused && paused == store.state.set_paused(FUNCTION, Q, true).await.unwrap());
    assert!(take(store, 9).await.is_empty());
    assert_eq!(vouch(store, &held(&claimed)).await, [Ok(())], "leases run on");
    assert_eq!(enqueue(store, &["c"]).await, 1);
    assert!(!store.state.set_paused(FUNCTION, Q, false).await.unwrap().paused);
    assert_eq!(take(store, 9).await.len(), 2);
    let none = store.state.set_paused(FUNCTION, "none", true).await;
    assert!(matches!(none, Err(Error::QueueNotFound { .. })), "{none:?}");
}
