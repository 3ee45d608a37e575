//! Looking keys up.
//!
//! The caller has the origin to fall back to, so the cache gets little time and one more chance: a replica that fails at
//! once (a restart, a closed connection) costs a second try at another; one that is silent costs the deadline.
//!
//! Bodies may be large, and many: each is let in by its caller before it is unpacked, and what comes after one that is not
//! let in is not even received.

use layer_proto::cache::v1::{self, BatchGetRequest, GetRequest};
use layer_replicas::Replica;
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, timeout_at},
};
use tonic::Status;

use crate::{
    ask::{Asking, Question, Said, garbage},
    bypass::Bypassed,
    cache::Cache,
    call::{call, left, sooner},
    channels::{Channels, Client},
    error::Away,
    gather::{Gather, Turn, joined},
    key::Key,
    message::{pieces, within},
    observe::Operation,
    pack::unpack,
    scope::Scope,
    shared::Shared,
    value::{GetOutcome, Gotten, Lookup},
};

/// Keys that one worker asks for at once; more wait for their turn. It keeps what a burst of batches brings within what
/// a replica answers in a deadline, and what is under way bounded.
pub(crate) const KEYS_AT_ONCE: usize = 1000;

/// Asked before a body of so many bytes is unpacked, whether there is room for it.
pub(crate) type Room<'a> = dyn FnMut(usize) -> bool + Send + 'a;

/// See [`Cache::get`](crate::Cache::get).
pub(crate) async fn get(
    cache: &Cache,
    scope: &Scope,
    keys: &[Key],
    deadline: Option<std::time::Instant>,
    room: &mut Room<'_>,
) -> Gotten {
    let shared = &cache.shared;
    if let Some(away) = cache.away() {
        return nothing(keys, GetOutcome::Away(away));
    }
    let reader = Reader { cache, scope, deadline };
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
    cache: &'a Cache,
    scope: &'a Scope,
    /// The caller's own, if it has one.
    deadline: Option<std::time::Instant>,
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

    /// To ask for so many keys, from now on.
    fn asking(&self, keys: usize) -> Asking<'_> {
        let limit = self.cache.shared.read_deadline(keys);
        let until = sooner(limit, self.deadline);
        Asking { shared: &self.cache.shared, channels: &self.cache.channels, until, hurried: until < limit }
    }

    async fn one(&self, key: &Key, room: &mut Room<'_>) -> Result<Option<Lookup>, Away> {
        let asking = self.asking(1);
        let said = match Gather::enter(self.cache, self.scope, key) {
            Turn::Alone(_calling) => asking.ask(Operation::Get, &mut One { scope: self.scope, key }).await?,
            Turn::Joined { answer, first } => joined(self.cache, self.scope, answer, first, asking.until).await?,
        };
        Ok(self.cache.shared.understood(said, room))
    }

    /// Adds what is found of each key, in order; of a piece that fails, what was said before it failed.
    async fn many(&self, keys: &[Key], lookups: &mut Vec<Lookup>, room: &mut Room<'_>) -> Result<Told, Away> {
        for piece in pieces(keys) {
            let _turn = self.turn(piece.len()).await?;
            let mut found: Vec<Option<Lookup>> = vec![None; piece.len()];
            let mut question = Many {
                shared: &self.cache.shared,
                scope: self.scope,
                keys: &piece,
                found: &mut found,
                room: &mut *room,
                let_in: 0,
                spare: 0,
            };
            let told = self.asking(piece.len()).ask(Operation::BatchGet, &mut question).await;
            if told == Ok(Told::Some) {
                lookups.extend(found.into_iter().map_while(|lookup| lookup));
                return told;
            }
            lookups.extend(found.into_iter().map(|lookup| lookup.unwrap_or(Lookup::Miss(None))));
            told?;
        }
        Ok(Told::All)
    }

    /// Waits for the turn of so many keys, no longer than an answer may take.
    async fn turn(&self, keys: usize) -> Result<SemaphorePermit<'_>, Away> {
        let room = u32::try_from(keys.min(KEYS_AT_ONCE)).unwrap_or(u32::MAX);
        let turn = timeout_at(self.asking(keys).until, self.cache.at_once.acquire_many(room)).await;
        match turn {
            Ok(Ok(_)) if self.cache.shared.read_open() => Err(Away::BreakerOpen),
            Ok(Ok(turn)) => Ok(turn),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(Away::Busy),
        }
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

struct One<'a> {
    scope: &'a Scope,
    key: &'a Key,
}

impl Question for One<'_> {
    type Answer = Said;

    async fn put(&mut self, mut client: Client, until: Instant) -> Result<Said, Status> {
        let request = GetRequest { scope: Some(self.scope.message()), id: self.key.bytes() };
        Said::of(client.get(within(request, left(until))).await?.into_inner().lookup)
    }
}

struct Many<'a, 'r> {
    shared: &'a Shared,
    scope: &'a Scope,
    keys: &'a [Key],
    found: &'a mut [Option<Lookup>],
    room: &'a mut Room<'r>,
    /// Bytes that there was room for, and those of them that belong to what was found by a try before and is forgotten.
    let_in: usize,
    spare: usize,
}

impl Many<'_, '_> {
    async fn read(&mut self, mut client: Client, until: Instant) -> Result<Told, Status> {
        let ids = self.keys.iter().map(Key::bytes).collect();
        let request = BatchGetRequest { scope: Some(self.scope.message()), ids };
        let mut stream = client.batch_get(within(request, left(until))).await?.into_inner();
        let mut missing = self.keys.len();
        while let Some(piece) = stream.message().await? {
            for indexed in piece.lookups {
                let said = Said::of(indexed.lookup)?;
                let Some(lookup) = self.understood(said) else { return Ok(Told::Some) };
                let place = self.found.get_mut(indexed.index as usize).ok_or_else(garbage)?;
                if place.replace(lookup).is_some() {
                    return Err(garbage());
                }
                missing -= 1;
            }
        }
        if missing == 0 { Ok(Told::All) } else { Err(garbage()) }
    }

    /// Room is asked for only beyond what a try before this one has left.
    fn understood(&mut self, said: Said) -> Option<Lookup> {
        self.shared.understood(said, &mut |size| {
            let more = size.saturating_sub(self.spare);
            let fits = more == 0 || (self.room)(more);
            if fits {
                self.spare -= size - more;
                self.let_in += more;
            }
            fits
        })
    }
}

impl Question for Many<'_, '_> {
    type Answer = Told;

    async fn put(&mut self, client: Client, until: Instant) -> Result<Told, Status> {
        self.found.fill(None);
        self.spare = self.let_in;
        let ended = self.read(client, until).await;
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

impl Shared {
    /// What was said, unpacked; nothing where there is no room for it. A body that cannot be unpacked was stored so: that is
    /// no fault of who sends it, and no look-up that came with it fails for it.
    fn understood(&self, said: Said, room: &mut Room<'_>) -> Option<Lookup> {
        match said {
            Said::Hit(body, size) => room(size).then(|| {
                unpack(body).map_or_else(
                    || {
                        self.observe.unreadable();
                        Lookup::Miss(None)
                    },
                    Lookup::Hit,
                )
            }),
            Said::Miss(lease) => Some(Lookup::Miss(lease)),
        }
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
    let asked = async { client.inspect(within(request, left(until))).await.map(tonic::Response::into_inner) };
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
    let asked = async { client.stats(within(v1::StatsRequest {}, left(until))).await.map(tonic::Response::into_inner) };
    (replica.address.to_string(), call(&shared.observe, Operation::Stats, until, asked).await)
}
