//! Telling the cache what a write is about to do or has done.
//!
//! Replicas share the backend, so one that takes a message is enough. They are asked in turn, those first that answer
//! reads; one that does not answer soon is left to go on while the next is asked, since a message may arrive twice.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use tokio::time::{Instant, sleep_until};

use crate::{
    backlog::Job,
    call::{call, left},
    channels::Channels,
    error::Away,
    message::Message,
    scope::Scope,
    shared::Shared,
};

/// A message takes about a millisecond, one of 1,000 keys some tens at the most: who is silent for longer gets company.
const HEDGE: Duration = Duration::from_millis(100);
/// How often each replica is asked. A connection that the peer has closed fails once and is made anew.
const ROUNDS: usize = 3;
/// The pause before the second round; the third waits twice as long.
const PAUSE: Duration = Duration::from_millis(20);

/// Messages that are under way at once, where their order does not matter.
const AT_ONCE: usize = 4;

/// Why messages were not taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stuck {
    pub(crate) away: Away,
    /// It proves nothing about the cache: it took another of them, or they had many keys and the time was not enough. Then
    /// it may well be serving what they were to clear.
    pub(crate) slow: bool,
}

/// Tells the cache the next messages of a job, until `until` at the most. What was taken is not in the job any more.
pub(crate) async fn deliver_next(
    shared: &Shared,
    channels: &Channels,
    job: &mut Job,
    until: Instant,
) -> Result<(), Stuck> {
    let next = job.next(AT_ONCE);
    let told = join_all(next.iter().map(|message| deliver(shared, channels, &job.scope, message, until))).await;
    let any = told.iter().any(Result::is_ok);
    if any {
        shared.write_answered();
    }
    let stuck = next.iter().zip(&told).find_map(|(message, told)| {
        let away = told.err()?;
        Some(Stuck { away, slow: any || (away == Away::Deadline && message.is_bulk()) })
    });
    job.told(&told);
    stuck.map_or(Ok(()), Err)
}

/// Tells the cache, until `until` at the most.
pub(crate) async fn deliver(
    shared: &Shared,
    channels: &Channels,
    scope: &Scope,
    message: &Message,
    until: Instant,
) -> Result<(), Away> {
    resolved(shared, until).await;
    let replicas = shared.replicas.in_order();
    let attempts = replicas.len() * ROUNDS;
    let (mut flying, mut begun, mut next, mut last) = (FuturesUnordered::new(), 0, Instant::now(), Away::NoReplica);
    loop {
        if begun < attempts && next <= Instant::now() {
            let replica = &replicas[begun % replicas.len()];
            flying.push(one(shared, channels, replica, scope, message, until));
            begun += 1;
            next = Instant::now() + HEDGE;
        }
        if begun == attempts && flying.is_empty() {
            return Err(last);
        }
        tokio::select! {
            Some(result) = flying.next() => match result {
                Ok(()) => return Ok(()),
                Err(away) => (last, next) = (away, next.min(Instant::now() + pause(begun, replicas.len()))),
            },
            () = sleep_until(next), if begun < attempts => {}
            () = sleep_until(until) => return Err(Away::Deadline),
        }
    }
}

/// How long to wait before the next attempt after one has failed: not at all within a round.
fn pause(begun: usize, replicas: usize) -> Duration {
    match (begun / replicas, begun % replicas) {
        (round @ 1.., 0) => PAUSE * u32::try_from(round).unwrap_or(1),
        _ => Duration::ZERO,
    }
}

/// At the start the replicas are not known for a moment: that is no reason to send a write without its hold.
async fn resolved(shared: &Shared, until: Instant) {
    if !*shared.resolved.borrow() {
        let mut watched = shared.resolved.subscribe();
        // Too late or closed: the list is empty then, which says the same.
        let _ = tokio::time::timeout_at(until, watched.wait_for(|resolved| *resolved)).await;
    }
}

async fn one(
    shared: &Shared,
    channels: &Channels,
    replica: &layer_replicas::Replica,
    scope: &Scope,
    message: &Message,
    until: Instant,
) -> Result<(), Away> {
    let client = channels.client(&shared.replicas, replica).ok_or(Away::Failed)?;
    let sent = message.send(client, scope, shared.settings.hold_ms, left(until));
    call(&shared.observe, message.operation(), until, sent).await
}
