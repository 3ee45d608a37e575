//! The state of everything: origin, records, replicas, routers, writers and fetches.

use crate::config::{Config, READERS, REPLICAS, ROUTERS, WRITERS};
use crate::records::{Call, Dropped, Epoch, Got, KEYS, KeyRecord, Lease, Namespace, Records, Set, members};

/// Most late calls on their way.
pub const LATE_CALLS: usize = 2;
/// Ticks without a canary after which a replica is no longer proven and an epoch ends.
pub const LAPSE: u8 = 2;
/// Ticks for which a hold or release is tried before its router gives up. More than [`LAPSE`].
pub const PATIENCE: u8 = 3;
/// Ticks within which a router notices that a replica is back.
pub const NOTICE: u8 = 1;
/// Ticks for which a replica that lapsed serves nothing. More than [`NOTICE`].
pub const SETTLE: u8 = 2;

/// Where a writer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Step {
    /// Has not begun.
    #[default]
    Idle,
    /// Places its holds.
    Hold,
    /// Waits for the origin.
    Send,
    /// Gone, but the origin may still apply the write.
    Limbo,
    /// The origin answered; purges.
    Purge,
    /// The origin answered; clears keys.
    Clear,
    /// Closes its holds.
    Release,
    /// Done.
    Done,
    /// Gone for good.
    Lost,
}

/// A writer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Writer {
    /// Where it is.
    pub step: Step,
    /// Keys that its step has not dealt with.
    pub todo: Set,
    /// The version of each key that it made.
    pub versions: [u16; KEYS],
    /// Keys whose hold was lost, or never stood, before the origin applied the write.
    pub bare: Set,
    /// Ticks for which its present call found no way.
    pub tried: u8,
    /// Its hold could not be placed.
    pub unheld: bool,
    /// It was acknowledged. If its step is before `Done`, its router owes the rest.
    pub acked: bool,
    /// It was acknowledged while its router was severed: only this router keeps rule 3 for it.
    pub excused: bool,
}

impl Writer {
    /// Acknowledged, with calls that its router still has to deliver.
    pub fn owes(&self) -> bool {
        self.acked && matches!(self.step, Step::Purge | Step::Clear | Step::Release)
    }

    /// Whether the origin may still apply it.
    pub fn unapplied(&self) -> bool {
        matches!(self.step, Step::Hold | Step::Send | Step::Limbo)
    }
}

/// Who fetches what, where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At {
    /// The router.
    pub router: usize,
    /// The replica that it asks.
    pub replica: usize,
    /// The key.
    pub key: usize,
    /// The newest version acknowledged when the fetch began.
    pub least: u16,
}

/// A fetch.
#[expect(missing_docs, reason = "the variants' texts speak of their fields")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fetch {
    /// None.
    #[default]
    Idle,
    /// The replica has the request; `proven`: it was, as it came.
    Asked { at: At, proven: bool },
    /// The key's record was read, the others not yet.
    SeenKey { at: At, record: KeyRecord },
    /// The namespace's and the epoch's record were read, the key's not yet.
    SeenNamespace { at: At, generation: Option<u8>, epoch: u8 },
    /// The backend answered the replica, from records of this epoch.
    Answered { at: At, proven: bool, got: Got, epoch: u8 },
    /// A miss: the origin is to be asked.
    Missed { key: usize, lease: Lease, least: u16 },
    /// The origin answered; the fill is on its way.
    Filling { key: usize, lease: Lease, version: u16 },
}

/// A replica of doc-cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Replica {
    /// It is not suspended.
    pub awake: bool,
    /// It reaches the backend.
    pub linked: bool,
    /// Ticks since its last canary, up to the lapse.
    pub age: u8,
    /// Ticks until it serves.
    pub settle: u8,
    /// The epoch that its last canary found or began.
    pub epoch: u8,
    /// A canary whose answer is on its way: ticks since it was sent, and the epoch that it will tell.
    pub flying: Option<(u8, u8)>,
}

