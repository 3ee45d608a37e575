//! The handle by which tests make things go wrong, and see what was asked.

mod counters;
mod faults;
pub(crate) mod port;

pub use counters::Counters;
pub(crate) use counters::{Tally, count};
pub use faults::{Faults, SetLimit, Slow, SlowPhase, StopWrites};

use std::sync::Arc;
use std::time::Duration;

use crate::server::Shared;

/// What a restart does with the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// All are gone, as with an empty file.
    Empty,
    /// All are as they were.
    Keep,
    /// All are as at the last [`Control::mark`]: what was deleted since is back, what was written since is lost.
    Marked,
    /// All are as they were, and every deleted record is back as it last was: a restart on the old file.
    Resurrected,
}

/// Commands a stand-in. A cheap clone.
#[derive(Debug, Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// What is wrong at present.
    pub fn faults(&self) -> Faults {
        self.shared.faults()
    }

    /// Changes what is wrong, from the next request on.
    pub fn update(&self, change: impl FnOnce(&mut Faults)) {
        self.shared.faults.send_modify(change);
    }

    /// Nothing is wrong any more. The port opens again; limits of sets stay.
    pub fn heal(&self) {
        self.update(|faults| *faults = Faults::default());
        self.refuse_connections(false);
    }

    /// Whether writes are refused for want of space.
    pub fn stop_writes(&self, stop_writes: StopWrites) {
        self.update(|faults| faults.stop_writes = stop_writes);
    }

    /// Whether writes get code 18.
    pub fn device_overload(&self, on: bool) {
        self.update(|faults| faults.device_overload = on);
    }

    /// Slow answers, or none.
    pub fn slow(&self, slow: Option<Slow>) {
        self.update(|faults| faults.slow = slow);
    }

    /// Whether requests are read and never done nor answered.
    pub fn black_hole(&self, on: bool) {
        self.update(|faults| faults.black_hole = on);
    }

    /// Whether it stands still, as a process under SIGSTOP: what waits is done when it goes on.
    pub fn pause(&self, on: bool) {
        self.update(|faults| faults.paused = on);
    }

    /// Whether requests are done and their connection is then closed without an answer.
    pub fn lose_replies(&self, on: bool) {
        self.update(|faults| faults.lose_replies = on);
    }

    /// Whether answers are noise.
    pub fn garbage(&self, on: bool) {
        self.update(|faults| faults.garbage = on);
    }

    /// Limits a set of every namespace; the default is no limit.
    pub fn limit_set(&self, set: &str, limit: SetLimit) {
        self.shared.store.each(|namespace| {
            namespace.limits.insert(set.as_bytes().to_vec().into(), limit);
        });
    }

    /// Closes every connection now. New ones are taken.
    pub fn drop_connections(&self) {
        self.shared.listening.send_modify(|now| now.number += 1);
    }

    /// Closes the port and every connection, or opens it again.
    pub fn refuse_connections(&self, on: bool) {
        self.shared.listening.send_if_modified(|now| {
            let changes = now.is_closed != on;
            now.is_closed = on;
            now.number += u64::from(changes && on);
            changes
        });
    }

    /// Keeps a copy of all records, for [`Restart::Marked`].
    pub fn mark(&self) {
        self.shared.store.mark();
    }

    /// Dies: the port closes, connections break, requests under way are not done. Nobody listens until [`Control::boot`].
    pub fn kill(&self) {
        self.shared.listening.send_modify(|now| {
            now.number += 1;
            now.boot += 1;
            now.is_closed = true;
        });
    }

    /// Comes back after [`Control::kill`]: sessions are over, the uptime starts again.
    pub fn boot(&self, restart: Restart) {
        match restart {
            Restart::Keep => {}
            Restart::Empty => self.shared.store.each(|namespace| namespace.clear()),
            Restart::Marked => self.shared.store.restore(),
            Restart::Resurrected => self.shared.store.each(|namespace| namespace.resurrect()),
        }
        self.shared.sessions.forget();
        self.shared.set_uptime(Duration::ZERO);
        self.refuse_connections(false);
    }

    /// [`Control::kill`] and [`Control::boot`].
    pub fn restart(&self, restart: Restart) {
        self.kill();
        self.boot(restart);
    }

    /// Sets the uptime that the statistics give.
    pub fn set_uptime(&self, uptime: Duration) {
        self.shared.set_uptime(uptime);
    }

    /// Moves the server's clock: records expire without anybody's waiting.
    pub fn advance_clock(&self, by: Duration) {
        self.shared.store.clock.advance(by);
    }

    /// Removes a record as eviction does; the name is the key's digest. Whether it was there, in any namespace.
    pub fn evict(&self, digest: &[u8; 20]) -> bool {
        let mut found = false;
        self.shared.store.each(|namespace| found |= namespace.evict(digest));
        found
    }

    /// Removes every record as eviction does.
    pub fn evict_all(&self) {
        self.shared.store.each(|namespace| {
            let all: Vec<_> = namespace.records().map(|(digest, _)| *digest).collect();
            all.iter().for_each(|digest| {
                namespace.evict(digest);
            });
        });
    }

    /// Whether there is a record of that name, in any namespace.
    pub fn contains(&self, digest: &[u8; 20]) -> bool {
        let now = self.shared.store.clock.now_secs();
        let mut found = false;
        self.shared.store.each(|namespace| found |= namespace.get(digest, now).is_some());
        found
    }

    /// Records of all namespaces.
    pub fn records(&self) -> u64 {
        let mut records = 0;
        self.shared.store.each(|namespace| records += namespace.objects());
        records
    }

    /// What was asked since the start or the last reset.
    pub fn counters(&self) -> Counters {
        self.shared.tally.read()
    }

    /// Counts from zero.
    pub fn reset_counters(&self) {
        self.shared.tally.reset();
    }

    /// Ends it for ever.
    pub(crate) fn stop(&self) {
        self.shared.listening.send_modify(|now| now.is_over = true);
    }

    /// Waits until [`Control::stop`].
    pub(crate) async fn stopped(&self) {
        let _ = self.shared.listening.subscribe().wait_for(|now| now.is_over).await;
    }
}
