//! When a function's namespaces are looked through: plain functions of where its rounds are and the database's clock.
//!
//! A *round* looks through all namespaces of a function once. It begins when it is due and none runs; what became due
//! meanwhile, however often, is one round. A function that is changed is due at once.

use super::{Queue, rules::next};

/// What a function wants of its rounds, as its specification says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The namespaces to look through.
    pub namespaces: Vec<String>,
    /// From the beginning of one round to that of the next, in milliseconds; none: no such rounds.
    pub interval_ms: Option<i64>,
    /// When all rows are next to be done anew, by the database's clock; none: never.
    pub cron_ms: Option<i64>,
    /// No round begins at an interval while more items than this are ready: most of what it found would be known.
    pub ready_max: i64,
}

/// Where the rounds of a function are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rounds {
    /// Of which change of the queue the times below are.
    pub(crate) planned_ms: i64,
    pub(crate) generation: i64,
    /// The round that runs, or ran last.
    pub(crate) round: i64,
    /// It is over all rows, not only those that lack the function's mark.
    pub(crate) every: bool,
    /// Since when it runs.
    pub(crate) started_ms: Option<i64>,
    pub(crate) due_ms: Option<i64>,
    pub(crate) cron_ms: Option<i64>,
    pub(crate) completed: i64,
    pub(crate) completed_ms: Option<i64>,
}

/// Where a round that cannot begin yet is looked at again, in milliseconds.
const AGAIN_MS: i64 = 5000;

impl Rounds {
    /// Takes over what `queue` is now. A round that runs goes on, unless it looks for an older version's rows.
    pub(crate) fn follow(&mut self, queue: &Queue, plan: &Plan, now: i64) {
        if self.generation != queue.generation {
            self.generation = queue.generation;
            self.started_ms = None;
        }
        if self.planned_ms != queue.updated_ms {
            self.planned_ms = queue.updated_ms;
            self.due_ms = plan.interval_ms.map(|_| now);
            self.cron_ms = plan.cron_ms;
        }
    }

    /// Begins a round if one is due and none runs. `ready` is how many items wait to be claimed.
    pub(crate) fn begin(&mut self, plan: &Plan, ready: i64, now: i64) -> bool {
        if self.started_ms.is_some() {
            return false;
        }
        let every = self.cron_ms.is_some_and(|cron| cron <= now);
        if !every && self.due_ms.is_none_or(|due| due > now) {
            return false;
        }
        if !every && ready > plan.ready_max {
            self.due_ms = plan.interval_ms.map(|interval| now.saturating_add(interval.min(AGAIN_MS)));
            return false;
        }
        if every {
            self.cron_ms = plan.cron_ms;
        }
        self.every = every;
        self.round = next(self.round, 0);
        self.started_ms = Some(now);
        self.due_ms = plan.interval_ms.map(|interval| now.saturating_add(interval));
        true
    }

    /// All namespaces have been looked through.
    pub(crate) fn complete(&mut self, now: i64) {
        self.started_ms = None;
        self.completed += 1;
        self.completed_ms = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Kind, Spec};

    const NOW: i64 = 1000;

    fn queue(updated_ms: i64, generation: i64) -> Queue {
        let (kind, name, spec) = (Kind::Function, "f".to_owned(), Spec::default());
        Queue { id: 1, kind, name, spec, created_ms: 1, updated_ms, paused: false, generation }
    }

    fn plan(interval_ms: Option<i64>, cron_ms: Option<i64>) -> Plan {
        Plan { namespaces: vec!["n".to_owned()], interval_ms, cron_ms, ready_max: 10 }
    }

    #[test]
    fn a_new_function_is_due_at_once_and_then_at_its_interval() {
        let (mut rounds, plan) = (Rounds::default(), plan(Some(100), None));
        rounds.follow(&queue(7, 0), &plan, NOW);
        assert!(rounds.begin(&plan, 0, NOW) && !rounds.every);
        assert!(!rounds.begin(&plan, 0, NOW + 500), "one runs");
        rounds.complete(NOW + 50);
        assert!(!rounds.begin(&plan, 0, NOW + 99) && rounds.begin(&plan, 0, NOW + 100));
        assert_eq!((rounds.round, rounds.completed, rounds.completed_ms), (2, 1, Some(NOW + 50)));
    }

    #[test]
    fn what_came_due_while_a_round_ran_is_one_round() {
        let (mut rounds, at) = (Rounds::default(), |cron| plan(Some(100), Some(cron)));
        rounds.follow(&queue(7, 0), &at(NOW + 10), NOW);
        assert!(rounds.begin(&at(NOW + 10), 0, NOW));
        rounds.complete(NOW + 1000);
        assert!(rounds.begin(&at(NOW + 2000), 0, NOW + 1000) && rounds.every, "the time of day comes first");
        rounds.complete(NOW + 1001);
        assert!(!rounds.begin(&at(NOW + 2000), 0, NOW + 1001), "and is as good as the interval's");
        assert_eq!(rounds.cron_ms, Some(NOW + 2000));
    }

    #[test]
    fn a_change_is_due_at_once_and_ends_a_round_only_with_a_new_version() {
        let (mut rounds, plan) = (Rounds::default(), plan(Some(100), None));
        rounds.follow(&queue(7, 0), &plan, NOW);
        rounds.begin(&plan, 0, NOW);
        rounds.follow(&queue(8, 0), &plan, NOW + 1);
        assert!(rounds.started_ms.is_some() && rounds.due_ms == Some(NOW + 1));
        rounds.follow(&queue(9, 5), &plan, NOW + 2);
        assert!(rounds.started_ms.is_none() && rounds.begin(&plan, 0, NOW + 2));
    }

    #[test]
    fn no_round_begins_before_what_was_found_is_nearly_done() {
        let (mut rounds, often, never) = (Rounds::default(), plan(Some(60_000), None), plan(None, None));
        rounds.follow(&queue(7, 0), &often, NOW);
        assert!(!rounds.begin(&often, 11, NOW));
        assert_eq!(rounds.due_ms, Some(NOW + AGAIN_MS));
        assert!(rounds.begin(&often, 10, NOW + AGAIN_MS));
        let mut rounds = Rounds::default();
        rounds.follow(&queue(7, 0), &never, NOW);
        assert!(!rounds.begin(&never, 0, i64::MAX));
    }
}
