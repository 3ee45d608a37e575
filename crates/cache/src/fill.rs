//! Storing values, in the background and as best it goes.
//!
//! Callers hand over and go on. The queue is bounded in values and in bytes, and what finds it full is dropped: a cache
//! that is not filled costs a miss, a queue without end costs the process.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, TryFutureExt, stream::FuturesUnordered};
use layer_proto::cache::v1::{self, BatchFillRequest, FillStatus};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{
    bypass::Bypassed,
    cache::Cache,
    call::{call, left},
    channels::Channels,
    error::{Away, NotStored},
    key::Key,
    message::within,
    namespaces::Policies,
    observe::{FillEnd, Operation},
    pack::{BODY_BYTES_MAX, pack},
    scope::Scope,
    shared::Shared,
    value::Fill,
};

/// Values of one call at the most.
const FILLS_MAX: usize = 1000;
/// Bytes of one call at the most, uncompressed; a larger value travels alone.
const FILL_BYTES: usize = 1024 * 1024;
/// Calls at a time: enough to keep one replica busy while the next batch is packed.
const SENDERS: usize = 4;
/// Nobody waits for it, but a call that hangs keeps others from going.
const FILL_DEADLINE: Duration = Duration::from_secs(1);
/// How often who waits for room looks whether the cache is still there.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What waits to be stored.
#[derive(Debug)]
pub(crate) struct FillQueue {
    max: usize,
    bytes_max: usize,
    waiting: Mutex<Waiting>,
    came: Notify,
    /// A batch was taken out.
    went: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    fills: VecDeque<(Scope, Fill)>,
    bytes: usize,
}

/// Against the bound: the value, its key and lease.
fn weight(fill: &Fill) -> usize {
    fill.body.data.len() + fill.key.as_bytes().len() + fill.lease.0.len()
}

