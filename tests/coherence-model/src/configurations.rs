//! The configurations that are explored: each is small enough to be explored whole, and together they bring every kind
//! of call together with every kind of fault.

use crate::config::{Config, Detail, Faults, Kind, Plan};

fn writer(kind: Kind) -> Plan {
    Plan { router: 0, kind }
}

/// Writers of one key.
const ONE: Kind = Kind::Keys(0b1);

/// Two writers of one key, three fetches, one lost writer, an eviction and stop-writes coming and going.
pub fn one_key() -> Config {
    Config {
        writers: vec![writer(ONE), writer(ONE)],
        fetches: 3,
        faults: Faults { lost_writers: 1, evicted_keys: 1, stop_writes: 2, purges: 1, ..Faults::default() },
        ..Config::new("one key", Detail::Records)
    }
}

/// Calls that arrive twice, or late.
pub fn late_calls() -> Config {
    Config {
        writers: vec![writer(ONE), writer(ONE)],
        fetches: 3,
        faults: Faults { lost_writers: 1, evicted_keys: 1, late_calls: 2, ..Faults::default() },
        ..Config::new("late calls", Detail::Records)
    }
}

/// A write by filter, a write of a known key and one that nobody can name the keys of.
pub fn filters() -> Config {
    Config {
        writers: vec![writer(Kind::Filter(0b1)), writer(ONE), writer(Kind::Whole(0b1))],
        fetches: 2,
        faults: Faults { lost_writers: 1, evicted_namespaces: 1, evicted_keys: 1, purges: 1, ..Faults::default() },
        ..Config::new("writes by filter", Detail::Records)
    }
}

/// Fetches against writes by filter alone: leases go on under a namespace hold.
pub fn leases_under_namespace_holds() -> Config {
    Config {
        writers: vec![writer(Kind::Filter(0b1)), writer(Kind::Filter(0b1))],
        fetches: 3,
        faults: Faults { lost_writers: 1, evicted_namespaces: 1, late_calls: 1, ..Faults::default() },
        ..Config::new("leases under namespace holds", Detail::Records)
    }
}

/// Writes under namespace holds that meet stop-writes, with late calls.
pub fn filters_refused() -> Config {
    Config {
        writers: vec![writer(Kind::Filter(0b1)), writer(Kind::Whole(0b1))],
        fetches: 2,
        faults: Faults { lost_writers: 1, stop_writes: 2, late_calls: 1, ..Faults::default() },
        ..Config::new("writes by filter under stop-writes", Detail::Records)
    }
}

/// Several keys in one write, held, cleared and released one after the other.
pub fn several_keys() -> Config {
    Config {
        keys: 2,
        writers: vec![writer(Kind::Keys(0b11)), writer(Kind::Filter(0b11)), writer(Kind::Keys(0b10))],
        fetches: 2,
        faults: Faults { lost_writers: 1, evicted_keys: 1, ..Faults::default() },
        ..Config::new("several keys", Detail::Records)
    }
}

/// Gets that read their records at two moments.
pub fn split_gets() -> Config {
    Config {
        writers: vec![writer(Kind::Filter(0b1)), writer(ONE), writer(Kind::Whole(0b1))],
        fetches: 2,
        faults: Faults { lost_writers: 1, evicted_namespaces: 1, ..Faults::default() },
        ..Config::new("gets in two parts", Detail::SplitGet)
    }
}

/// The cache restarts empty in the middle of everything.
pub fn empty_restart() -> Config {
    Config {
        writers: vec![writer(Kind::Filter(0b1)), writer(ONE)],
        fetches: 3,
        faults: Faults { lost_writers: 1, empty_restarts: 2, ..Faults::default() },
        ..Config::new("restarts empty", Detail::Records)
    }
}

/// The backend goes away and comes back; one writer meets an open breaker.
pub fn outage() -> Config {
    Config {
        routers: 2,
        fetch_routers: 1..2,
        writers: vec![writer(ONE), writer(ONE)],
        faults: Faults { backend_cuts: 1, ..Faults::default() },
        ..Config::new("outage", Detail::Timed)
    }
}

/// An outage while a write by filter is under way.
pub fn outage_by_filter() -> Config {
    Config {
        routers: 2,
        fetch_routers: 1..2,
        writers: vec![writer(Kind::Filter(0b1))],
        faults: Faults { backend_cuts: 1, lost_writers: 1, evicted_epochs: 1, ..Faults::default() },
        ..Config::new("outage, write by filter", Detail::Timed)
    }
}

