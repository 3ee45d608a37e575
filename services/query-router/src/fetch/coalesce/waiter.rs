//! One caller that waits for ids.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{sync::oneshot, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Coalescer, Found, Gathered, Wanted};
use crate::fetch::{failure::Failure, held::Share, id::DocId, place::Place};

/// What a caller gets.
type Answer = Result<Gathered, Failure>;

/// One caller that waits.
pub(super) struct Waiter {
    /// When it stops waiting.
    pub(super) until: Instant,
    /// Its span.
    pub(super) span: tracing::Span,
    gone: CancellationToken,
    waiting: Mutex<Waiting>,
}

struct Waiting {
    gathered: Gathered,
    left: usize,
    tell: Option<oneshot::Sender<Answer>>,
}

impl Waiter {
    /// A caller that waits for `count` ids.
    pub(super) fn new(count: usize, until: Instant) -> (Arc<Self>, oneshot::Receiver<Answer>) {
        let (tell, answer) = oneshot::channel();
        let gathered = Gathered { found: vec![None; count], ..Gathered::default() };
        let waiting = Mutex::new(Waiting { gathered, left: count, tell: Some(tell) });
        let span = tracing::Span::current();
        (Arc::new(Self { until, span, gone: CancellationToken::new(), waiting }), answer)
    }

    /// What was found of the id in `slot`, and the room that it takes, perhaps with others.
    pub(super) fn found(&self, slot: usize, found: Option<Found>, share: Option<&Arc<Share>>, wanted: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let gathered = &mut waiting.gathered;
        let has = |share| gathered.shares.last().is_some_and(|last| Arc::ptr_eq(last, share));
        match share {
            None => gathered.wanted = wanted,
            Some(share) if share.used() == 0 || has(share) => {}
            Some(share) => gathered.shares.push(Arc::clone(share)),
        }
        gathered.found[slot] = found;
        waiting.left -= 1;
        if waiting.left == 0
            && let Some(tell) = waiting.tell.take()
        {
            // An error means that nobody waits any more.
            let _ = tell.send(Ok(std::mem::take(&mut waiting.gathered)));
        }
    }

    /// A query that it waits for failed: the others do not matter any more.
    pub(super) fn failed(&self, failure: Failure) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tell) = waiting.tell.take() {
            let _ = tell.send(Err(failure));
        }
    }

    /// It does not wait any more.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    /// Waits until it does not wait any more.
    pub(super) async fn gone(&self) {
        self.gone.cancelled().await;
    }
}

/// Takes a caller's ids out of the queue when it goes, however it goes.
pub(super) struct Leaving {
    coalescer: Coalescer,
    place: Arc<Place>,
    waiter: Arc<Waiter>,
    ids: Vec<DocId>,
}

impl Leaving {
    pub(super) fn new(coalescer: Coalescer, place: Arc<Place>, waiter: Arc<Waiter>, wanted: &[Wanted]) -> Self {
        Self { coalescer, place, waiter, ids: wanted.iter().map(|one| one.id.clone()).collect() }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.waiter.gone.cancel();
        let mut state = self.coalescer.lock();
        if let Some(lane) = state.lanes.get_mut(&self.place) {
            let left = lane.leave(&self.ids);
            state.waiting -= left;
        }
        state.forget_empty(&self.place);
    }
}
