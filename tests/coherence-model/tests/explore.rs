//! Every interleaving of every configuration keeps the protocol's promises.

use coherence_model::config::Config;
use coherence_model::configurations as all;
use coherence_model::run::explore;

fn keeps(config: Config) {
    let found = explore(config);
    if let Some((property, trace)) = found.violation {
        panic!("broken: {property}\n{trace}");
    }
    assert!(found.caches, "nothing written was ever served: the model shows nothing");
}

macro_rules! configurations {
    ($($name:ident),* $(,)?) => { $(
        #[test]
        fn $name() {
            keeps(all::$name());
        }
    )* };
}

configurations!(
    one_key,
    late_calls,
    filters,
    filters_refused,
    leases_under_namespace_holds,
    several_keys,
    split_gets,
    empty_restart,
    outage,
    outage_by_filter,
    outage_whole,
    outage_lost,
    outage_refused,
    two_replicas,
    pause,
    pause_embedded,
    cut_router,
    old_restart,
    old_restart_lost,
);
