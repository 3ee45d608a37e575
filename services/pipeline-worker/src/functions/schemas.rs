//! The types of namespaces' attributes, remembered for a while.
//!
//! They decide what is declared in a write and how a result is written, never whether it is. What is remembered may be old:
//! a write that the origin refuses is tried once more with what is read anew.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Inner, RouterCalls, errors::Trouble};

/// How long types are remembered.
const KEPT: Duration = Duration::from_secs(60);
/// Of how many namespaces.
const NAMESPACES_MAX: usize = 1000;

/// Types by attribute name.
pub(crate) type Types = Arc<BTreeMap<String, String>>;

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    known: Mutex<HashMap<String, (Instant, Types)>>,
}

impl Schemas {
    fn get(&self, namespace: &str) -> Option<Types> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(namespace).filter(|(read, _)| read.elapsed() < KEPT).map(|(_, types)| Arc::clone(types))
    }

    fn put(&self, namespace: &str, types: &Types) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= NAMESPACES_MAX {
            known.retain(|_, (read, _)| read.elapsed() < KEPT);
        }
        if known.len() < NAMESPACES_MAX {
            known.insert(namespace.to_owned(), (Instant::now(), Arc::clone(types)));
        }
    }
}

impl<R: RouterCalls> Inner<R> {
    /// The types of a namespace's attributes. They are read anew where `names` has one that is not known.
    pub(crate) async fn types(&self, namespace: &str, names: &[&String]) -> Result<Types, Trouble> {
        match self.schemas.get(namespace).filter(|types| names.iter().all(|name| types.contains_key(*name))) {
            Some(types) => Ok(types),
            None => self.types_anew(namespace).await,
        }
    }

    /// The types of a namespace's attributes as they are now.
    pub(crate) async fn types_anew(&self, namespace: &str) -> Result<Types, Trouble> {
        let mut types = self.rows.types(namespace).await?;
        // It is no attribute of a row.
        types.remove("id");
        let types = Arc::new(types);
        self.schemas.put(namespace, &types);
        Ok(types)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_namespaces_are_remembered() {
        let (schemas, types) = (Schemas::default(), Types::default());
        for n in 0..=NAMESPACES_MAX {
            schemas.put(&n.to_string(), &types);
        }
        assert!(schemas.get("0").is_some() && schemas.get(&NAMESPACES_MAX.to_string()).is_none());
    }
}
