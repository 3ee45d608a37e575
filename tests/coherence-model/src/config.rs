//! What is explored: who writes and reads, which faults may happen how often, and which part of the protocol is missing.

use crate::records::Set;

/// Most writers of a configuration.
pub const WRITERS: usize = 4;
/// Most fetches at one time.
pub const READERS: usize = 4;
/// Most routers.
pub const ROUTERS: usize = 3;
/// Most replicas.
pub const REPLICAS: usize = 2;

/// What a write changes, and what its router knows of that beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The keys are in its body: they are held.
    Keys(Set),
    /// The origin's answer names the keys: the namespace is held, then each key cleared.
    Filter(Set),
    /// Nobody names the keys: the namespace is held, then purged.
    Whole(Set),
}

impl Kind {
    /// The keys that the origin changes.
    pub fn keys(self) -> Set {
        match self {
            Self::Keys(keys) | Self::Filter(keys) | Self::Whole(keys) => keys,
        }
    }
}

/// A writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The router that it goes through.
    pub router: usize,
    /// What it changes.
    pub kind: Kind,
}

/// How often each fault may happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// A writer dies, or gives the origin up without an answer.
    pub lost_writers: u8,
    /// A key's record is evicted.
    pub evicted_keys: u8,
    /// The namespace's record is evicted.
    pub evicted_namespaces: u8,
    /// The epoch's record is evicted.
    pub evicted_epochs: u8,
    /// An operator purges.
    pub purges: u8,
    /// The backend begins to refuse writes, or ends it.
    pub stop_writes: u8,
    /// A call arrives once more, or for the first time after its caller gave up, at any later time.
    pub late_calls: u8,
    /// The cache restarts empty.
    pub empty_restarts: u8,
    /// The backend's state is saved, to come back.
    pub saves: u8,
    /// The backend restarts with what was saved.
    pub old_restarts: u8,
    /// A replica loses the backend.
    pub backend_cuts: u8,
    /// A router loses every replica.
    pub router_cuts: u8,
    /// A replica is suspended.
    pub pauses: u8,
    /// A canary's answer is on its way for a while.
    pub slow_canaries: u8,
}

/// How much of the routers and of time is modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Every call reaches the records at once; gets are atomic. Replicas are always proven.
    Records,
    /// As `Records`, but a get reads its records at two moments, in either order.
    SplitGet,
    /// Replicas, canaries, routes and time.
    Timed,
}

/// A configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name in reports.
    pub name: &'static str,
    /// How many keys.
    pub keys: usize,
    /// How many routers.
    pub routers: usize,
    /// How many replicas.
    pub replicas: usize,
    /// The writers, each of which writes once (or again and again, see `writes_again`).
    pub writers: Vec<Plan>,
    /// The routers that fetches under way go through; answers from the cache are looked at for all routers.
    pub fetch_routers: std::ops::Range<usize>,
    /// How many fetches there are, [`READERS`] of them at one time at most; hits that are answered at once are beyond
    /// number.
    pub fetches: u8,
    /// The faults.
    pub faults: Faults,
    /// How much is modelled.
    pub detail: Detail,
    /// A writer that is done and left no trace may write once more.
    pub writes_again: bool,
    /// The part that is taken away.
    pub without: Option<Part>,
}

impl Config {
    /// One router, one replica, no faults.
    pub fn new(name: &'static str, detail: Detail) -> Self {
        Self {
            name,
            keys: 1,
            routers: 1,
            replicas: 1,
            writers: Vec::new(),
            fetch_routers: 0..1,
            fetches: 2,
            faults: Faults::default(),
            detail,
            writes_again: false,
            without: None,
        }
    }

    /// The same without a part of the protocol.
    pub fn without(mut self, part: Part) -> Self {
        self.without = Some(part);
        self
    }

    /// Whether a part is missing.
    pub fn lacks(&self, part: Part) -> bool {
        self.without == Some(part)
    }

    /// Whether time is modelled.
    pub fn timed(&self) -> bool {
        self.detail == Detail::Timed
    }
}

/// A part of the protocol that can be taken away. The name says what holds while it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Writers hold before they write.
    HoldFirst,
    /// A hold takes the value away and ends older leases.
    TokenEndsAtHold,
    /// A release takes the value away and ends older leases; without it, it only closes the hold.
    ReleaseClears,
    /// A release ends older leases.
    TokenEndsAtRelease,
    /// A clear ends older leases.
    TokenEndsAtClear,
    /// A release comes after the origin's answer.
    ReleaseAfterAnswer,
    /// An acknowledgement comes after the release.
    AcknowledgeLast,
    /// An unknown outcome leaves the hold to run out.
    UnknownKeepsHold,
    /// A fill needs the record's present token.
    TokenCheckedAtFill,
    /// No lease is given while a key is held.
    NoLeaseUnderHold,
    /// A lease is taken before the origin is asked.
    LeaseBeforeQuery,
    /// A fetch only uses an origin query that was sent after the fetch began.
    OwnQuery,
    /// A hit's generation is compared.
    GenerationCompared,
    /// A hit's epoch is compared.
    EpochCompared,
    /// An absent namespace record means no hits and no leases.
    AbsentNamespaceIsNone,
    /// A namespace hold that ran out gives the namespace a new generation.
    ExpiryPurges,
    /// A namespace hold that ran out is not forgotten by the next hold.
    ExpiredHoldsStay,
    /// A purge leaves the namespace's holds open.
    PurgeKeepsHolds,
    /// A write under a namespace hold clears its keys.
    ClearsKeys,
    /// It clears them before it releases the namespace.
    ClearsBeforeRelease,
    /// A clear leaves holds open.
    ClearKeepsHolds,
    /// Where writes are refused, removes stand in.
    RemoveFallback,
    /// Only a proven replica serves.
    CanaryChecked,
    /// The proof is looked at after the backend answered; without it, when the request arrives.
    CanaryCheckedLast,
    /// A canary's age counts from when it was sent; without it, from its answer.
    CanaryAgeFromSend,
    /// The proof that a hit needs is of the epoch that its records were read in.
    ProofOfThatEpoch,
    /// The canary's clock runs on while the process is suspended.
    ClockRunsOn,
    /// A canary after a lapse starts a new epoch.
    NewEpochAfterLapse,
    /// Under stop-writes a canary may extend a proof but not begin one.
    StopWritesBeginsNoProof,
    /// A replica that lapsed serves nothing and leases nothing until the routers had time to notice that it is back.
    Settles,
    /// A replica that is not proven gives no lease.
    NoLeaseUnproven,
    /// A router bypasses the cache for keys whose release it still owes.
    BypassWhileOwing,
    /// A router bypasses the cache for keys whose hold it could not place.
    BypassWhileUnheld,
    /// A restart takes longer than the lapse, or is noticed.
    RestartTakesLong,
    /// A router goes on trying to deliver what it owes.
    Backlog,
}