impl Replica {
    /// Holds go through here.
    pub fn works(&self) -> bool {
        self.awake && self.linked
    }
}

/// A router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Router {
    /// It reaches the replicas.
    pub linked: bool,
    /// Its write breaker is open: holds and releases are not waited for.
    pub open: bool,
    /// Ticks for which its breaker was open although there was a way.
    pub unnoticed: u8,
    /// It was without a way while another router had one, and does not know yet that this is over.
    pub severed: bool,
}

/// What a backend that comes back with an old file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Saved {
    /// Keys.
    pub keys: [KeyRecord; KEYS],
    /// Namespace.
    pub namespace: Namespace,
    /// Epoch.
    pub epoch: Epoch,
}

/// A fetch that broke rule 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stale {
    /// What it returned.
    pub version: u16,
    /// What it had to return at least.
    pub least: u16,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The origin's version of each key.
    pub origin: [u16; KEYS],
    /// The least version that each router's fetches must return; the last row is what holds for all of them.
    pub acked: [[u16; KEYS]; ROUTERS + 1],
    /// The backend.
    pub records: Records,
    /// What it may come back with.
    pub saved: Option<Saved>,
    /// It refuses writes.
    pub refuses: bool,
    /// The writers.
    pub writers: [Writer; WRITERS],
    /// The fetches.
    pub readers: [Fetch; READERS],
    /// The replicas.
    pub replicas: [Replica; REPLICAS],
    /// The routers.
    pub routers: [Router; ROUTERS],
    /// Calls that arrive late.
    pub late: [Option<Call>; LATE_CALLS],
    /// Fetches yet to begin.
    pub fetches: u8,
    /// Faults yet to happen.
    pub faults: crate::config::Faults,
    /// The fetch that broke rule 3.
    pub stale: Option<Stale>,
}

impl State {
    /// All quiet, nothing cached.
    pub fn new(config: &Config) -> Self {
        let replica = Replica { awake: true, linked: true, age: 0, settle: 0, epoch: 1, flying: None };
        let router = Router { linked: true, open: false, unnoticed: 0, severed: false };
        Self {
            origin: [0; KEYS],
            acked: [[0; KEYS]; ROUTERS + 1],
            records: Records::new(),
            saved: None,
            refuses: false,
            writers: [Writer::default(); WRITERS],
            readers: [Fetch::Idle; READERS],
            replicas: [replica; REPLICAS],
            routers: [router; ROUTERS],
            late: [None; LATE_CALLS],
            fetches: config.fetches,
            faults: config.faults,
            stale: None,
        }
    }

    /// Whether holds go through from a router by any replica.
    pub fn has_way(&self, config: &Config, router: usize) -> bool {
        self.routers[router].linked && self.some_replica_works(config)
    }

    /// Whether any replica reaches the backend.
    pub fn some_replica_works(&self, config: &Config) -> bool {
        self.replicas[..config.replicas].iter().any(Replica::works)
    }

    /// Carries a call out and notes whose hold it destroyed.
    pub fn call(&mut self, config: &Config, call: Call) {
        let dropped = self.records.call(call, self.refuses, config.without);
        self.note_dropped(dropped);
    }

    /// Notes whose holds are gone before the origin applied the write.
    pub fn note_dropped(&mut self, dropped: Dropped) {
        for writer in members(dropped.holds) {
            if self.writers[writer].unapplied() {
                self.writers[writer].bare |= dropped.keys;
            }
        }
    }

    /// Puts a call on a late way, if there is room.
    pub fn send_late(&mut self, call: Call) -> bool {
        let Some(slot) = self.late.iter_mut().find(|slot| slot.is_none()) else { return false };
        *slot = Some(call);
        true
    }

    /// Ends a fetch with a version.
    pub fn answer(&mut self, version: u16, least: u16) {
        if version < least {
            self.stale = Some(Stale { version, least });
        }
    }
}
