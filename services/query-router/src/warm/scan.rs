//! The search for jobs whose router is gone.
//!
//! Routers' clocks may differ, so none is believed: a job is taken for left alone when its slot stays the same for a
//! whole lease by this router's own clock.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use layer_object_store::Error;

use super::{
    Start,
    job::Status,
    ledger::{Held, Ledger},
};
use crate::core::Core;

/// Slots with a job that are remembered between two looks; jobs beyond are looked at when others have ended.
const SEEN_MAX: usize = 10_000;
/// Pages of slots that one look reads.
const PAGES_MAX: usize = 64;

/// A slot's version, and since when it is that.
type Seen = HashMap<String, (String, Instant)>;

/// Takes jobs over, for ever.
pub async fn scan(core: &Core, ledger: &Ledger) {
    let lease = Duration::from_millis(core.shared.warm.settings.lease_ms);
    let mut seen = Seen::new();
    loop {
        // So that routers that were started together do not look together.
        tokio::time::sleep(lease.mul_f64(0.25 + fastrand::f64() / 6.0)).await;
        // While the store is away nobody can say anything of a job: what was seen before says nothing either.
        match look(ledger, &seen).await {
            Ok(now) => seen = now,
            Err(_) => seen.clear(),
        }
        for (namespace, (etag, since)) in &seen {
            if since.elapsed() >= lease {
                // What cannot be taken over now is tried again with the next look.
                let _ = take_over(core, ledger, namespace, etag).await;
            }
        }
    }
}

async fn look(ledger: &Ledger, before: &Seen) -> Result<Seen, Error> {
    let (mut now, mut after) = (Seen::new(), None);
    for _ in 0..PAGES_MAX {
        let (slots, next) = ledger.slots(after.as_deref()).await?;
        for (namespace, etag) in slots {
            let since =
                before.get(&namespace).filter(|(known, _)| *known == etag).map_or_else(Instant::now, |known| known.1);
            if now.len() < SEEN_MAX {
                now.insert(namespace, (etag, since));
            }
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    Ok(now)
}

async fn take_over(core: &Core, ledger: &Ledger, namespace: &str, etag: &str) -> Result<(), Error> {
    let common = &core.shared.warm;
    let Some(permit) = common.jobs.enter() else { return Ok(()) };
    let Some(held) = ledger.take_over(namespace, etag).await? else { return Ok(()) };
    common.observe.job("taken_over");
    let Some(place) = core.place_without_caller(namespace) else {
        return give_up(core, ledger, held).await;
    };
    // The receiver lives as long as this does.
    let _ = common.starts.send(Start { held, place, permit });
    Ok(())
}

async fn give_up(core: &Core, ledger: &Ledger, mut held: Held) -> Result<(), Error> {
    let reason = "the router that ran it is gone, and with it the caller's key, or the cache is off for this namespace; \
                  ask again";
    let job = held.slot.job.clone().ended(Status::Failed, Some(reason.to_owned()));
    ledger.end(&mut held, job).await?;
    core.shared.warm.observe.job(Status::Failed.name());
    Ok(())
}
