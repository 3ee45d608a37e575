//! Looking keys up.
//!
//! The caller has the origin to fall back to, so the cache gets little time and one more chance: a replica that fails at
//! once (a restart, a closed connection) costs a second try at another; one that is silent costs the deadline.

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
    pack::unpack,
    replicas::Replica,
    scope::Scope,
    shared::Shared,
    value::{GetOutcome, Gotten, LeaseToken, Lookup},
};

/// A token is opaque, but not without bound.
const LEASE_BYTES_MAX: usize = 64;
/// How often a question is put: when the connections of several replicas broke, each fails once and is made anew.
const TRIES: usize = 3;

/// See [`Cache::get`](crate::Cache::get).
pub(crate) async fn get(
    shared: &Shared,
    channels: &Channels,
    scope: &Scope,
    keys: &[Key],
    deadline: Option<std::time::Instant>,
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
        Bypassed::None => reader.read(keys).await,
        Bypassed::All => {
            shared.observe.bypassed(keys.len());
            nothing(keys, GetOutcome::Answered)
        }
        Bypassed::These(these) => {
            let asked: Vec<usize> = (0..keys.len()).filter(|index| !these[*index]).collect();
            shared.observe.bypassed(keys.len() - asked.len());
            let subset: Vec<Key> = asked.iter().map(|index| keys[*index].clone()).collect();
            let gotten = reader.read(&subset).await;
            let mut whole = nothing(keys, gotten.outcome);
            asked.into_iter().zip(gotten.lookups).for_each(|(index, lookup)| whole.lookups[index] = lookup);
            whole
        }
    }
}

/// No value and no lease for any key.
fn nothing(keys: &[Key], outcome: GetOutcome) -> Gotten {
    Gotten { lookups: vec![Lookup::Miss(None); keys.len()], outcome }
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
    async fn read(&self, keys: &[Key]) -> Gotten {
        let mut lookups = Vec::new();
        let read = match keys {
            [] => Ok(()),
            [key] => self.one(key).await.map(|lookup| lookups.push(lookup)),
            _ => self.many(keys, &mut lookups).await,
        };
        lookups.resize(keys.len(), Lookup::Miss(None));
        Gotten { lookups, outcome: read.map_or_else(GetOutcome::Away, |()| GetOutcome::Answered) }
    }

    async fn one(&self, key: &Key) -> Result<Lookup, Away> {
        self.ask(Operation::Get, One { reader: self, key }).await
    }

    /// Adds what is found of each key, in order; of a piece that fails, what was said before it failed.
    async fn many(&self, keys: &[Key], lookups: &mut Vec<Lookup>) -> Result<(), Away> {
        for piece in pieces(keys) {
            let mut found: Vec<Option<Lookup>> = vec![None; piece.len()];
            let read = self.ask(Operation::BatchGet, Many { reader: self, keys: &piece, found: &mut found }).await;
            lookups.extend(found.into_iter().map(|lookup| lookup.unwrap_or(Lookup::Miss(None))));
            read?;
        }
        Ok(())
    }

    async fn batch(&self, mut client: Client, keys: &[Key], found: &mut [Option<Lookup>]) -> Result<(), Status> {
        let ids = keys.iter().map(Key::bytes).collect();
        let request = BatchGetRequest { scope: Some(self.scope.message()), ids };
        let mut stream = client.batch_get(within(request, left(self.until))).await?.into_inner();
        let mut missing = keys.len();
        while let Some(piece) = stream.message().await? {
            for indexed in piece.lookups {
                let place = found.get_mut(indexed.index as usize).ok_or_else(garbage)?;
                if place.replace(understood(indexed.lookup).ok_or_else(garbage)?).is_some() {
                    return Err(garbage());
                }
                missing -= 1;
            }
        }
        if missing == 0 { Ok(()) } else { Err(garbage()) }
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

struct One<'a> {
    reader: &'a Reader<'a>,
    key: &'a Key,
}

impl Question for One<'_> {
    type Answer = Lookup;

    async fn put(&mut self, mut client: Client) -> Result<Lookup, Status> {
        let request = GetRequest { scope: Some(self.reader.scope.message()), id: self.key.bytes() };
        let answer = client.get(within(request, left(self.reader.until))).await?.into_inner();
        understood(answer.lookup).ok_or_else(garbage)
    }
}

struct Many<'a> {
    reader: &'a Reader<'a>,
    keys: &'a [Key],
    found: &'a mut [Option<Lookup>],
}

impl Question for Many<'_> {
    type Answer = ();

    async fn put(&mut self, client: Client) -> Result<(), Status> {
        self.found.fill(None);
        let ended = self.reader.batch(client, self.keys, self.found).await;
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

fn understood(lookup: Option<v1::Lookup>) -> Option<Lookup> {
    match lookup?.outcome? {
        lookup::Outcome::Hit(body) => unpack(body).map(Lookup::Hit),
        lookup::Outcome::Lease(lease) => {
            let fits = (1..=LEASE_BYTES_MAX).contains(&lease.token.len());
            fits.then_some(Lookup::Miss(Some(LeaseToken(lease.token))))
        }
        lookup::Outcome::NoLease(_) => Some(Lookup::Miss(None)),
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
