//! Looking keys up.
//!
//! The caller has the origin to fall back to, so the cache gets little time and one more chance: a replica that fails at
//! once (a restart, a closed connection) costs a second try at another; one that is silent costs the deadline.
//!
//! Bodies may be large, and many: each is let in by its caller before it is unpacked, and what comes after one that is not
//! let in is not even received.

use futures_util::TryFutureExt;
use layer_proto::cache::v1::{self, BatchGetRequest, GetRequest, lookup};
use tokio::time::Instant;
use tonic::Status;

use crate::{
    bypass::Bypassed,
    call::{call, left, sooner},
    channels::{Channels, Client},
    error::Away,
    key::Key,
    message::{pieces, within},
    observe::Operation,
    pack::{size, unpack},
    replicas::Replica,
    scope::Scope,
    shared::Shared,
    value::{GetOutcome, Gotten, LeaseToken, Lookup},
};

/// A token is opaque, but not without bound.
const LEASE_BYTES_MAX: usize = 64;
/// How often a question is put: when the connections of several replicas broke, each fails once and is made anew.
const TRIES: usize = 3;

/// Asked before a body of so many bytes is unpacked, whether there is room for it.
pub(crate) type Room<'a> = dyn FnMut(usize) -> bool + Send + 'a;

/// See [`Cache::get`](crate::Cache::get).
pub(crate) async fn get(
    shared: &Shared,
    channels: &Channels,
    scope: &Scope,
    keys: &[Key],
    deadline: Option<std::time::Instant>,
    room: &mut Room<'_>,
) -> Gotten {
    if !shared.enabled() {
        return nothing(keys, GetOutcome::Away(Away::Disabled));
    }
    if shared.read_open() {
        return nothing(keys, GetOutcome::Away(Away::BreakerOpen));
    }
    let limit = shared.read_deadline(keys.len());
    let reader =
        Reader { shared, channels, scope, until: sooner(limit, deadline), hurried: sooner(limit, deadline) < limit };
    match shared.bypass.check(scope, keys) {
        Bypassed::None => reader.read(keys, room).await,
        Bypassed::All => {
            shared.observe.bypassed(keys.len());
            nothing(keys, GetOutcome::Answered)
        }
        Bypassed::These(these) => {
            let asked: Vec<usize> = (0..keys.len()).filter(|index| !these[*index]).collect();
            shared.observe.bypassed(keys.len() - asked.len());
            let subset: Vec<Key> = asked.iter().map(|index| keys[*index].clone()).collect();
            let gotten = reader.read(&subset, room).await;
            let mut whole = nothing(keys, gotten.outcome);
            whole.read = asked.get(gotten.read).copied().unwrap_or(keys.len());
            asked.into_iter().zip(gotten.lookups).for_each(|(index, lookup)| whole.lookups[index] = lookup);
            whole
        }
    }
}

/// No value and no lease for any key.
fn nothing(keys: &[Key], outcome: GetOutcome) -> Gotten {
    Gotten { lookups: vec![Lookup::Miss(None); keys.len()], read: keys.len(), outcome }
}

struct Reader<'a> {
    shared: &'a Shared,
    channels: &'a Channels,
    scope: &'a Scope,
    until: Instant,
    /// The caller has less time than the cache should have: lateness proves nothing.
    hurried: bool,
}

