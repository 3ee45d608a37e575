//! How large the rows of a namespace are, as far as is known: so that a batch asks for as many at once as it may hold.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::place::Place;

/// Namespaces whose sizes are remembered.
const PLACES_MAX: usize = 4096;

/// The bytes of a row, by namespace: a little more than the average of late. Only how much is asked for at once hangs on
/// it, never whether it is held: rows of one namespace may differ by a thousand times.
#[derive(Default)]
pub struct Sizes(Mutex<HashMap<Arc<Place>, u64>>);

impl Sizes {
    /// What is known of `place`.
    pub fn of(&self, place: &Arc<Place>) -> Option<u64> {
        self.lock().get(place).copied()
    }

    /// So many rows had so many bytes. Larger ones are believed at once, smaller ones by and by.
    pub fn learn(&self, place: &Arc<Place>, rows: usize, bytes: u64) {
        let Some(average) = bytes.checked_div(rows as u64) else { return };
        let mut known = self.lock();
        if let Some(size) = known.get_mut(place) {
            *size = average.max((*size + average) / 2);
            return;
        }
        if known.len() >= PLACES_MAX {
            known.clear();
        }
        known.insert(Arc::clone(place), average);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<Place>, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_rows_are_believed_at_once_and_small_ones_by_and_by() {
        let place = || {
            Arc::new(Place { namespace: "a".to_owned(), authorization: None, by_key: false, scope: None, ttl: None })
        };
        let sizes = Sizes::default();
        sizes.learn(&place(), 0, 0);
        assert_eq!(sizes.of(&place()), None);
        let after = |rows, bytes| {
            sizes.learn(&place(), rows, bytes);
            sizes.of(&place())
        };
        assert_eq!([after(10, 1000), after(2, 4000), after(10, 0)], [Some(100), Some(2000), Some(1000)]);
    }
}
