//! What runs in the background: resolving, probing, delivering, filling. Every loop ends when the service stops.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::{TryFutureExt, future::join_all};
use layer_proto::cache::v1::GetRequest;
use layer_replicas::{Backoff, Health, Names, Probed, Replica, Resolve, innermost, watch};
use tokio::time::{Instant, sleep};

use crate::{
    backlog::{Backlog, Taken},
    call::{call, left},
    channels::Channels,
    deliver::{Stuck, deliver, deliver_next},
    error::Away,
    key::Key,
    message::{Message, within},
    moment::Moment,
    observe::Operation,
    scope::{Kind, Scope},
    shared::Shared,
};

/// Namespace of the keys that probes use. If it exists at the origin, a probe takes nothing from it but a record.
const PROBE_NAMESPACE: &str = "hevlayer-probe";
/// Deliveries at a time while the cache takes them.
const DELIVERIES: usize = 16;
/// The first pause after a delivery has failed; it doubles
const RETRY_MIN: Duration = Duration::from_millis(50);
/// up to this: with the time that a delivery may take it is less than what `Shared::may_skip` relies on. A replica that
/// appears ends it at once.
const RETRY_MAX: Duration = Duration::from_millis(250);
/// How often names are resolved while no replica answers: one that comes back must be found before it serves.
const RESOLVE_URGENT: Duration = Duration::from_millis(500);

/// Starts every loop on the present runtime.
pub(crate) fn start(shared: &Arc<Shared>, resolver: Arc<dyn Resolve>) {
    let channels = Arc::new(Channels::new(Arc::clone(&shared.dial)));
    spawn(shared, resolve(Arc::clone(shared), resolver));
    spawn(shared, probe(Arc::clone(shared), Arc::clone(&channels)));
    spawn(shared, retry(Arc::clone(shared), Arc::clone(&channels)));
    spawn(shared, crate::fill::run(Arc::clone(shared), channels));
}

fn spawn(shared: &Shared, task: impl Future<Output = ()> + Send + 'static) {
    let stopping = shared.stopping.clone();
    tokio::spawn(async move { stopping.run_until_cancelled(task).await });
}

/// Follows the names.
async fn resolve(shared: Arc<Shared>, resolver: Arc<dyn Resolve>) {
    let mut names = Names::new("doc-cache", &shared.settings.addresses);
    loop {
        let asked = Moment::now();
        let found = names.look_up(&*resolver, &shared.replicas).await;
        shared.found(&found, asked);
        let interval = Duration::from_millis(shared.settings.resolve_interval_ms);
        let calm = shared.replicas.connected() > 0 && !shared.write_open();
        sleep(if calm { interval } else { interval.min(RESOLVE_URGENT) }).await;
    }
}

/// Probes replicas when they are due.
async fn probe(shared: Arc<Shared>, channels: Arc<Channels>) {
    let one = |replica| probe_one(Arc::clone(&shared), Arc::clone(&channels), replica);
    watch("doc-cache", &shared.replicas, &shared.probe, one).await;
}

/// Asks twice: the first call may connect, the second must keep the deadline that callers have.
///
/// Gives why it failed, if it did.
async fn probe_one(shared: Arc<Shared>, channels: Arc<Channels>, replica: Arc<Replica>) -> Probed {
    let patience = Duration::from_millis(shared.settings.connect_timeout_ms + shared.settings.deadline_ms);
    let up = replica.health() == Health::Up;
    let mut cause = None;
    let mut answer = ask(&shared, &channels, &replica, Instant::now() + patience, &mut cause).await;
    if answer.is_ok() && !up {
        answer = ask(&shared, &channels, &replica, shared.read_deadline(1), &mut cause).await;
    }
    shared.probed(&replica, answer.is_ok());
    let failed = answer.is_err().then(|| cause.unwrap_or_else(|| "no answer in time".to_owned()));
    (replica, failed)
}