impl Reader<'_> {
    async fn read(&self, keys: &[Key], room: &mut Room<'_>) -> Gotten {
        let mut lookups = Vec::new();
        let asked = match keys {
            [] => Ok(Told::All),
            [key] => self.one(key, room).await.map(|lookup| {
                let told = if lookup.is_some() { Told::All } else { Told::Some };
                lookups.extend(lookup);
                told
            }),
            _ => self.many(keys, &mut lookups, room).await,
        };
        let read = if asked == Ok(Told::Some) { lookups.len() } else { keys.len() };
        lookups.resize(keys.len(), Lookup::Miss(None));
        Gotten { lookups, read, outcome: asked.map_or_else(GetOutcome::Away, |_| GetOutcome::Answered) }
    }

    async fn one(&self, key: &Key, room: &mut Room<'_>) -> Result<Option<Lookup>, Away> {
        self.ask(Operation::Get, One { reader: self, key, room }).await
    }

    /// Adds what is found of each key, in order; of a piece that fails, what was said before it failed.
    async fn many(&self, keys: &[Key], lookups: &mut Vec<Lookup>, room: &mut Room<'_>) -> Result<Told, Away> {
        for piece in pieces(keys) {
            let mut found: Vec<Option<Lookup>> = vec![None; piece.len()];
            let question = Many { reader: self, keys: &piece, found: &mut found, room: &mut *room };
            let told = self.ask(Operation::BatchGet, question).await;
            if told == Ok(Told::Some) {
                lookups.extend(found.into_iter().map_while(|lookup| lookup));
                return told;
            }
            lookups.extend(found.into_iter().map(|lookup| lookup.unwrap_or(Lookup::Miss(None))));
            told?;
        }
        Ok(Told::All)
    }

    async fn batch(
        &self,
        mut client: Client,
        keys: &[Key],
        found: &mut [Option<Lookup>],
        room: &mut Room<'_>,
    ) -> Result<Told, Status> {
        let ids = keys.iter().map(Key::bytes).collect();
        let request = BatchGetRequest { scope: Some(self.scope.message()), ids };
        let mut stream = client.batch_get(within(request, left(self.until))).await?.into_inner();
        let mut missing = keys.len();
        while let Some(piece) = stream.message().await? {
            for indexed in piece.lookups {
                let place = found.get_mut(indexed.index as usize).ok_or_else(garbage)?;
                let Some(lookup) = understood(indexed.lookup, room)? else { return Ok(Told::Some) };
                if place.replace(lookup).is_some() {
                    return Err(garbage());
                }
                missing -= 1;
            }
        }
        if missing == 0 { Ok(Told::All) } else { Err(garbage()) }
    }

    /// Asks a replica, and another if the first fails with time left; tells the breaker how it went.
    async fn ask<Q: Question>(&self, operation: Operation, mut question: Q) -> Result<Q::Answer, Away> {
        let mut last = None;
        let mut asked = None;
        for _ in 0..TRIES {
            let replicas = &self.shared.replicas;
            let Some(replica) = replicas.pick(asked).or_else(|| replicas.pick(None)) else { break };
            let Some(client) = self.channels.client(&self.shared.replicas, &replica) else { break };
            let in_flight = replica.enter();
            let result = call(&self.shared.observe, operation, self.until, question.put(client)).await;
            drop(in_flight);
            match result {
                Ok(answer) => {
                    self.shared.answered(&replica);
                    return Ok(answer);
                }
                // Neither says anything about the cache: too little time, or too much to tell in it.
                Err(Away::Deadline) if self.hurried || question.progressed() => return Err(Away::Deadline),
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

/// What is asked of one replica and perhaps of a second. A trait, since the compiler cannot show of an async closure's
/// future that it may move between threads.
trait Question: Send {
    type Answer: Send;

    fn put(&mut self, client: Client) -> impl Future<Output = Result<Self::Answer, Status>> + Send;

    /// Whether part of the answer has come.
    fn progressed(&self) -> bool {
        false
    }
}

/// How much of what was asked is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// All of it.
    All,
    /// What there was room for.
    Some,
}

struct One<'a, 'r> {
    reader: &'a Reader<'a>,
    key: &'a Key,
    room: &'a mut Room<'r>,
}

impl Question for One<'_, '_> {
    type Answer = Option<Lookup>;

    async fn put(&mut self, mut client: Client) -> Result<Option<Lookup>, Status> {
        let request = GetRequest { scope: Some(self.reader.scope.message()), id: self.key.bytes() };
        let answer = client.get(within(request, left(self.reader.until))).await?.into_inner();
        understood(answer.lookup, self.room)
    }
}

struct Many<'a, 'r> {
    reader: &'a Reader<'a>,
    keys: &'a [Key],
    found: &'a mut [Option<Lookup>],
    room: &'a mut Room<'r>,
}

impl Question for Many<'_, '_> {
    type Answer = Told;

    async fn put(&mut self, client: Client) -> Result<Told, Status> {
        self.found.fill(None);
        let ended = self.reader.batch(client, self.keys, self.found, self.room).await;
        // Who answers nonsense is not believed in the rest either.
        ended.inspect_err(|error| {
            if error.code() == tonic::Code::DataLoss {
                self.found.fill(None)
            }
        })
    }

    fn progressed(&self) -> bool {
        self.found.iter().any(Option::is_some)
    }
}

/// An answer that breaks the contract. The code is one that no replica sends.
fn garbage() -> Status {
    Status::data_loss("the answer makes no sense")
}

/// What a lookup says; nothing where there is no room for it.
fn understood(lookup: Option<v1::Lookup>, room: &mut Room<'_>) -> Result<Option<Lookup>, Status> {
    match lookup.and_then(|lookup| lookup.outcome).ok_or_else(garbage)? {
        lookup::Outcome::Hit(body) => {
            let size = size(&body).ok_or_else(garbage)?;
            let body = room(size).then(|| unpack(body).ok_or_else(garbage));
            Ok(body.transpose()?.map(Lookup::Hit))
        }
        lookup::Outcome::Lease(lease) => {
            let fits = (1..=LEASE_BYTES_MAX).contains(&lease.token.len());
            if fits { Ok(Some(Lookup::Miss(Some(LeaseToken(lease.token))))) } else { Err(garbage()) }
        }
        lookup::Outcome::NoLease(_) => Ok(Some(Lookup::Miss(None))),
    }
}

/// See [`Cache::inspect`](crate::Cache::inspect).
pub(crate) async fn inspect(
    shared: &Shared,
    channels: &Channels,
    scope: &Scope,
    key: &Key,
    until: Instant,
) -> Result<v1::InspectResponse, Away> {
    let replica = shared.replicas.in_order().into_iter().next().ok_or(Away::NoReplica)?;
    let mut client = channels.client(&shared.replicas, &replica).ok_or(Away::Failed)?;
    let request = v1::InspectRequest { scope: Some(scope.message()), id: key.bytes() };
    let asked = client.inspect(within(request, left(until))).map_ok(tonic::Response::into_inner);
    call(&shared.observe, Operation::Inspect, until, asked).await
}

/// See [`Cache::stats`](crate::Cache::stats).
pub(crate) async fn stats(
    shared: &Shared,
    channels: &Channels,
    until: Instant,
) -> Vec<(String, Result<v1::StatsResponse, Away>)> {
    let list = shared.replicas.list();
    let asked = list.iter().map(|replica| stats_of(shared, channels, replica, until));
    futures_util::future::join_all(asked).await
}

async fn stats_of(
    shared: &Shared,
    channels: &Channels,
    replica: &Replica,
    until: Instant,
) -> (String, Result<v1::StatsResponse, Away>) {
    let Some(mut client) = channels.client(&shared.replicas, replica) else {
        return (replica.address.to_string(), Err(Away::Failed));
    };
    let asked = client.stats(within(v1::StatsRequest {}, left(until))).map_ok(tonic::Response::into_inner);
    (replica.address.to_string(), call(&shared.observe, Operation::Stats, until, asked).await)
}
