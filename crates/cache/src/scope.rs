//! Where keys live.

use std::sync::Arc;

use layer_proto::cache::v1;

/// The longest tenant's name, in bytes.
pub const TENANT_BYTES_MAX: usize = 64;
/// The longest namespace's name, in bytes.
pub const NAMESPACE_BYTES_MAX: usize = 128;

/// What a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A row of the namespace by its id.
    Document,
    /// A chunk of a document's text.
    Chunk,
    /// A snapshot of the namespace.
    Snapshot,
    /// A blob by the SHA-256 of its bytes.
    Blob,
}

/// Where keys live: tenant, namespace and kind. A clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    place: Arc<Place>,
    kind: Kind,
}

/// A namespace of a tenant: what a purge is about, and what keys of all kinds share.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) tenant: String,
    pub(crate) namespace: String,
}

/// A name that the cache does not take. The origin takes no such namespace either, so nothing of it can be cached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {field} must have 1 to {max} bytes")]
pub struct InvalidScope {
    /// `tenant` or `namespace`.
    pub field: &'static str,
    /// The longest that is taken, in bytes.
    pub max: usize,
}

impl Scope {
    /// Keys of `kind` in a namespace of a tenant.
    ///
    /// # Errors
    /// [`InvalidScope`] where a name is empty or too long.
    pub fn new(tenant: &str, namespace: &str, kind: Kind) -> Result<Self, InvalidScope> {
        for (field, name, max) in [("tenant", tenant, TENANT_BYTES_MAX), ("namespace", namespace, NAMESPACE_BYTES_MAX)]
        {
            if name.is_empty() || name.len() > max {
                return Err(InvalidScope { field, max });
            }
        }
        let place = Arc::new(Place { tenant: tenant.to_owned(), namespace: namespace.to_owned() });
        Ok(Self { place, kind })
    }

    /// The same namespace's keys of another kind.
    pub fn of_kind(&self, kind: Kind) -> Self {
        Self { place: Arc::clone(&self.place), kind }
    }

    /// The store's name.
    pub fn tenant(&self) -> &str {
        &self.place.tenant
    }

    /// The origin's namespace.
    pub fn namespace(&self) -> &str {
        &self.place.namespace
    }

    /// What the keys name.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// As the contract has it.
    pub(crate) fn message(&self) -> v1::Scope {
        let kind = match self.kind {
            Kind::Document => v1::Kind::Document,
            Kind::Chunk => v1::Kind::Chunk,
            Kind::Snapshot => v1::Kind::Snapshot,
            Kind::Blob => v1::Kind::Blob,
        };
        v1::Scope { tenant: self.tenant().to_owned(), namespace: self.namespace().to_owned(), kind: kind.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_the_cache_does_not_take() {
        let field =
            |tenant: &str, namespace: &str| Scope::new(tenant, namespace, Kind::Document).err().map(|e| e.field);
        assert_eq!(field("t", "n"), None);
        assert_eq!(field("", "n"), Some("tenant"));
        assert_eq!(field("t", ""), Some("namespace"));
        assert_eq!(field(&"t".repeat(64), &"n".repeat(128)), None);
        assert_eq!(field(&"t".repeat(65), "n"), Some("tenant"));
        assert_eq!(field("t", &"n".repeat(129)), Some("namespace"));
    }
}
