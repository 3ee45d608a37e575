//! The write operations of Turbopuffer's wire.

/// A member of a write body that makes it a write. Source: Turbopuffer's API, `POST /v2/namespaces/{namespace}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Operation {
    /// `upsert_rows`: whole documents, one object each.
    UpsertRows,
    /// `upsert_columns`: whole documents, one array per attribute.
    UpsertColumns,
    /// `patch_rows`: changed attributes, one object per document.
    PatchRows,
    /// `patch_columns`: changed attributes, one array per attribute.
    PatchColumns,
    /// `deletes`: ids.
    Deletes,
    /// `delete_by_filter`: a filter.
    DeleteByFilter,
    /// `patch_by_filter`: a filter and one patch for all that match it.
    PatchByFilter,
    /// `schema`: declares or changes attributes.
    Schema,
    /// `copy_from_namespace`: fills this namespace from another.
    CopyFromNamespace,
    /// `branch_from_namespace`: makes this namespace a copy on write of another.
    BranchFromNamespace,
    /// `create_namespace`: creates the namespace without documents, or forbids creating it.
    CreateNamespace,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 11] = [
        Self::UpsertRows,
        Self::UpsertColumns,
        Self::PatchRows,
        Self::PatchColumns,
        Self::Deletes,
        Self::DeleteByFilter,
        Self::PatchByFilter,
        Self::Schema,
        Self::CopyFromNamespace,
        Self::BranchFromNamespace,
        Self::CreateNamespace,
    ];

    /// The operation's key in the body.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::UpsertRows => "upsert_rows",
            Self::UpsertColumns => "upsert_columns",
            Self::PatchRows => "patch_rows",
            Self::PatchColumns => "patch_columns",
            Self::Deletes => "deletes",
            Self::DeleteByFilter => "delete_by_filter",
            Self::PatchByFilter => "patch_by_filter",
            Self::Schema => "schema",
            Self::CopyFromNamespace => "copy_from_namespace",
            Self::BranchFromNamespace => "branch_from_namespace",
            Self::CreateNamespace => "create_namespace",
        }
    }

    pub(crate) fn from_key(key: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.key().as_bytes() == key)
    }
}

/// Which operations a body carries with a value other than `null`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperationSet(u16);

impl OperationSet {
    /// Whether `operation` is among them.
    #[must_use]
    pub fn contains(self, operation: Operation) -> bool {
        self.0 & Self::bit(operation) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The operations, in the order of [`Operation::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Operation> {
        Operation::ALL.into_iter().filter(move |operation| self.contains(*operation))
    }

    pub(crate) fn insert(&mut self, operation: Operation) {
        self.0 |= Self::bit(operation);
    }

    fn bit(operation: Operation) -> u16 {
        1 << operation as u8
    }
}

impl FromIterator<Operation> for OperationSet {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        let mut set = Self::default();
        operations.into_iter().for_each(|operation| set.insert(operation));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_known_by_its_key_and_counted_apart() {
        for operation in Operation::ALL {
            assert_eq!(Operation::from_key(operation.key().as_bytes()), Some(operation));
            let set: OperationSet = [operation].into_iter().collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), [operation]);
        }
        assert_eq!(Operation::from_key(b"upserts"), None);
        assert!(OperationSet::default().is_empty());
    }
}
