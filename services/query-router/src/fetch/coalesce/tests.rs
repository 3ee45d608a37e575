//! The coalescer over an origin that answers when the test says so, in paused time.

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::*;
use crate::fetch::{held::Bound, origin::measured, row::Row};

/// A query as the origin got it, and the way to answer it.
struct Sent {
    query: Query,
    reply: oneshot::Sender<Result<Landing, Failure>>,
}

impl Sent {
    fn ids(&self) -> Vec<DocId> {
        self.query.wanted.iter().map(|one| one.id.clone()).collect()
    }

    /// Answers every id with a row that carries `value`.
    fn answer(self, value: u32) {
        let found = self.query.wanted.iter().map(|one| Some(Some(row(&one.id, value)))).collect();
        let _ = self.reply.send(Ok(Landing { found, share: Bound::new(1).share(), wanted: 0 }));
    }

    fn fail(self) {
        let _ = self.reply.send(Err(Failure::Upstream("down".to_owned())));
    }
}

#[derive(Clone)]
struct FakeOrigin(mpsc::UnboundedSender<Sent>);

impl Asker for FakeOrigin {
    async fn ask(&self, query: Query) -> Result<Landing, Failure> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Sent { query, reply }).map_err(|_| Failure::Timeout)?;
        answer.await.unwrap_or(Err(Failure::Timeout))
    }
}

struct Bench {
    coalescer: Coalescer,
    origin: FakeOrigin,
    sent: mpsc::UnboundedReceiver<Sent>,
    place: Arc<Place>,
}

const BOUNDS: Bounds =
    Bounds { window: Duration::from_millis(1), query_ids: 100, place_queries: 4, queries: 8, waiting: 1000 };

fn bench(bounds: Bounds) -> Bench {
    let (origin, sent) = mpsc::unbounded_channel();
    Bench { coalescer: Coalescer::new(bounds), origin: FakeOrigin(origin), sent, place: place("a") }
}

fn place(namespace: &str) -> Arc<Place> {
    Arc::new(Place { namespace: namespace.to_owned(), authorization: None, by_key: false, scope: None, ttl: None })
}

fn row(id: &DocId, value: u32) -> Row {
    let json = format!("{{\"id\":{},\"v\":{value}}}", id.json());
    Row::of_origin(&serde_json::from_str::<Box<RawValue>>(&json).unwrap()).unwrap().1
}

/// A row of about so many bytes.
fn sized(id: &DocId, bytes: usize) -> Row {
    let json = format!("{{\"id\":{},\"v\":\"{}\"}}", id.json(), "x".repeat(bytes));
    Row::of_origin(&serde_json::from_str::<Box<RawValue>>(&json).unwrap()).unwrap().1
}

fn uint(number: u64) -> DocId {
    DocId::Uint(number)
}

fn text(text: &str) -> DocId {
    DocId::Text(text.into())
}

type Reading = JoinHandle<Result<Gathered, Failure>>;

impl Bench {
    fn read(&self, ids: &[DocId]) -> Reading {
        self.read_in(&self.place, ids, Duration::from_secs(60))
    }

    fn read_in(&self, place: &Arc<Place>, ids: &[DocId], patience: Duration) -> Reading {
        let wanted = ids.iter().map(|id| Wanted { id: id.clone(), lease: None }).collect();
        let (coalescer, origin, place) = (self.coalescer.clone(), self.origin.clone(), Arc::clone(place));
        tokio::spawn(async move { coalescer.read(&origin, &place, wanted, Instant::now() + patience).await })
    }

    async fn next(&mut self) -> Sent {
        tokio::time::timeout(Duration::from_secs(5), self.sent.recv()).await.expect("a query is sent").unwrap()
    }

    /// Lets everything run that can, without letting time pass.
    async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    /// The clock moves when nobody can do anything else: then nothing comes of its own.
    async fn silent(&mut self) {
        let query = tokio::time::timeout(Duration::from_millis(100), self.sent.recv()).await;
        assert!(query.is_err(), "no query may be sent now");
    }

    /// Nothing is kept of what is over, once the last window is.
    async fn assert_empty(&mut self) {
        self.silent().await;
        let state = self.coalescer.lock();
        assert_eq!((state.lanes.len(), state.flights, state.waiting, state.starved.len()), (0, 0, 0, 0));
    }
}

