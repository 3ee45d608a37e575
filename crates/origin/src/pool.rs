//! Idle connections of one worker.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use hyper::{body::Body, client::conn::http2};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{BoxError, h1::H1};

/// How often idle connections are looked at.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// An HTTP/1.1 connection with its place under the bound.
pub(crate) struct Pooled<B: Body + 'static> {
    pub(crate) connection: H1<B>,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// The pool. The lock is only ever taken by one worker's thread (and never across an await), so it is always free.
pub(crate) struct Pool<B: Body + 'static> {
    /// Newest last: the one used last is the least likely to have been closed.
    idle: Mutex<Vec<H1<B>>>,
    shared: Mutex<Option<http2::SendRequest<B>>>,
    places: Arc<Semaphore>,
    idle_timeout: Duration,
}

impl<B> Pool<B>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(connections_max: usize, idle_timeout: Duration) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(connections_max));
        Arc::new(Self { idle: Mutex::default(), shared: Mutex::new(None), places, idle_timeout })
    }

    /// Where a connection, new or pooled, finds its place.
    pub(crate) fn places(&self) -> &Arc<Semaphore> {
        &self.places
    }

    /// An idle connection that still lives.
    pub(crate) fn take(&self) -> Option<H1<B>> {
        let mut idle = lock(&self.idle);
        while let Some(mut connection) = idle.pop() {
            if connection.idle_since().elapsed() < self.idle_timeout && connection.is_reusable() {
                return Some(connection);
            }
        }
        None
    }

    /// Takes a connection back, if it can be used again.
    pub(crate) fn give_back(&self, mut pooled: Pooled<B>) {
        if pooled.connection.is_reusable() {
            pooled.connection.rest();
            lock(&self.idle).push(pooled.connection);
        }
        drop(pooled.permit);
    }

    /// The shared HTTP/2 connection, if it lives.
    pub(crate) fn shared(&self) -> Option<http2::SendRequest<B>> {
        lock(&self.shared).as_ref().filter(|sender| !sender.is_closed()).cloned()
    }

    pub(crate) fn share(&self, sender: http2::SendRequest<B>) {
        *lock(&self.shared) = Some(sender);
    }

    fn sweep(&self) {
        let now = Instant::now();
        let fresh = |connection: &H1<B>| now.saturating_duration_since(connection.idle_since()) < self.idle_timeout;
        lock(&self.idle).retain_mut(|connection| fresh(connection) && connection.is_reusable());
    }
}

/// Closes connections that the origin closed or that nobody used, until the pool is gone. Nobody polls an idle
/// connection, so without this its socket would stay half closed.
pub(crate) async fn sweep<B>(pool: Weak<Pool<B>>)
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let mut looks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        looks.tick().await;
        match pool.upgrade() {
            Some(pool) => pool.sweep(),
            None => return,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
