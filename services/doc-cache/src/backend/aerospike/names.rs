//! Where each record lies: set and key.
//!
//! Sets are few and fixed (a kind each), never one per namespace: an Aerospike namespace holds some four thousand sets only.
//! The user key is not sent along; the server keeps its digest.

use aerospike::{Key, Value};

use super::settings::AerospikeSettings;
use crate::backend::{BackendError, Kind, Scope};

/// The names of all records of one cache.
#[derive(Debug, Clone)]
pub struct Names {
    namespace: String,
    prefix: String,
}

impl Names {
    /// As `settings` say.
    pub fn new(settings: &AerospikeSettings) -> Self {
        Self { namespace: settings.namespace.clone(), prefix: settings.set_prefix.clone() }
    }

    /// The record of a key.
    pub fn key(&self, scope: &Scope, id: &[u8]) -> Result<Key, BackendError> {
        let mut name = owner(&scope.tenant, &scope.namespace);
        name.extend_from_slice(id);
        self.record(kind_name(scope.kind), name)
    }

    /// The record of a namespace.
    pub fn namespace(&self, tenant: &str, namespace: &str) -> Result<Key, BackendError> {
        self.record("namespace", owner(tenant, namespace))
    }

    /// The record of the epoch.
    pub fn epoch(&self) -> Result<Key, BackendError> {
        self.record("control", b"epoch".to_vec())
    }

    /// The Aerospike namespace.
    pub fn aerospike_namespace(&self) -> &str {
        &self.namespace
    }

    /// The set of a kind, for metrics.
    pub fn set(&self, kind: Kind) -> String {
        format!("{}{}", self.prefix, kind_name(kind))
    }

    /// The set of namespace records, for metrics.
    pub fn namespace_set(&self) -> String {
        format!("{}namespace", self.prefix)
    }

    /// The set of the epoch's record, for metrics.
    pub fn control_set(&self) -> String {
        format!("{}control", self.prefix)
    }

    fn record(&self, set: &str, name: Vec<u8>) -> Result<Key, BackendError> {
        Key::new(self.namespace.clone(), format!("{}{set}", self.prefix), Value::Blob(name))
            .map_err(|error| BackendError::Failed(error.to_string()))
    }
}

/// Tenant and namespace, told apart by their lengths: no two pairs give the same bytes.
fn owner(tenant: &str, namespace: &str) -> Vec<u8> {
    let mut name = Vec::with_capacity(8 + tenant.len() + namespace.len() + 32);
    for part in [tenant, namespace] {
        name.extend_from_slice(&(part.len() as u32).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    name
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Document => "document",
        Kind::Chunk => "chunk",
        Kind::Snapshot => "snapshot",
        Kind::Blob => "blob",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str, namespace: &str, id: &[u8]) -> [u8; 20] {
        let names = Names::new(&AerospikeSettings::default());
        let scope = Scope { tenant: tenant.to_owned(), namespace: namespace.to_owned(), kind: Kind::Document };
        names.key(&scope, id).expect("a key").digest()
    }

    #[test]
    fn neighbours_never_share_a_record() {
        assert_ne!(key("a", "bc", b"d"), key("ab", "c", b"d"));
        assert_ne!(key("a", "b", b"cd"), key("a", "bc", b"d"));
        assert_eq!(key("a", "b", b"c"), key("a", "b", b"c"));
    }
}