async fn values(reading: Reading) -> Vec<Found> {
    reading.await.unwrap().unwrap().found.into_iter().map(|found| found.expect("there is room")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lone_miss_does_not_wait() {
    let mut bench = bench(BOUNDS);
    let began = Instant::now();
    let reading = bench.read(&[uint(1)]);
    let sent = bench.next().await;
    assert_eq!((Instant::now(), sent.ids()), (began, vec![uint(1)]));
    sent.answer(7);
    assert_eq!(values(reading).await, [Some(row(&uint(1), 7))]);
    bench.assert_empty().await;
}

/// DESIGN's rule 3: the query in flight may have read the row before the write that the second caller knows of.
#[tokio::test(start_paused = true)]
async fn nobody_is_answered_by_a_query_that_was_sent_before_it_came() {
    let mut bench = bench(BOUNDS);
    let before = bench.read(&[uint(1)]);
    let old = bench.next().await;
    let after = bench.read(&[uint(1)]);
    bench.silent().await;
    old.answer(1);
    assert_eq!(values(before).await, [Some(row(&uint(1), 1))]);
    bench.next().await.answer(2);
    assert_eq!(values(after).await, [Some(row(&uint(1), 2))]);
}

#[tokio::test(start_paused = true)]
async fn an_id_is_in_flight_once_however_many_wait_and_all_join_the_next() {
    let mut bench = bench(BOUNDS);
    let first = bench.read(&[uint(1)]);
    let flying = bench.next().await;
    let others: Vec<Reading> = (0..20).map(|_| bench.read(&[uint(1), uint(2)])).collect();
    let second = bench.next().await;
    assert_eq!(second.ids(), [uint(2)]);
    second.answer(5);
    bench.silent().await;
    flying.answer(1);
    let third = bench.next().await;
    assert_eq!(third.ids(), [uint(1)]);
    third.answer(6);
    for other in others {
        assert_eq!(values(other).await, [Some(row(&uint(1), 6)), Some(row(&uint(2), 5))]);
    }
    values(first).await;
    bench.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_joins_into_few_queries() {
    let mut bench = bench(BOUNDS);
    let readings: Vec<Reading> = (0..50).map(|id| bench.read(&[uint(id)])).collect();
    let (first, second) = (bench.next().await, bench.next().await);
    assert_eq!((first.ids().len(), second.ids().len()), (1, 49));
    second.answer(1);
    first.answer(1);
    for reading in readings {
        values(reading).await;
    }
}

#[tokio::test(start_paused = true)]
async fn queries_are_bounded_in_ids_and_in_number() {
    let mut bench = bench(Bounds { query_ids: 10, place_queries: 2, queries: 3, ..BOUNDS });
    let ids: Vec<DocId> = (0..50).map(uint).collect();
    let (a, b) = (bench.read(&ids), bench.read_in(&place("b"), &ids, Duration::from_secs(60)));
    let mut flying: Vec<Sent> = vec![bench.next().await, bench.next().await, bench.next().await];
    assert!(flying.iter().all(|sent| sent.ids().len() == 10));
    assert_eq!(flying.iter().filter(|sent| sent.query.place.namespace == "a").count(), 2);
    let mut queries = 3;
    while let Some(sent) = flying.pop() {
        bench.silent().await;
        sent.answer(1);
        if queries < 10 {
            flying.insert(0, bench.next().await);
            queries += 1;
        }
    }
    assert_eq!((values(a).await.len(), values(b).await.len()), (50, 50));
    bench.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn ids_of_different_types_and_spellings_of_one_uuid_are_not_asked_for_together() {
    let mut bench = bench(BOUNDS);
    let (lower, upper) = (text("67e55044-10b1-426f-9247-bb680e5fe0c8"), text("67E55044-10B1-426F-9247-BB680E5FE0C8"));
    let reading = bench.read(&[uint(1), text("x"), lower.clone(), upper.clone(), uint(2)]);
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(bench.next().await);
    }
    let ids: Vec<_> = sent.iter().map(Sent::ids).collect();
    assert_eq!(ids, [vec![uint(1), uint(2)], vec![text("x")], vec![lower.clone()]]);
    bench.silent().await;
    sent.into_iter().for_each(|sent| sent.answer(1));
    let last = bench.next().await;
    assert_eq!(last.ids(), std::slice::from_ref(&upper));
    last.answer(2);
    let found = values(reading).await;
    assert_eq!((&found[2], &found[3]), (&Some(row(&lower, 1)), &Some(row(&upper, 2))));
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_disturbs_nobody_and_the_last_one_takes_the_query_along() {
    let mut bench = bench(BOUNDS);
    let (stays, goes) = (bench.read(&[uint(1)]), bench.read(&[uint(1)]));
    let first = bench.next().await;
    goes.abort();
    bench.settle().await;
    first.answer(1);
    assert_eq!(values(stays).await, [Some(row(&uint(1), 1))]);
    bench.silent().await;
    let began = Instant::now();
    let (one, two) = (bench.read(&[uint(1)]), bench.read(&[uint(2)]));
    let (mut first, mut second) = (bench.next().await, bench.next().await);
    one.abort();
    first.reply.closed().await;
    two.abort();
    second.reply.closed().await;
    assert!(began.elapsed() < Duration::from_secs(1), "it is dropped at once, not when its time is up");
    bench.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_short_patience_ends_alone() {
    let mut bench = bench(BOUNDS);
    let place = Arc::clone(&bench.place);
    let first = bench.read(&[uint(9)]);
    let ahead = bench.next().await;
    let short = bench.read_in(&place, &[uint(1)], Duration::from_millis(50));
    let long = bench.read(&[uint(1)]);
    let sent = bench.next().await;
    assert!(matches!(short.await.unwrap(), Err(Failure::Timeout)));
    sent.answer(3);
    assert_eq!(values(long).await, [Some(row(&uint(1), 3))]);
    ahead.answer(1);
    values(first).await;
    let hopeless = bench.read_in(&place, &[uint(1)], Duration::from_millis(50));
    let mut sent = bench.next().await;
    sent.reply.closed().await;
    assert!(matches!(hopeless.await.unwrap(), Err(Failure::Timeout)));
    bench.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_those_who_waited_for_it_and_the_next_query_is_sent() {
    let mut bench = bench(BOUNDS);
    let first = bench.read(&[uint(1)]);
    let flying = bench.next().await;
    let second = bench.read(&[uint(1)]);
    bench.settle().await;
    flying.fail();
    assert!(matches!(first.await.unwrap(), Err(Failure::Upstream(_))));
    bench.next().await.answer(1);
    values(second).await;
    bench.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn too_many_waiting_ids_are_refused_and_places_come_back() {
    let mut bench = bench(Bounds { waiting: 3, ..BOUNDS });
    let first = bench.read(&[uint(1)]);
    let flying = bench.next().await;
    let waiting = bench.read(&[uint(1), uint(1), uint(1)]);
    bench.settle().await;
    assert!(matches!(bench.read(&[uint(1)]).await.unwrap(), Err(Failure::Waiting { limit: 3 })));
    waiting.abort();
    bench.settle().await;
    let waiting = bench.read(&[uint(1)]);
    bench.settle().await;
    flying.answer(1);
    values(first).await;
    bench.next().await.answer(2);
    values(waiting).await;
    bench.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn keys_of_different_callers_never_join_where_the_origin_decides_on_them() {
    let mut bench = bench(BOUNDS);
    let of = |key: &'static str, by_key| {
        let authorization = Some(http::HeaderValue::from_static(key));
        Arc::new(Place { namespace: "a".to_owned(), authorization, by_key, scope: None, ttl: None })
    };
    let patience = Duration::from_secs(60);
    let readings = ["one", "two", "two"].map(|key| bench.read_in(&of(key, true), &[uint(1)], patience));
    let mut keys = Vec::new();
    for _ in 0..2 {
        let sent = bench.next().await;
        keys.push(sent.query.place.authorization.clone().unwrap());
        sent.answer(1);
    }
    assert_eq!(keys, ["one", "two"]);
    bench.settle().await;
    // The second `two` came before the first was sent, or else it waits for a query of its own.
    while let Ok(sent) = bench.sent.try_recv() {
        sent.answer(1);
    }
    for reading in readings {
        values(reading).await;
    }
    let readings = ["one", "two"].map(|key| bench.read_in(&of(key, false), &[uint(1)], patience));
    bench.next().await.answer(1);
    bench.next().await.answer(1);
    for reading in readings {
        values(reading).await;
    }
    assert!(bench.sent.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_query_whose_task_dies_still_tells_those_who_wait() {
    #[derive(Clone)]
    struct Panics;
    impl Asker for Panics {
        async fn ask(&self, _: Query) -> Result<Landing, Failure> {
            panic!("on purpose")
        }
    }
    let coalescer = Coalescer::new(BOUNDS);
    let wanted = vec![Wanted { id: uint(1), lease: None }];
    let until = Instant::now() + Duration::from_secs(60);
    let result = coalescer.read(&Panics, &place("a"), wanted, until).await;
    assert!(matches!(result, Err(Failure::Upstream(_))));
    assert_eq!(coalescer.lock().flights, 0);
}

#[tokio::test(start_paused = true)]
async fn who_there_was_room_for_is_answered_and_the_room_is_kept_once_by_all() {
    let mut bench = bench(BOUNDS);
    let first = bench.read(&[uint(9)]);
    let ahead = bench.next().await;
    let readings = [vec![uint(1), uint(2)], vec![uint(1)], vec![uint(3)]].map(|ids| bench.read(&ids));
    let sent = bench.next().await;
    assert_eq!(sent.ids(), [uint(1), uint(2), uint(3)]);
    let (bound, mut found) = (Bound::new(1 << 20), vec![Some(Some(row(&uint(1), 7))), Some(None)]);
    found.push(None);
    let mut share = bound.share();
    assert!(share.take(measured(found.iter().flatten()).1));
    share.shrink_to(share.used());
    let _ = sent.reply.send(Ok(Landing { found, share, wanted: 7 }));
    let mut gathered = Vec::new();
    for reading in readings {
        gathered.push(reading.await.unwrap().unwrap());
    }
    let found =
        |one: &Gathered| (one.found.iter().filter(|found| found.is_some()).count(), one.shares.len(), one.wanted);
    assert_eq!(gathered.iter().map(found).collect::<Vec<_>>(), [(2, 1, 0), (1, 1, 0), (0, 0, 7)]);
    gathered.swap_remove(0);
    assert!(!bound.share().take(1 << 20), "the other still has its row");
    drop(gathered);
    assert!(bound.share().take(1 << 20));
    ahead.answer(1);
    values(first).await;
}

/// Who is slow with one small row must not keep the room of a flight that it shared with others.
#[tokio::test(start_paused = true)]
async fn each_keeps_the_room_of_its_own_rows_only() {
    let mut bench = bench(BOUNDS);
    let first = bench.read(&[uint(9)]);
    let ahead = bench.next().await;
    let readings = [vec![uint(1), uint(4)], vec![uint(2), uint(4)], vec![uint(3)]].map(|ids| bench.read(&ids));
    let sent = bench.next().await;
    let large = |id: &DocId| Some(Some(sized(id, if *id == uint(3) { 100 } else { 64 * 1024 })));
    let found: Vec<_> = sent.ids().iter().map(large).collect();
    let (bound, bytes) = (Bound::new(1 << 20), measured(found.iter().flatten()).1);
    let mut share = bound.share();
    assert!(share.take(bytes));
    let _ = sent.reply.send(Ok(Landing { found, share, wanted: 0 }));
    let mut gathered = Vec::new();
    for reading in readings {
        gathered.push(reading.await.unwrap().unwrap());
    }
    let spare = || bound.share().spare() / 1024;
    let units = |rows: u64| 1024 - rows * (bytes / 3 / 1024);
    let near = |rows| (units(rows).saturating_sub(3)..=units(rows) + 3).contains(&spare());
    assert!(near(3), "{}", spare());
    gathered.swap_remove(0);
    assert!(near(2), "the row of both is still there: {}", spare());
    gathered.pop();
    assert!(near(0), "the slow one has one small row: {}", spare());
    drop(gathered);
    assert_eq!(spare(), 1024);
    ahead.answer(1);
    values(first).await;
}
