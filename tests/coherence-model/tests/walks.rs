//! Long random walks with three routers, three keys, two replicas and every fault.
//!
//! `LAYER_MODEL_SEED=N` starts at another seed, `LAYER_MODEL_WALKS=N` takes more walks.

use coherence_model::config::Part;
use coherence_model::configurations::everything;
use coherence_model::walk::walk;

const STEPS: usize = 3_000;
const WALKS: u64 = 2_000;
const FIRST_SEED: u64 = 0x1a_7e_12;

/// A few parts of each kind; tests/parts.rs has them all.
const MISSING: [Part; 8] = [
    Part::ReleaseClears,
    Part::ClearsKeys,
    Part::ClearsBeforeRelease,
    Part::GenerationCompared,
    Part::EpochCompared,
    Part::RemoveFallback,
    Part::BypassWhileOwing,
    Part::Settles,
];

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text}: a whole number is needed")),
        Err(_) => default,
    }
}

#[test]
fn every_fault_in_long_runs() {
    let first = setting("LAYER_MODEL_SEED", FIRST_SEED);
    let walks = setting("LAYER_MODEL_WALKS", WALKS);
    println!("seeds {first} to {}", first + walks - 1);
    let config = everything();
    let (mut steps, mut served) = (0, 0);
    for seed in first..first + walks {
        let walk = walk(&config, seed, STEPS);
        steps += walk.steps;
        served += walk.served;
        if let Some((property, trace)) = walk.violation {
            panic!("LAYER_MODEL_SEED={seed} LAYER_MODEL_WALKS=1 breaks: {property}\n{trace:#?}");
        }
    }
    println!("{steps} steps, a written value cached in {served} of them");
    assert!(served > steps / 20, "written values are hardly ever cached: the walks show little");
}

/// The walks do find what is missing.
#[test]
fn walks_find_a_missing_part() {
    let first = setting("LAYER_MODEL_SEED", FIRST_SEED);
    for part in MISSING {
        let config = everything().without(part);
        let found = (first..first + WALKS).any(|seed| walk(&config, seed, STEPS).violation.is_some());
        assert!(found, "nothing breaks without {part:?}");
    }
}
