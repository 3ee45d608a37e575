//! The sampled comparison of hits with the origin: whether the cache's promise holds in production.
//!
//! It runs after the reply, and few at once. A difference alone says nothing: a write may have come between. So where the
//! origin says something else than the hit did, the cache is asked again: a write would have cleared the value. Only a
//! value that the cache still serves although the origin had another before is stale.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use super::{coalesce::Found, id::Asked, origin::OriginReader, place::Place, read::Origin};
use crate::core::Core;

/// How long a comparison may take.
const PATIENCE: Duration = Duration::from_secs(10);

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Core {
    /// Compares one hit in so many with the origin, in the background.
    pub(super) fn verify(&self, place: &Arc<Place>, id: &Asked, hit: Found) {
        let one_in = self.shared.settings.fetch.verify_one_in;
        if one_in == 0 || !COUNT.fetch_add(1, Ordering::Relaxed).is_multiple_of(one_in) {
            return;
        }
        let Some(permit) = self.shared.fetch.verifying.enter() else { return };
        let (reader, place, id) = (self.reader(), Arc::clone(place), id.clone());
        tokio::spawn(async move {
            let result = compare(&reader, &place, &id, &hit).await;
            reader.shared.fetch.observe.verified(result);
            drop(permit);
        });
    }
}

async fn compare(reader: &OriginReader, place: &Arc<Place>, id: &Asked, hit: &Found) -> &'static str {
    let until = Instant::now() + PATIENCE;
    let ids = std::slice::from_ref(id);
    let Ok(now) = reader.read(place, ids, true, until).await else { return "unknown" };
    if now.found.first() == Some(hit) {
        return "same";
    }
    match reader.read(place, ids, false, until).await {
        Ok(again) if again.from == Origin::Hit && again.found.first() == Some(hit) => "stale",
        Ok(_) => "changed",
        Err(_) => "unknown",
    }
}
