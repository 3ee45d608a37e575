//! Records in memory.

mod clock;
mod namespace;
mod record;

pub(crate) use clock::{Clock, ms_of_unix_nanos, unix_nanos};
pub(crate) use namespace::{Namespace, SetUse};
pub(crate) use record::{Digest, Record};

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Settings of a namespace, under the names that the server's configuration has for them.
#[derive(Debug, Clone)]
pub struct NamespaceOptions {
    /// `default-ttl`, in seconds: the life of a record written with time to live 0. Zero: for ever.
    pub default_ttl: u32,
    /// `nsup-period`, in seconds. Zero: nothing expires, and a write with a time to live is refused with code 22.
    pub nsup_period: u32,
    /// `max-record-size`, in bytes: a larger record is refused with code 13.
    pub max_record_bytes: usize,
    /// What the statistics give as the size of the storage, in bytes.
    pub data_total_bytes: u64,
}

impl Default for NamespaceOptions {
    fn default() -> Self {
        Self { default_ttl: 0, nsup_period: 120, max_record_bytes: 1 << 20, data_total_bytes: 1 << 30 }
    }
}

/// All namespaces. Each has one lock: a stand-in is not measured.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) clock: Clock,
    /// In the order of the configuration.
    pub(crate) names: Vec<String>,
    namespaces: HashMap<String, Mutex<Namespace>>,
    /// What [`Store::mark`] kept.
    marked: Mutex<HashMap<String, Namespace>>,
}

impl Store {
    pub(crate) fn new(namespaces: &[(String, NamespaceOptions)]) -> Self {
        let names = namespaces.iter().map(|(name, _)| name.clone()).collect();
        let namespaces = namespaces
            .iter()
            .map(|(name, options)| (name.clone(), Mutex::new(Namespace::new(options.clone()))))
            .collect();
        Self { clock: Clock::default(), names, namespaces, marked: Mutex::default() }
    }

    /// The namespace of that name, locked.
    pub(crate) fn namespace(&self, name: &[u8]) -> Option<MutexGuard<'_, Namespace>> {
        let name = std::str::from_utf8(name).ok()?;
        self.namespaces.get(name).map(lock)
    }

    /// Keeps a copy of everything, for [`Store::restore`].
    pub(crate) fn mark(&self) {
        let copy = self.namespaces.iter().map(|(name, namespace)| (name.clone(), lock(namespace).clone())).collect();
        *lock(&self.marked) = copy;
    }

    /// Brings back what [`Store::mark`] kept: nothing, if it never did.
    pub(crate) fn restore(&self) {
        let marked = lock(&self.marked);
        for (name, namespace) in &self.namespaces {
            match marked.get(name) {
                Some(copy) => *lock(namespace) = copy.clone(),
                None => lock(namespace).clear(),
            }
        }
    }

    pub(crate) fn each(&self, mut work: impl FnMut(&mut Namespace)) {
        self.namespaces.values().for_each(|namespace| work(&mut lock(namespace)));
    }
}

/// A panic elsewhere does not make the records unusable for the test that looks at them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
