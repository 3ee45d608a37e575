//! Putting a question to one replica, to another where the first fails with time left, and telling the breaker.
//!
//! Lateness alone does not mean that a replica is away. One that has answered others on the same connections meanwhile is
//! busy: opening the breaker would send all of its load to the origin, the part that it can serve too.

use layer_proto::cache::v1::{self, lookup};
use tokio::time::Instant;
use tonic::Status;

use crate::{
    call::call,
    channels::{Channels, Client},
    error::Away,
    observe::Operation,
    pack::size,
    shared::Shared,
    value::LeaseToken,
};

/// A token is opaque, but not without bound.
const LEASE_BYTES_MAX: usize = 64;
/// How often a question is put: when the connections of several replicas broke, each fails once and is made anew.
const TRIES: usize = 3;

/// Who is asked, and until when.
pub(crate) struct Asking<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) channels: &'a Channels,
    pub(crate) until: Instant,
    /// The caller has less time than the cache should have: lateness proves nothing.
    pub(crate) hurried: bool,
}

/// What is asked of one replica and perhaps of a second. A trait, since the compiler cannot show of an async closure's
/// future that it may move between threads.
pub(crate) trait Question: Send {
    type Answer: Send;

    fn put(&mut self, client: Client, until: Instant) -> impl Future<Output = Result<Self::Answer, Status>> + Send;

    /// Whether part of the answer has come.
    fn progressed(&self) -> bool {
        false
    }
}

impl Asking<'_> {
    /// Asks.
    pub(crate) async fn ask<Q: Question>(&self, operation: Operation, question: &mut Q) -> Result<Q::Answer, Away> {
        let mut last = None;
        let mut asked = None;
        for _ in 0..TRIES {
            let replicas = &self.shared.replicas;
            let Some(replica) = replicas.pick(asked).or_else(|| replicas.pick(None)) else { break };
            let Some(client) = self.channels.client(replicas, &replica) else { break };
            let (in_flight, began) = (replica.enter(), Instant::now());
            let result = call(&self.shared.observe, operation, self.until, question.put(client, self.until)).await;
            drop(in_flight);
            match result {
                Ok(answer) => {
                    self.channels.answered(&replica);
                    self.shared.answered(&replica);
                    return Ok(answer);
                }
                // None of it says anything about the cache: too little time, or too much to tell in it.
                Err(Away::Deadline)
                    if self.hurried || question.progressed() || self.channels.answered_since(&replica, began) =>
                {
                    return Err(Away::Deadline);
                }
                Err(away) => {
                    self.shared.failed(&replica);
                    last = Some(away);
                    asked = Some(replica.id);
                    if away == Away::Deadline {
                        break;
                    }
                }
            }
        }
        let Some(away) = last else { return Err(Away::NoReplica) };
        self.shared.read_failed();
        Err(away)
    }
}

/// An answer that breaks the contract. The code is one that no replica sends.
pub(crate) fn garbage() -> Status {
    Status::data_loss("the answer makes no sense")
}

/// What a lookup says, its body as it came.
#[derive(Debug)]
pub(crate) enum Said {
    /// The body, and how many bytes it has unpacked.
    Hit(v1::Body, usize),
    Miss(Option<LeaseToken>),
}

impl Said {
    pub(crate) fn of(lookup: Option<v1::Lookup>) -> Result<Self, Status> {
        match lookup.and_then(|lookup| lookup.outcome).ok_or_else(garbage)? {
            lookup::Outcome::Hit(body) => {
                let size = size(&body).ok_or_else(garbage)?;
                Ok(Self::Hit(body, size))
            }
            lookup::Outcome::Lease(lease) => {
                let fits = (1..=LEASE_BYTES_MAX).contains(&lease.token.len());
                if fits { Ok(Self::Miss(Some(LeaseToken(lease.token)))) } else { Err(garbage()) }
            }
            lookup::Outcome::NoLease(_) => Ok(Self::Miss(None)),
        }
    }
}