fn probe_scope(shared: &Shared) -> Option<Scope> {
    Scope::new(&shared.settings.tenant, PROBE_NAMESPACE, Kind::Document).ok()
}

async fn ask(
    shared: &Shared,
    channels: &Channels,
    replica: &Replica,
    until: Instant,
    cause: &mut Option<String>,
) -> Result<(), Away> {
    let mut client = channels.client(&shared.replicas, replica).ok_or(Away::Failed)?;
    let request = GetRequest { scope: probe_scope(shared).map(|scope| scope.message()), id: Key::uint(0).bytes() };
    let asked = client.get(within(request, left(until))).inspect_err(|status| *cause = innermost(status));
    call(&shared.observe, Operation::Probe, until, asked).await.map(drop)
}

/// Delivers the backlog, and probes on behalf of the write breaker when there is none.
async fn retry(shared: Arc<Shared>, channels: Arc<Channels>) {
    let mut pause = RETRY_MIN;
    loop {
        if shared.backlog().is_empty() && !shared.write_open() {
            shared.deliver.notified().await;
            continue;
        }
        let at_once = if shared.write_open() { 1 } else { DELIVERIES };
        let taken: Vec<Taken> = std::iter::from_fn(|| shared.backlog().take()).take(at_once).collect();
        let delivered = match taken.is_empty() {
            true => try_write(&shared, &channels).await,
            false => {
                let tried = join_all(taken.into_iter().map(|taken| redeliver(&shared, &channels, taken))).await;
                tried.into_iter().any(|delivered| delivered)
            }
        };
        shared.refresh();
        shared.delivered.notify_waiters();
        if delivered {
            pause = RETRY_MIN;
            continue;
        }
        let wait = Backoff::jittered(pause);
        pause = (pause * 2).min(RETRY_MAX);
        tokio::select! {
            () = sleep(wait) => {}
            () = appeared(&shared) => pause = RETRY_MIN,
        }
    }
}

/// Returns when the cache has become warm. New jobs are no reason to try sooner.
async fn appeared(shared: &Shared) {
    match shared.state().warmth() {
        crate::state::Warmth::Warm => std::future::pending().await,
        cold => drop(shared.warmth_changed(cold).await),
    }
}

/// Delivers a job as far as it goes. True where all of it went.
async fn redeliver(shared: &Shared, channels: &Channels, taken: Taken) -> bool {
    let mut back = GiveBack { shared, taken: Some(taken) };
    let Some(taken) = &mut back.taken else { return true };
    while !taken.job.messages.is_empty() {
        let sent = Moment::now();
        match deliver_next(shared, channels, &mut taken.job, shared.write_deadline()).await {
            Ok(()) => {}
            // It would be too slow the next time too.
            Err(Stuck { away: Away::Deadline, slow: true }) if taken.job.shorten() => {}
            Err(stuck) => {
                if !stuck.slow {
                    shared.write_failed(sent);
                }
                return false;
            }
        }
    }
    true
}

/// Gives a job back whatever happens.
struct GiveBack<'a> {
    shared: &'a Shared,
    taken: Option<Taken>,
}

impl Drop for GiveBack<'_> {
    fn drop(&mut self) {
        let Some(taken) = self.taken.take() else { return };
        let pushed = Backlog::give_back(&mut self.shared.backlog(), taken);
        if let Some(pushed) = pushed {
            self.shared.pushed(pushed);
        }
    }
}

/// A release of what nobody holds: it goes the way of all writes and leaves nothing behind.
async fn try_write(shared: &Shared, channels: &Channels) -> bool {
    let Some(scope) = probe_scope(shared) else { return false };
    let nothing = Message::Release(fastrand::u128(..).to_be_bytes(), [Key::uint(1)].into());
    let sent = Moment::now();
    let delivered = deliver(shared, channels, &scope, &nothing, shared.write_deadline()).await.is_ok();
    match delivered {
        true => shared.write_answered(),
        false => shared.write_failed(sent),
    }
    delivered
}
