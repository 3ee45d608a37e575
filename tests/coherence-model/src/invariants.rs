//! What must always hold, and the exact cases in which it need not.

use crate::config::Config;
use crate::state::{LAPSE, State, Step};

/// Rule 3 of the design: no fetch that starts after an acknowledged write returns an older value.
pub const RULE_3: &str = "a fetch after an acknowledged write is no older";
/// When nothing is under way, what the cache would serve is what the origin has.
pub const QUIET: &str = "a quiet cache equals the origin";
/// Not an invariant: shows that the model does cache written values at all.
pub const CACHES: &str = "a written value is served from the cache";

/// Holds if no fetch under way broke rule 3, and none that began and ended now would.
pub fn keeps_rule_3(config: &Config, state: &State) -> bool {
    if state.stale.is_some() {
        return false;
    }
    (0..config.keys).all(|key| match state.records.servable(key, config.without) {
        None => true,
        Some(version) => (0..config.routers)
            .filter(|router| reads(config, state, *router, key))
            .all(|router| version >= state.acked[router][key]),
    })
}

/// Whether a fetch of a router now would get the cache's answer.
fn reads(config: &Config, state: &State, router: usize, key: usize) -> bool {
    let served = (0..config.replicas).any(|index| state.replicas[index].works() && state.serves(config, index));
    state.routers[router].linked && served && !state.bypasses(config, router, key)
}

/// Holds if no key at rest is cached otherwise than the origin has it.
pub fn quiet_is_right(config: &Config, state: &State) -> bool {
    (0..config.keys).all(|key| {
        !is_quiet(config, state, key)
            || state.records.servable(key, config.without).is_none_or(|version| version == state.origin[key])
            || is_excused(config, state, key)
    })
}

fn is_quiet(config: &Config, state: &State, key: usize) -> bool {
    let at_rest = state.writers.iter().zip(&config.writers).all(|(writer, plan)| {
        plan.kind.keys() >> key & 1 == 0 || matches!(writer.step, Step::Idle | Step::Done | Step::Lost)
    });
    let lasting = !config.timed() || state.records.epoch.age < LAPSE;
    at_rest && lasting && state.records.keys[key].holds == 0 && state.records.namespace.holds == 0
}

/// The cases in which a stale value may stay until it expires: a writer of this key never finished, and either its
/// hold was lost before the origin applied the write, or it died owing a release that only its own router could not deliver.
fn is_excused(config: &Config, state: &State, key: usize) -> bool {
    state.writers.iter().zip(&config.writers).any(|(writer, plan)| {
        let of_key = plan.kind.keys() >> key & 1 == 1;
        let hold_was_lost = writer.bare >> key & 1 == 1;
        let died_owing = writer.acked && writer.excused;
        of_key && writer.step == Step::Lost && (hold_was_lost || died_owing)
    })
}

/// Whether a version that a writer made is served.
pub fn caches(config: &Config, state: &State) -> bool {
    (0..config.keys).any(|key| state.records.servable(key, config.without).is_some_and(|version| version > 0))
}
