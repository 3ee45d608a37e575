//! One record.

use bytes::Bytes;

use crate::value::{Value, particle_size};

/// A record's name: RIPEMD-160 of set and key, made by the client.
pub(crate) type Digest = [u8; 20];

/// What a record takes beside its bins, about: the stand-in only needs the order of magnitude.
const OVERHEAD_BYTES: usize = 64;

/// A record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) set: Option<Bytes>,
    /// The user's key, where it was sent.
    pub(crate) key: Option<Bytes>,
    /// Changes; zero for a record that does not exist yet.
    pub(crate) generation: u16,
    /// Seconds since 2010; zero: never expires.
    pub(crate) void_time: u32,
    /// When it was last changed, in milliseconds since 2010.
    pub(crate) last_update_ms: u64,
    /// In the order in which they came.
    pub(crate) bins: Vec<(Bytes, Value)>,
}

impl Record {
    pub(crate) fn bin(&self, name: &[u8]) -> Option<&Value> {
        self.bins.iter().find(|(bin, _)| bin == name).map(|(_, value)| value)
    }

    /// Writes a bin; `Nil` removes it.
    pub(crate) fn set_bin(&mut self, name: &Bytes, value: Value) {
        let at = self.bins.iter().position(|(bin, _)| bin == name);
        match (at, value.is_nil()) {
            (Some(at), true) => drop(self.bins.remove(at)),
            (Some(at), false) => self.bins[at].1 = value,
            (None, true) => {}
            (None, false) => self.bins.push((name.clone(), value)),
        }
    }

    /// Generations wrap, and never back to zero.
    pub(crate) fn advance_generation(&mut self) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
    }

    pub(crate) fn is_expired(&self, now_secs: u32) -> bool {
        self.void_time != 0 && self.void_time <= now_secs
    }

    /// Bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        let bins: usize = self.bins.iter().map(|(name, value)| name.len() + 4 + particle_size(value)).sum();
        OVERHEAD_BYTES + self.key.as_ref().map_or(0, Bytes::len) + bins
    }
}
