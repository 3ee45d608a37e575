//! Records are found by bytes that name scope and id without ambiguity: every part but the last has its length before it.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use super::bounded::Hashed;
use crate::backend::{Kind, Scope};

/// Names of records, made in one buffer: a call of many ids writes the scope once.
pub(super) struct Names<'a> {
    buffer: Vec<u8>,
    scope_bytes: usize,
    hasher: &'a DefaultHashBuilder,
}

impl<'a> Names<'a> {
    /// Names within `scope`.
    pub(super) fn of(scope: &Scope, hasher: &'a DefaultHashBuilder) -> Self {
        let mut names = Self::of_namespace(&scope.tenant, &scope.namespace, hasher);
        names.buffer.push(tag(scope.kind));
        names.scope_bytes += 1;
        names
    }

    /// Names of a namespace, whatever the kind.
    pub(super) fn of_namespace(tenant: &str, namespace: &str, hasher: &'a DefaultHashBuilder) -> Self {
        let mut buffer = Vec::with_capacity(64);
        for part in [tenant, namespace] {
            buffer.extend((part.len() as u64).to_le_bytes());
            buffer.extend(part.as_bytes());
        }
        Self { scope_bytes: buffer.len(), buffer, hasher }
    }

    /// The name of `id`.
    pub(super) fn id(&mut self, id: &[u8]) -> Hashed<'_> {
        self.buffer.truncate(self.scope_bytes);
        self.buffer.extend_from_slice(id);
        self.hashed()
    }

    /// The name of the scope itself.
    pub(super) fn hashed(&self) -> Hashed<'_> {
        Hashed { hash: self.hasher.hash_one(self.buffer.as_slice()), bytes: &self.buffer }
    }
}

fn tag(kind: Kind) -> u8 {
    match kind {
        Kind::Document => 1,
        Kind::Chunk => 2,
        Kind::Snapshot => 3,
        Kind::Blob => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_share_a_name() {
        let hasher = DefaultHashBuilder::default();
        let mut seen = std::collections::HashSet::new();
        for (tenant, namespace, kind, id) in [
            ("a", "b", Kind::Document, "c"),
            ("ab", "", Kind::Document, "c"),
            ("a", "b", Kind::Chunk, "c"),
            ("a", "", Kind::Document, "bc"),
            ("a", "bc", Kind::Document, ""),
            ("", "ab", Kind::Document, "c"),
        ] {
            let scope = Scope { tenant: tenant.to_owned(), namespace: namespace.to_owned(), kind };
            assert!(seen.insert(Names::of(&scope, &hasher).id(id.as_bytes()).bytes.to_vec()));
        }
    }
}
