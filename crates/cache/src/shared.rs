//! What all workers of a process share, and the two breakers.
//!
//! The read breaker opens after failures in a row and is closed only by a probe in the background, so that no caller ever
//! waits for a cache that is known to be away. The write breaker opens with the first message of a write that no replica
//! took: the writes after it do not wait either, and the backlog's deliveries in the background are its probe. Neither
//! looks at the other: a hold is tried while reads are not, and the other way round.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use layer_replicas::{Backoff, Replica, Replicas};
use layer_service::metrics::Metrics;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    backlog::{Backlog, Job, Pushed},
    bypass::BypassSet,
    channels::Dial,
    fill::FillQueue,
    moment::Moment,
    observe::{Observe, Undelivered},
    settings::CacheSettings,
    state::{BreakerState, State, Warmth},
};

/// How many keys a read may ask for in the time of one deadline. Ten thousand rows of 1 KiB are 10 MB: they take tens of
/// milliseconds to travel, and a cache that is well must not be taken for dead.
const KEYS_PER_DEADLINE: usize = 250;
/// How long after a message was sent that no replica took writes need not try. A replica serves nothing for longer than
/// this after holds go through again (doc-cache's `proof.settle_ms`): so whoever did not tell the cache of a write is
/// heard of again before anything is served. docs/adr/0004-cache-coherence.md, "Settling".
const SKIP_FOR: Duration = Duration::from_millis(2500);

/// Shared by every worker.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: CacheSettings,
    pub(crate) observe: Observe,
    pub(crate) replicas: Replicas,
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) bypass: Arc<BypassSet>,
    pub(crate) fills: FillQueue,
    backlog: Mutex<Backlog>,
    /// Reads that failed in a row.
    failures: AtomicU32,
    read_open: AtomicBool,
    write_open: AtomicBool,
    /// When the last message was sent that no replica took.
    pub(crate) refused_at: Mutex<Option<Moment>>,
    /// When the names were last resolved.
    resolved_at: Mutex<Option<Moment>>,
    /// Whether the names were resolved, or tried to be, at least once.
    pub(crate) resolved: watch::Sender<bool>,
    warmth: watch::Sender<Warmth>,
    /// There is a replica to probe.
    pub(crate) probe: Notify,
    /// There is something to deliver, or somebody to deliver it to.
    pub(crate) deliver: Notify,
    /// The backlog has become smaller.
    pub(crate) delivered: Notify,
    pub(crate) stopping: CancellationToken,
}

impl Shared {
    pub(crate) fn new(settings: CacheSettings, metrics: &Metrics, dial: Arc<dyn Dial>) -> Self {
        let bypass = Arc::new(BypassSet::default());
        let backlog = Backlog::new(Arc::clone(&bypass), settings.backlog_keys_max, settings.backlog_namespaces_max);
        Self {
            observe: Observe::new(metrics),
            replicas: Replicas::default(),
            dial,
            bypass,
            fills: FillQueue::new(settings.fill_queue_max, settings.fill_queue_bytes),
            backlog: Mutex::new(backlog),
            failures: AtomicU32::new(0),
            read_open: AtomicBool::new(false),
            write_open: AtomicBool::new(false),
            refused_at: Mutex::default(),
            resolved_at: Mutex::default(),
            resolved: watch::Sender::new(false),
            warmth: watch::Sender::new(Warmth::Cold),
            probe: Notify::new(),
            deliver: Notify::new(),
            delivered: Notify::new(),
            stopping: CancellationToken::new(),
            settings,
        }
    }

    pub(crate) fn enabled(&self) -> bool {
        self.settings.enabled()
    }

    pub(crate) fn backoff(&self) -> Backoff {
        let millis = Duration::from_millis;
        Backoff { min: millis(self.settings.breaker_min_ms), max: millis(self.settings.breaker_max_ms) }
    }

    /// When a read of so many keys that begins now must end.
    pub(crate) fn read_deadline(&self, keys: usize) -> Instant {
        let times = u32::try_from(keys.div_ceil(KEYS_PER_DEADLINE).max(1)).unwrap_or(u32::MAX);
        Instant::now() + Duration::from_millis(self.settings.deadline_ms) * times
    }

