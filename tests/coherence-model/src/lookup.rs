//! What a get does: it compares three records and may have to write two of them.
//!
//! The batch that reads key, namespace and epoch is no transaction, so the parts are separate functions: the model
//! calls them at one moment or at two, in either order. A get must never give a lease whose parts were read after
//! its caller asked the origin.

use crate::config::Part;
use crate::records::{GENERATION_OF_ABSENCE, Got, KeyRecord, Lease, Records, Value};

impl Records {
    /// The generation that a get goes by: makes one where there is none, and a new one where a hold ran out
    /// unreleased. None where the backend refuses that write.
    pub fn generation(&mut self, refuses: bool, without: Option<Part>) -> Option<u8> {
        let absent = self.namespace.generation == 0;
        if absent && without == Some(Part::AbsentNamespaceIsNone) {
            return Some(GENERATION_OF_ABSENCE);
        }
        let purge = self.namespace.expired != 0 && without != Some(Part::ExpiryPurges);
        if absent || purge {
            if refuses {
                return None;
            }
            self.namespace.generation = self.draw();
            self.namespace.expired = 0;
        }
        Some(self.namespace.generation)
    }

    /// Ends a get that saw `record`, `generation` and `epoch`.
    pub fn lookup(
        &mut self,
        key: usize,
        record: KeyRecord,
        seen: (Option<u8>, u8),
        refuses: bool,
        without: Option<Part>,
    ) -> Got {
        let (Some(generation), epoch) = seen else { return Got::NoLease };
        if epoch == 0 {
            return Got::NoLease;
        }
        let fresh = record.value.filter(|value| is_current(*value, generation, epoch, without));
        if let Some(value) = fresh {
            return Got::Hit(value.version);
        }
        if record.holds != 0 && without != Some(Part::NoLeaseUnderHold) {
            return Got::NoLease;
        }
        match self.token(key, record, refuses) {
            Some(token) => Got::Miss(Lease { token, generation, epoch }),
            None => Got::NoLease,
        }
    }

    /// The record's token; makes one where the record is absent, unless it changed since it was seen.
    fn token(&mut self, key: usize, seen: KeyRecord, refuses: bool) -> Option<u8> {
        if seen.token != 0 {
            return Some(seen.token);
        }
        if refuses || self.keys[key].token != 0 {
            return None;
        }
        self.keys[key].token = self.draw();
        Some(self.keys[key].token)
    }

    /// A get whose reads all happen now.
    pub fn get(&mut self, key: usize, refuses: bool, without: Option<Part>) -> Got {
        let generation = self.generation(refuses, without);
        self.lookup(key, self.keys[key], (generation, self.epoch.epoch), refuses, without)
    }

    /// The version that a get would serve now.
    pub fn servable(&self, key: usize, without: Option<Part>) -> Option<u16> {
        let mut copy = *self;
        match copy.get(key, false, without) {
            Got::Hit(version) => Some(version),
            _ => None,
        }
    }
}

fn is_current(value: Value, generation: u8, epoch: u8, without: Option<Part>) -> bool {
    let same_generation = value.generation == generation || without == Some(Part::GenerationCompared);
    let same_epoch = value.epoch == epoch || without == Some(Part::EpochCompared);
    same_generation && same_epoch
}