impl FillQueue {
    pub(crate) fn new(max: usize, bytes_max: usize) -> Self {
        Self { max, bytes_max, waiting: Mutex::default(), came: Notify::new(), went: Notify::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().fills.len()
    }

    /// Puts values in while there is room. Returns how many were dropped.
    fn push(&self, scope: &Scope, fills: Vec<Fill>) -> usize {
        let mut waiting = self.lock();
        let mut dropped = 0;
        for fill in fills {
            let bytes = waiting.bytes + weight(&fill);
            if waiting.fills.len() >= self.max || bytes > self.bytes_max {
                dropped += 1;
                continue;
            }
            waiting.bytes = bytes;
            waiting.fills.push_back((scope.clone(), fill));
        }
        drop(waiting);
        self.came.notify_one();
        dropped
    }

    /// Puts values in while less than half of the room is taken, one at least where nothing waits; leaves the rest in
    /// `fills`. The other half is for those who do not wait.
    fn push_patiently(&self, scope: &Scope, fills: &mut VecDeque<Fill>) {
        let mut waiting = self.lock();
        while let Some(fill) = fills.front() {
            let bytes = waiting.bytes + weight(fill);
            let room = waiting.fills.len() < self.max / 2 && bytes <= self.bytes_max / 2;
            if !room && !waiting.fills.is_empty() {
                break;
            }
            waiting.bytes = bytes;
            waiting.fills.extend(fills.pop_front().map(|fill| (scope.clone(), fill)));
        }
        drop(waiting);
        self.came.notify_one();
    }

    /// The next batch: values of one scope.
    fn take(&self) -> Option<(Scope, Vec<Fill>)> {
        let mut waiting = self.lock();
        let scope = waiting.fills.front()?.0.clone();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some((of, fill)) = waiting.fills.front() {
            let more = weight(fill);
            if *of != scope || batch.len() == FILLS_MAX || (bytes + more > FILL_BYTES && !batch.is_empty()) {
                break;
            }
            bytes += more;
            batch.extend(waiting.fills.pop_front().map(|(_, fill)| fill));
        }
        waiting.bytes -= bytes;
        drop(waiting);
        self.went.notify_waiters();
        Some((scope, batch))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Cache::fill`](crate::Cache::fill).
pub(crate) fn fill(shared: &Shared, scope: &Scope, fills: Vec<Fill>) {
    if fills.is_empty() || !shared.enabled() {
        return;
    }
    if shared.read_open() || shared.replicas.connected() == 0 {
        return shared.observe.filled(FillEnd::Away, fills.len());
    }
    let dropped = shared.fills.push(scope, fills);
    if dropped > 0 {
        shared.observe.filled(FillEnd::Dropped, dropped);
    }
}

/// See [`Cache::fill_patiently`](crate::Cache::fill_patiently).
pub(crate) async fn fill_patiently(shared: &Shared, scope: &Scope, fills: Vec<Fill>) -> usize {
    let too_large = |fill: &Fill| fill.body.data.len() > BODY_BYTES_MAX;
    let count = fills.len();
    let mut fills: VecDeque<Fill> = fills.into_iter().filter(|fill| !too_large(fill)).collect();
    shared.observe.filled(FillEnd::TooLarge, count - fills.len());
    let count = fills.len();
    while !fills.is_empty() && !shared.stopping.is_cancelled() {
        if !shared.enabled() || shared.read_open() || shared.replicas.connected() == 0 {
            shared.observe.filled(FillEnd::Away, fills.len());
            break;
        }
        let mut room = std::pin::pin!(shared.fills.went.notified());
        room.as_mut().enable();
        shared.fills.push_patiently(scope, &mut fills);
        if !fills.is_empty() {
            // The cache may go away meanwhile, and then nobody makes room.
            let _ = timeout(LOOK_AGAIN, room).await;
        }
    }
    count - fills.len()
}

/// See [`Cache::store`](crate::Cache::store).
pub(crate) async fn store_now(cache: &Cache, scope: &Scope, fills: Vec<Fill>) -> Vec<Result<(), NotStored>> {
    let mut outcomes = Vec::with_capacity(fills.len());
    let mut fills = fills.into_iter().peekable();
    while fills.peek().is_some() {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(fill) = fills.next_if(|fill| batch.is_empty() || bytes + weight(fill) <= FILL_BYTES) {
            bytes += weight(&fill);
            batch.push(fill);
        }
        outcomes.extend(store_batch(cache, scope, batch).await);
    }
    outcomes
}

async fn store_batch(cache: &Cache, scope: &Scope, batch: Vec<Fill>) -> Vec<Result<(), NotStored>> {
    let (shared, count) = (&cache.shared, batch.len());
    let large: Vec<bool> = batch.iter().map(|fill| fill.body.data.len() > BODY_BYTES_MAX).collect();
    shared.observe.filled(FillEnd::TooLarge, large.iter().filter(|large| **large).count());
    let fits: Vec<_> = batch.into_iter().zip(&large).filter(|(_, large)| !**large).map(|(fill, _)| fill).collect();
    let sent = if fits.is_empty() { Ok(Vec::new()) } else { send_now(cache, scope, fits).await };
    match sent {
        Ok(statuses) => {
            let mut statuses = statuses.into_iter();
            let outcome = |large| match large {
                true => Err(NotStored::TooLarge),
                false => statuses.next().map_or(Err(NotStored::Away(Away::Failed)), stored),
            };
            large.into_iter().map(outcome).collect()
        }
        Err(away) => vec![Err(away); count],
    }
}

async fn send_now(cache: &Cache, scope: &Scope, fits: Vec<Fill>) -> Result<Vec<i32>, NotStored> {
    let (shared, count) = (&cache.shared, fits.len());
    let away = |away| {
        shared.observe.filled(FillEnd::Away, count);
        Err(NotStored::Away(away))
    };
    if let Some(reason) = cache.away() {
        return away(reason);
    }
    let fills = fits.into_iter().map(|fill| message(shared, fill)).collect();
    let request = BatchFillRequest { scope: Some(scope.message()), fills, namespace_max_bytes: 0 };
    match send(shared, &cache.channels, request).await {
        Ok(statuses) if statuses.len() == count => {
            statuses.iter().for_each(|status| shared.observe.filled(end(*status), 1));
            Ok(statuses)
        }
        Ok(_) => away(Away::Failed),
        Err(reason) => away(reason),
    }
}

fn stored(status: i32) -> Result<(), NotStored> {
    match end(status) {
        FillEnd::Stored => Ok(()),
        FillEnd::LeaseEnded => Err(NotStored::LeaseEnded),
        FillEnd::TooLarge => Err(NotStored::TooLarge),
        FillEnd::StopWrites => Err(NotStored::StopWrites),
        FillEnd::OverQuota => Err(NotStored::OverQuota),
        _ => Err(NotStored::Away(Away::Failed)),
    }
}

/// Sends what waits, for ever.
pub(crate) async fn run(shared: Arc<Shared>, channels: Arc<Channels>) {
    // The service does not start with rules that cannot be read.
    let policies = Policies::new(&shared.settings).unwrap_or_default();
    let mut flying = FuturesUnordered::new();
    loop {
        if flying.len() < SENDERS
            && let Some((scope, batch)) = shared.fills.take()
        {
            flying.push(store(&shared, &channels, &policies, scope, batch));
            continue;
        }
        tokio::select! {
            Some(()) = flying.next() => {}
            () = shared.fills.came.notified(), if flying.len() < SENDERS => {}
        }
    }
}

async fn store(shared: &Shared, channels: &Channels, policies: &Policies, scope: Scope, batch: Vec<Fill>) {
    let batch = admitted(shared, &scope, batch);
    if batch.is_empty() {
        return;
    }
    let count = batch.len();
    let fills = batch.into_iter().map(|fill| message(shared, fill)).collect();
    let namespace_max_bytes = policies.of(scope.namespace()).max_bytes.unwrap_or(0);
    let request = BatchFillRequest { scope: Some(scope.message()), fills, namespace_max_bytes };
    let statuses = send(shared, channels, request).await;
    match statuses {
        Ok(statuses) if statuses.len() == count => {
            statuses.iter().for_each(|status| shared.observe.filled(end(*status), 1))
        }
        _ => shared.observe.filled(FillEnd::Failed, count),
    }
}

/// Without what must not or cannot be stored.
fn admitted(shared: &Shared, scope: &Scope, mut batch: Vec<Fill>) -> Vec<Fill> {
    let count = batch.len();
    batch.retain(|fill| fill.body.data.len() <= BODY_BYTES_MAX);
    shared.observe.filled(FillEnd::TooLarge, count - batch.len());
    let keys: Vec<Key> = batch.iter().map(|fill| fill.key.clone()).collect();
    let count = batch.len();
    match shared.bypass.check(scope, &keys) {
        Bypassed::None => {}
        Bypassed::All => batch.clear(),
        Bypassed::These(these) => {
            let mut these = these.into_iter();
            batch.retain(|_| !these.next().unwrap_or(true));
        }
    }
    shared.observe.filled(FillEnd::Bypassed, count - batch.len());
    batch
}

fn message(shared: &Shared, fill: Fill) -> v1::Fill {
    let settings = &shared.settings;
    let default = if fill.body.is_absent() { settings.absent_ttl_ms } else { settings.ttl_ms };
    let ttl = fill.ttl.map_or(default, |ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    v1::Fill {
        id: fill.key.bytes(),
        lease: Some(v1::Lease { token: fill.lease.0 }),
        body: Some(pack(fill.body, settings.compress_min_bytes)),
        // 0 would be the cache's own default.
        ttl_ms: ttl.clamp(1, settings.ttl_ms),
    }
}

async fn send(shared: &Shared, channels: &Channels, request: BatchFillRequest) -> Result<Vec<i32>, Away> {
    let replica = shared.replicas.pick(None).ok_or(Away::NoReplica)?;
    let mut client = channels.client(&shared.replicas, &replica).ok_or(Away::Failed)?;
    let until = Instant::now() + FILL_DEADLINE;
    let sent = client.batch_fill(within(request, left(until))).map_ok(|answer| answer.into_inner().statuses);
    call(&shared.observe, Operation::Fill, until, sent).await
}

fn end(status: i32) -> FillEnd {
    match FillStatus::try_from(status) {
        Ok(FillStatus::Stored) => FillEnd::Stored,
        Ok(FillStatus::LeaseEnded) => FillEnd::LeaseEnded,
        Ok(FillStatus::TooLarge) => FillEnd::TooLarge,
        Ok(FillStatus::StopWrites) => FillEnd::StopWrites,
        Ok(FillStatus::OverQuota) => FillEnd::OverQuota,
        _ => FillEnd::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        scope::Kind,
        value::{Body, LeaseToken},
    };

    fn fill_of(bytes: usize) -> Fill {
        let (key, lease) = (Key::uint(1), LeaseToken(bytes::Bytes::from_static(b"1")));
        Fill { key, lease, body: Body::document(vec![b' '; bytes - 10]), ttl: None }
    }

    fn scope(namespace: &str) -> Scope {
        Scope::new("t", namespace, Kind::Document).unwrap()
    }

    #[test]
    fn the_queue_is_bounded_in_values_and_in_bytes() {
        let queue = FillQueue::new(3, 1000);
        assert_eq!(queue.push(&scope("n"), vec![fill_of(400), fill_of(400), fill_of(400)]), 1);
        assert_eq!(queue.push(&scope("n"), vec![fill_of(100), fill_of(10)]), 1);
        assert_eq!(queue.len(), 3);
        queue.take();
        assert_eq!((queue.len(), queue.lock().bytes), (0, 0));
    }

    #[test]
    fn who_waits_for_room_leaves_half_of_it_to_others() {
        let queue = FillQueue::new(4, 1000);
        let mut fills: VecDeque<Fill> = (0..3).map(|_| fill_of(100)).collect();
        queue.push_patiently(&scope("n"), &mut fills);
        assert_eq!((queue.len(), fills.len()), (2, 1));
        assert_eq!(queue.push(&scope("n"), vec![fill_of(100)]), 0);
        queue.push_patiently(&scope("n"), &mut fills);
        assert_eq!(fills.len(), 1);
        queue.take();
        fills.push_front(fill_of(900));
        queue.push_patiently(&scope("n"), &mut fills);
        assert_eq!((queue.len(), fills.len()), (1, 1), "a large one goes alone");
    }

    #[test]
    fn batches_are_of_one_scope_and_bounded() {
        let queue = FillQueue::new(10_000, usize::MAX);
        queue.push(&scope("n"), (0..1500).map(|_| fill_of(20)).collect());
        queue.push(&scope("m"), vec![fill_of(FILL_BYTES + 1), fill_of(FILL_BYTES - 10), fill_of(11), fill_of(11)]);
        let next = || queue.take().map(|(scope, batch)| (scope.namespace().to_owned(), batch.len()));
        let sizes: Vec<_> = std::iter::from_fn(next).collect();
        let expected = [("n", 1000), ("n", 500), ("m", 1), ("m", 1), ("m", 2)];
        assert_eq!(sizes, expected.map(|(scope, count)| (scope.to_owned(), count)));
    }
}