    /// When a hold or release that begins now must end.
    pub(crate) fn write_deadline(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.settings.hold_deadline_ms)
    }

    pub(crate) fn read_open(&self) -> bool {
        self.read_open.load(Relaxed)
    }

    /// No replica took the last message of a write.
    pub(crate) fn write_open(&self) -> bool {
        self.write_open.load(Relaxed)
    }

    /// A write need not try to tell the cache: a message that was sent just now did not get there either.
    pub(crate) fn may_skip(&self) -> bool {
        self.write_open() && unpoisoned(&self.refused_at).is_some_and(|sent| sent.age() < SKIP_FOR)
    }

    /// A replica answered a read.
    pub(crate) fn answered(&self, replica: &Replica) {
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        if replica.answered() {
            self.refresh();
        }
    }

    /// A replica failed a read.
    pub(crate) fn failed(&self, replica: &Replica) {
        if replica.failed(self.backoff()) {
            self.probe.notify_one();
        }
    }

    /// A read as a whole failed.
    pub(crate) fn read_failed(&self) {
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        if failures < self.settings.breaker_failures || self.read_open.swap(true, Relaxed) {
            return;
        }
        tracing::warn!(failures, "the document cache is left alone: reads failed in a row");
        for replica in self.replicas.list().iter() {
            replica.shut(self.backoff());
        }
        self.probe.notify_one();
        self.refresh();
    }

    /// A probe was answered, or not.
    pub(crate) fn probed(&self, replica: &Replica, ok: bool) {
        let news = replica.probed(ok, self.backoff());
        if ok {
            if self.read_open.swap(false, Relaxed) {
                tracing::info!("the document cache answers again");
            }
            self.failures.store(0, Relaxed);
        }
        if news {
            tracing::debug!(replica = %replica.address, ok, "a replica of the document cache was probed");
            self.deliver.notify_one();
        }
        self.refresh();
    }

    /// The replicas were these at `asked`.
    pub(crate) fn found(&self, found: &[(SocketAddr, Arc<str>)], asked: Moment) {
        *unpoisoned(&self.resolved_at) = Some(asked);
        if self.replicas.set(found) {
            tracing::info!(replicas = self.replicas.list().len(), "the document cache's replicas have changed");
            self.probe.notify_one();
            self.refresh();
        }
        self.resolved.send_replace(true);
    }

    /// No replica took a write's message in time, which was sent at `sent`.
    pub(crate) fn write_failed(&self, sent: Moment) {
        self.refused(sent);
        if !self.write_open.swap(true, Relaxed) {
            tracing::warn!(
                "the document cache takes no holds: writes go on without, and bypass it for what they change"
            );
            self.refresh();
        }
        self.deliver.notify_one();
    }

    /// Remembers that a message got nowhere. Where no replica is known, that is as old as the look-up of the names.
    fn refused(&self, sent: Moment) {
        let known = !self.replicas.list().is_empty();
        let resolved_at = *unpoisoned(&self.resolved_at);
        let sent = if known { Some(sent) } else { resolved_at.map(|at| at.min(sent)) };
        let mut refused_at = unpoisoned(&self.refused_at);
        *refused_at = sent.max(*refused_at);
    }

    /// A replica took one.
    pub(crate) fn write_answered(&self) {
        if self.write_open.load(Relaxed) && self.write_open.swap(false, Relaxed) {
            tracing::info!("the document cache takes holds again");
            self.refresh();
        }
    }

    pub(crate) fn backlog(&self) -> MutexGuard<'_, Backlog> {
        unpoisoned(&self.backlog)
    }

    /// Leaves a job to the background. What it concerns is bypassed when this returns.
    pub(crate) fn leave(&self, job: Job) {
        let Some(first) = job.messages.front() else { return };
        self.observe.undelivered(if first.opens() { Undelivered::Unknown } else { Undelivered::Release });
        let pushed = self.backlog().push(job);
        self.pushed(pushed);
        self.refresh();
        self.deliver.notify_one();
    }

    pub(crate) fn pushed(&self, pushed: Pushed) {
        match pushed {
            Pushed::Kept => {}
            Pushed::Collapsed => self.observe.undelivered(Undelivered::Overflow),
            Pushed::Lost => {
                self.observe.undelivered(Undelivered::Lost);
                self.bypass.everything(Instant::now() + Duration::from_millis(self.settings.ttl_ms));
            }
        }
    }

    pub(crate) fn state(&self) -> State {
        let (backlog_keys, backlog_namespaces) = self.backlog().sizes();
        State {
            enabled: self.enabled(),
            replicas: self.replicas.list().len(),
            connected: self.replicas.connected(),
            breaker: BreakerState::of(self.read_open()),
            write_breaker: BreakerState::of(self.write_open()),
            backlog_keys,
            backlog_namespaces,
            fill_queue: self.fills.len(),
        }
    }

    /// Brings gauges and watchers to the present state.
    pub(crate) fn refresh(&self) {
        let state = self.state();
        self.observe.state(&state);
        let warmth = state.warmth();
        self.warmth.send_if_modified(|now| std::mem::replace(now, warmth) != warmth);
    }

    /// Waits until the warmth is another than `seen`.
    pub(crate) async fn warmth_changed(&self, seen: Warmth) -> Warmth {
        let mut watched = self.warmth.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        let changed = watched.wait_for(|now| *now != seen).await;
        changed.map_or(seen, |now| *now)
    }
}

fn unpoisoned<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
