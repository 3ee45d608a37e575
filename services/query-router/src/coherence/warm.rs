//! Warming on write: what a small write named is read back into the cache, in the background.
//!
//! It is a fetch like any other, made after the release: a lease from the cache, a strong read of the origin, a fill. So
//! it needs no rule of its own to be right, and it is dropped whenever there is too much to do.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use layer_cache::Affects;
use layer_wire::{Id, Ids};

use super::plan::Written;
use crate::{
    core::Core,
    fetch::{Asked, DocId, Place},
};

/// How long reading back may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Documents to read back, and where.
pub struct Warm {
    place: Arc<Place>,
    ids: Vec<Asked>,
}

impl Core {
    /// What is to be read back after a write that is held by key; nothing where the namespace is not warmed or not
    /// cached.
    pub(super) fn warmed(&self, affects: &Affects, written: Option<&Written>, place: Arc<Place>) -> Option<Warm> {
        let Affects::Keys(_) = affects else { return None };
        place.scope.as_ref()?;
        let policy = self.shared.coherence.policy(&place.name()?);
        let ids = written?.touched.ids.as_ref().filter(|_| policy.warm_on_write)?;
        Some(Warm { place, ids: asked(ids) })
    }

    /// Reads them back in the background, where there is room.
    pub(super) fn read_back(&self, warm: Warm) {
        let Some(busy) = self.shared.coherence.warming.enter() else { return };
        let reader = self.reader();
        tokio::spawn(async move {
            let _busy = busy;
            // Best effort: a document that could not be read is read by whoever asks for it next.
            let _ = reader.read(&warm.place, &warm.ids, false, Instant::now() + PATIENCE).await;
        });
    }
}

fn asked(ids: &Ids) -> Vec<Asked> {
    let id = |id: Id<'_>| match id {
        Id::Number(number) => DocId::Uint(number),
        Id::Text(text) => DocId::Text(text.into()),
    };
    ids.iter().map(|one| Asked::Exactly(id(one))).collect()
}
