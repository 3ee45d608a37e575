//! Runs a configuration and tells what was found, for the tests.

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};

use crate::config::Config;
use crate::invariants::{CACHES, QUIET, RULE_3};

/// An exploration that takes longer than this failed, whatever it found.
const LONGEST: Duration = Duration::from_secs(300);

/// What an exploration found.
#[derive(Debug)]
pub struct Found {
    /// How many different states there are (or were seen until a violation).
    pub states: usize,
    /// A trace to a violation, and of what.
    pub violation: Option<(&'static str, String)>,
    /// Whether a written value was ever served from the cache.
    pub caches: bool,
}

/// Explores every interleaving.
///
/// # Panics
/// If it did not end in time: then nothing is known.
pub fn explore(config: Config) -> Found {
    let name = config.name;
    let without = config.without;
    let begun = Instant::now();
    let checker =
        config.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).timeout(LONGEST).spawn_bfs().join();
    let violation = [RULE_3, QUIET].into_iter().find_map(|property| {
        let path = checker.discovery(property)?;
        Some((property, path.to_string()))
    });
    assert!(begun.elapsed() < LONGEST, "{name}: not explored in {LONGEST:?}");
    let states = checker.unique_state_count();
    println!("{name}, without {without:?}: {states} states, depth {}, {:.1?}", checker.max_depth(), begun.elapsed());
    Found { states, violation, caches: checker.discovery(CACHES).is_some() }
}
