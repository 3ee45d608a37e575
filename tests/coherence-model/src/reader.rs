//! A fetch: the cache, then the origin, then a fill in the background.
//!
//! A fetch that joins others' origin query of a later start is, for this model, a fetch whose own query happened at the
//! same moment, so coalescing needs no steps of its own. Joining a query of an earlier start is [`Part::OwnQuery`] missing.

use crate::config::{Config, Detail, Part, READERS};
use crate::model::Action;
use crate::records::{Call, Got, Lease};
use crate::state::{At, Fetch, LAPSE, State};

/// What a fetch under way may do next.
#[expect(missing_docs, reason = "the variants' texts speak of their fields")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// Reads the key's record (first, or second).
    ReadKey,
    /// Reads the namespace's and epoch's records (first, or second).
    ReadNamespace,
    /// The backend answers the replica.
    Backend,
    /// The replica answers the router.
    Reply,
    /// The origin answers a strong read.
    Origin,
    /// The fill arrives; `copy`: it will arrive again.
    Fill { copy: bool },
    /// Nothing more comes of it.
    Drop,
    /// Takes a lease after the origin's answer.
    LateLease,
    /// Takes the answer of another fetch's query.
    Join { other: usize },
}

/// New fetches.
pub fn begin_actions(config: &Config, state: &State, out: &mut Vec<Action>) {
    if state.fetches == 0 || !state.readers.contains(&Fetch::Idle) {
        return;
    }
    for router in config.fetch_routers.clone() {
        for replica in 0..config.replicas {
            for key in 0..config.keys {
                let reached = state.routers[router].linked && state.replicas[replica].awake;
                if reached && !state.bypasses(config, router, key) {
                    out.push(Action::Fetch { router, replica, key });
                }
            }
        }
    }
}

/// What a fetch under way may do.
pub fn actions(config: &Config, state: &State, index: usize, out: &mut Vec<Action>) {
    let mut push = |step| out.push(Action::Read(index, step));
    match state.readers[index] {
        Fetch::Idle => return,
        Fetch::Asked { .. } if config.detail == Detail::SplitGet => {
            push(Move::ReadKey);
            push(Move::ReadNamespace);
        }
        Fetch::Asked { at, .. } if state.replicas[at.replica].works() => push(Move::Backend),
        Fetch::SeenKey { .. } => push(Move::ReadNamespace),
        Fetch::SeenNamespace { .. } => push(Move::ReadKey),
        Fetch::Answered { at, .. } if state.replicas[at.replica].awake => push(Move::Reply),
        Fetch::Missed { .. } => push(Move::Origin),
        Fetch::Filling { .. } => fill_moves(config, state, &mut push),
        _ => {}
    }
    push(Move::Drop);
    join_moves(config, state, index, push);
}

fn fill_moves(config: &Config, state: &State, push: &mut impl FnMut(Move)) {
    if state.some_replica_works(config) {
        push(Move::Fill { copy: false });
        if state.faults.late_calls > 0 {
            push(Move::Fill { copy: true });
        }
    }
    if config.lacks(Part::LeaseBeforeQuery) {
        push(Move::LateLease);
    }
}

fn join_moves(config: &Config, state: &State, index: usize, mut push: impl FnMut(Move)) {
    let Fetch::Missed { key, .. } = state.readers[index] else { return };
    if !config.lacks(Part::OwnQuery) {
        return;
    }
    for other in 0..READERS {
        if matches!(state.readers[other], Fetch::Filling { key: theirs, .. } if theirs == key) {
            push(Move::Join { other });
        }
    }
}

impl State {
    /// Whether a router leaves the cache aside for a key.
    pub fn bypasses(&self, config: &Config, router: usize, key: usize) -> bool {
        self.writers.iter().zip(&config.writers).any(|(writer, plan)| {
            let owing = writer.owes() && !config.lacks(Part::BypassWhileOwing);
            let open = writer.unapplied() || !writer.acked && writer.versions[key] != 0;
            let unheld = writer.unheld && open && !config.lacks(Part::BypassWhileUnheld);
            plan.router == router && plan.kind.keys() >> key & 1 == 1 && (owing || unheld)
        })
    }

    /// Whether a replica may serve now.
    pub fn serves(&self, config: &Config, replica: usize) -> bool {
        let replica = &self.replicas[replica];
        let settled = replica.settle == 0 || config.lacks(Part::Settles);
        config.lacks(Part::CanaryChecked) || replica.age < LAPSE && settled
    }

