//! The state of all queues, in PostgreSQL or SQLite.
//!
//! One implementation serves both: the statements are the same text but for what [`dialect`] puts in. Every call that
//! changes items is one transaction: it reads the queue and the database's clock, reads the items under a lock, decides by
//! the plain functions of [`rules`], and writes all of them at once. It never does anything else meanwhile: no call to
//! the object store, the origin or a cache is made inside a transaction. No process's clock is ever bound to a statement.
//!
//! Every call may be repeated: after [`Error::Unavailable`] its outcome may be unknown, and repeating it is right.

mod bodies;
mod claim;
mod connect;
mod counts;
mod dead;
mod dialect;
mod error;
mod items;
mod lease;
mod look;
mod model;
mod observe;
mod packs;
mod purge;
mod queues;
mod rounds;
mod rows;
mod rules;
mod search;
mod settings;
mod specs;
mod staging;
mod stale;
mod unit;
mod written;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use dialect::Dialect;
use sqlx::AnyPool;

pub use claim::Claim;
pub use counts::{StageCount, Status};
pub use dead::DeadLetter;
pub use error::Error;
pub use lease::{Completed, Failed, Output};
pub use look::{Allowed, Stored};
pub use model::{
    Body, Claimed, Guard, Held, InPack, ItemView, Kind, Outcome, Queue, Reason, Refusal, Retry, Spec, Standing, Verdict,
};
pub use observe::METRICS;
pub use purge::Purged;
pub use rounds::Plan;
pub use rows::{Given, Vouched};
pub use search::{Page, Scan, Searched};
pub use settings::StateSettings;
pub use specs::Outdates;
pub use staging::{Staged, Staging};
pub use stale::Cleanup;

/// The state store; clones share it.
#[derive(Debug, Clone)]
pub struct State {
    pool: AnyPool,
    dialect: Dialect,
    observe: observe::Observe,
    /// The schema is up to date.
    migrated: Arc<AtomicBool>,
    /// How long one attempt of a call may take: a server that stands still answers nothing, not even that it is late.
    attempt_max: Duration,
    /// How long a row write may still arrive after it was allowed, in milliseconds.
    late_write_ms: i64,
    /// How long an object that no row names is left alone, in milliseconds.
    body_grace_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Services spawn these: a future that is not `Send` would show only there.
    #[test]
    fn every_call_can_be_spawned() {
        fn send<T: Send>(_: impl Future<Output = T> + Send) {}
        #[allow(dead_code, reason = "it need only compile")]
        fn calls(
            (state, kind, guard, queue, claim): (&State, Kind, &Guard, &Queue, &Claim),
            plan: &(dyn Fn(&Queue, i64) -> Plan + Send + Sync),
            scan: &Scan,
        ) {
            send(state.migrate());
            send(state.create(kind, "", &queue.spec));
            send(state.list(kind, "", 1));
            send(state.delete(kind, ""));
            send(state.stage(kind, "", &[]));
            send(state.items(kind, "", &[]));
            send(state.check(queue, &[], guard));
            send(state.body(queue, "", None));
            send(state.by_id(kind, &[]));
            send(state.claim(kind, "", claim));
            send(state.heartbeat(kind, "", &[], guard, 1));
            send(state.release(kind, "", &[], guard));
            send(state.complete(kind, "", &[], guard, None));
            send(state.fail(kind, "", &[], guard));
            send(state.set_stage(kind, "", &[], guard, "", false));
            send(state.status(kind, ""));
            send(state.dead_letters(kind, "", "", 1));
            send(state.requeue(kind, "", &[], 1));
            send(state.purge(queue, 1));
            send(state.purge_deleted(1));
            send(state.deleted(kind));
            send(state.cleanups(1, 1));
            send(state.cleaned(&[]));
            send(state.orphans(1, &[]));
            send(state.upsert(kind, "", &queue.spec, |_, _| true));
            send(state.set_paused(kind, "", true));
            send(state.enqueue(kind, "", &[]));
            send(state.hand_out(kind, "", &[]));
            send(state.vouch(kind, "", &[], guard, 1));
            send(state.finish(kind, "", &[], true));
            send(state.searching("", 1));
            send(state.begin_round("", plan));
            send(state.take_scan("", 1, 1, 1));
            send(state.scanned(scan, &Page::Last, &[]));
            send(state.searched(""));
            send(state.hasten(""));
        }
    }
}
