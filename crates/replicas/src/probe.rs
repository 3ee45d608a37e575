//! Probing in the background, so that no caller pays for finding out who is there.

use std::{collections::HashMap, sync::Arc};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::replicas::{Replica, Replicas};

/// Causes that are logged of a replica before it answers again.
const CAUSES_MAX: usize = 4;

/// A replica that was probed, and why it failed, if it did.
pub type Probed = (Arc<Replica>, Option<String>);

/// Probes replicas that are not up, and idle ones, when they are due; for ever. `woken`: there may be one that is due.
/// `probe` asks one, and tells it ([`Replica::probed`]).
pub async fn watch<F: Future<Output = Probed>>(
    part: &'static str,
    replicas: &Replicas,
    woken: &Notify,
    probe: impl Fn(Arc<Replica>) -> F,
) {
    let mut flying = FuturesUnordered::new();
    let mut told: Told = HashMap::new();
    loop {
        let list = replicas.list();
        told.retain(|id, _| list.iter().any(|replica| replica.id == *id));
        let now = Instant::now();
        for replica in list.iter().filter(|replica| replica.probe_due().is_some_and(|due| due <= now)) {
            replica.begin_probe();
            flying.push(probe(Arc::clone(replica)));
        }
        let next = list.iter().filter_map(|replica| replica.probe_due()).min();
        tokio::select! {
            () = woken.notified() => {}
            Some((replica, cause)) = flying.next() => tell(part, &mut told, &replica, cause),
            () = sleep_until(next.unwrap_or(now)), if next.is_some() => {}
        }
    }
}

/// Why each replica could not be reached since it answered last, as far as it was logged.
type Told = HashMap<u64, Vec<String>>;

/// Logs why a replica cannot be reached, once for each cause: one that refuses a certificate breaks the connection off now
/// before and now after it has said so.
fn tell(part: &str, told: &mut Told, replica: &Replica, cause: Option<String>) {
    let Some(cause) = cause else { return drop(told.remove(&replica.id)) };
    let known = told.entry(replica.id).or_default();
    if known.len() < CAUSES_MAX && !known.contains(&cause) {
        tracing::warn!(part, replica = %replica.address, %cause, "a replica cannot be reached");
        known.push(cause);
    }
}

/// What a call failed of before it reached a replica: a refused connection, a certificate that is not trusted.
pub fn innermost(status: &tonic::Status) -> Option<String> {
    let mut error = std::error::Error::source(status)?;
    while let Some(source) = error.source() {
        error = source;
    }
    Some(error.to_string())
}