    /// A fetch begins.
    pub fn begin_fetch(&mut self, config: &Config, mut at: At) {
        at.least = self.acked[at.router][at.key];
        let fetch = match config.detail {
            Detail::Records => self.atomic_get(config, at),
            _ => Some(Fetch::Asked { at, proven: self.serves(config, at.replica) }),
        };
        if let (Some(fetch), Some(slot)) = (fetch, self.readers.iter_mut().find(|slot| **slot == Fetch::Idle)) {
            *slot = fetch;
            self.fetches -= 1;
        }
    }

    fn atomic_get(&mut self, config: &Config, at: At) -> Option<Fetch> {
        let got = self.records.get(at.key, self.refuses, config.without);
        self.after_get(config, at, got)
    }

    /// What a fetch does with the cache's answer.
    fn after_get(&mut self, config: &Config, at: At, got: Got) -> Option<Fetch> {
        let asks_anyway = config.lacks(Part::OwnQuery) || config.lacks(Part::LeaseBeforeQuery);
        let least = if config.lacks(Part::OwnQuery) { at.least } else { 0 };
        match got {
            Got::Hit(version) => {
                self.answer(version, at.least);
                None
            }
            Got::Miss(lease) => Some(Fetch::Missed { key: at.key, lease, least }),
            Got::NoLease if asks_anyway => Some(Fetch::Missed { key: at.key, lease: Lease::default(), least }),
            Got::NoLease => None,
        }
    }

    /// One move of a fetch.
    pub fn read(&mut self, config: &Config, index: usize, step: Move) {
        let fetch = self.readers[index];
        self.readers[index] = match (fetch, step) {
            (Fetch::Asked { at, .. }, Move::ReadKey) => Fetch::SeenKey { at, record: self.records.keys[at.key] },
            (Fetch::Asked { at, .. }, Move::ReadNamespace) => self.see_namespace(config, at),
            (Fetch::SeenKey { at, record }, _) => {
                let generation = self.records.generation(self.refuses, config.without);
                let seen = (generation, self.records.epoch.epoch);
                let got = self.records.lookup(at.key, record, seen, self.refuses, config.without);
                self.after_get(config, at, got).unwrap_or_default()
            }
            (Fetch::SeenNamespace { at, generation, epoch }, _) => {
                let record = self.records.keys[at.key];
                let got = self.records.lookup(at.key, record, (generation, epoch), self.refuses, config.without);
                self.after_get(config, at, got).unwrap_or_default()
            }
            (Fetch::Asked { at, proven }, Move::Backend) => {
                let got = self.records.get(at.key, self.refuses, config.without);
                Fetch::Answered { at, proven, got, epoch: self.records.epoch.epoch }
            }
            (Fetch::Answered { .. }, Move::Reply) => self.reply(config, fetch),
            (Fetch::Missed { key, lease, .. }, Move::Origin) => {
                Fetch::Filling { key, lease, version: self.origin[key] }
            }
            (Fetch::Filling { key, lease, version }, Move::Fill { .. }) => {
                self.call(config, Call::Fill { key, lease, version });
                Fetch::Idle
            }
            (Fetch::Filling { key, version, .. }, Move::LateLease) => self.late_lease(config, key, version),
            (Fetch::Missed { least, .. }, Move::Join { other }) => self.join(least, other),
            _ => Fetch::Idle,
        };
    }

    fn see_namespace(&mut self, config: &Config, at: At) -> Fetch {
        let generation = self.records.generation(self.refuses, config.without);
        Fetch::SeenNamespace { at, generation, epoch: self.records.epoch.epoch }
    }

    fn reply(&mut self, config: &Config, fetch: Fetch) -> Fetch {
        let Fetch::Answered { at, proven: was_proven, got, epoch } = fetch else { return fetch };
        let same = self.replicas[at.replica].epoch == epoch || config.lacks(Part::ProofOfThatEpoch);
        let now = same && self.serves(config, at.replica);
        let proven = if config.lacks(Part::CanaryCheckedLast) { was_proven } else { now };
        let leases = matches!(got, Got::Miss(_)) && config.lacks(Part::NoLeaseUnproven);
        if !self.routers[at.router].linked || !proven && !leases {
            return Fetch::Idle;
        }
        self.after_get(config, at, got).unwrap_or_default()
    }

    fn late_lease(&mut self, config: &Config, key: usize, version: u16) -> Fetch {
        match self.records.get(key, self.refuses, config.without) {
            Got::Miss(lease) => Fetch::Filling { key, lease, version },
            _ => Fetch::Idle,
        }
    }

    fn join(&mut self, least: u16, other: usize) -> Fetch {
        if let Fetch::Filling { version, .. } = self.readers[other] {
            self.answer(version, least);
        }
        Fetch::Idle
    }
}