/// An outage while a write of unknown keys is under way.
pub fn outage_whole() -> Config {
    Config {
        routers: 2,
        fetch_routers: 1..2,
        writers: vec![writer(Kind::Whole(0b1))],
        faults: Faults { backend_cuts: 1, lost_writers: 1, ..Faults::default() },
        ..Config::new("outage, write of unknown keys", Detail::Timed)
    }
}

/// Two replicas that lose the backend one by one, or both at once.
pub fn two_replicas() -> Config {
    Config {
        replicas: 2,
        routers: 2,
        fetch_routers: 1..2,
        writers: vec![writer(ONE)],
        faults: Faults { backend_cuts: 2, ..Faults::default() },
        ..Config::new("two replicas", Detail::Timed)
    }
}

/// A replica is suspended; its canaries and answers come late.
pub fn pause() -> Config {
    Config {
        replicas: 2,
        routers: 2,
        fetch_routers: 1..2,
        fetches: 1,
        writers: vec![writer(ONE)],
        faults: Faults { pauses: 1, slow_canaries: 1, ..Faults::default() },
        ..Config::new("suspended replicas", Detail::Timed)
    }
}

/// The embedded backend lives in its only replica and is suspended with it.
pub fn pause_embedded() -> Config {
    Config {
        routers: 2,
        fetch_routers: 1..2,
        writers: vec![writer(ONE)],
        faults: Faults { pauses: 1, slow_canaries: 1, ..Faults::default() },
        ..Config::new("the only replica suspended", Detail::Timed)
    }
}

/// An outage under stop-writes, when canaries cannot touch the epoch.
pub fn outage_refused() -> Config {
    Config {
        routers: 2,
        fetch_routers: 1..2,
        writers: vec![writer(ONE)],
        faults: Faults { backend_cuts: 1, stop_writes: 2, ..Faults::default() },
        ..Config::new("outage under stop-writes", Detail::Timed)
    }
}

/// Two routers, each of which may be cut off from the cache.
pub fn cut_router() -> Config {
    Config {
        routers: 2,
        fetch_routers: 0..2,
        writers: vec![writer(ONE)],
        faults: Faults { router_cuts: 1, lost_writers: 1, late_calls: 1, ..Faults::default() },
        ..Config::new("a router cut off", Detail::Timed)
    }
}

/// The backend comes back with an old file.
pub fn old_restart() -> Config {
    Config {
        routers: 2,
        fetch_routers: 1..2,
        writers: vec![writer(Kind::Filter(0b1))],
        faults: Faults { saves: 1, old_restarts: 1, ..Faults::default() },
        ..Config::new("restarts with an old file", Detail::Timed)
    }
}

/// An old file and a lost writer: two faults, of which the documented case alone may remain.
pub fn old_restart_lost() -> Config {
    Config {
        routers: 2,
        fetch_routers: 1..2,
        writers: vec![writer(ONE)],
        faults: Faults { saves: 1, old_restarts: 1, lost_writers: 1, ..Faults::default() },
        ..Config::new("restarts with an old file, a writer lost", Detail::Timed)
    }
}

/// A lost writer and an outage.
pub fn outage_lost() -> Config {
    Config {
        routers: 2,
        fetch_routers: 1..2,
        writers: vec![writer(ONE)],
        faults: Faults { backend_cuts: 1, lost_writers: 1, late_calls: 1, ..Faults::default() },
        ..Config::new("outage, a writer lost", Detail::Timed)
    }
}

/// Three routers, three keys, two replicas and every fault: too large to be explored, made for long random walks.
pub fn everything() -> Config {
    let plan = |router, kind| Plan { router, kind };
    Config {
        keys: 3,
        routers: 3,
        fetch_routers: 0..3,
        replicas: 2,
        writers: vec![
            plan(0, Kind::Keys(0b011)),
            plan(1, Kind::Filter(0b110)),
            plan(2, Kind::Keys(0b100)),
            plan(1, Kind::Whole(0b111)),
        ],
        fetches: u8::MAX,
        faults: Faults {
            lost_writers: 1,
            evicted_keys: 40,
            evicted_namespaces: 10,
            evicted_epochs: 5,
            purges: 10,
            stop_writes: 20,
            late_calls: 40,
            empty_restarts: 5,
            saves: 5,
            old_restarts: 5,
            backend_cuts: 30,
            router_cuts: 5,
            pauses: 30,
            slow_canaries: 30,
        },
        writes_again: true,
        ..Config::new("everything", Detail::Timed)
    }
}
