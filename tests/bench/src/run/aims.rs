//! What the router may cost, and whether it keeps to it.

use crate::case::Work;
use crate::figures::{Spread, Verdict};

use super::results::{Cell, Results};

/// CPU per request that Layer passes through, over nginx's.
const CPU_PASSED_THROUGH: f64 = 1.5;
/// CPU per request that Layer reads or stamps, over nginx's.
const CPU_READ: f64 = 2.5;
/// Median latency added at one connection, over nginx's.
const ADDED_P50: f64 = 1.5;
/// Highest resident memory, in MB.
const RESIDENT_MB: f64 = 40.0;

/// One aim, held against what was measured.
#[derive(Debug)]
pub(super) struct Judged {
    /// What is judged.
    pub(super) what: String,
    /// What was measured, in the unit of the limit.
    pub(super) measured: Spread,
    /// The most that it may be.
    pub(super) limit: f64,
    /// The unit: `x` for ratios.
    pub(super) unit: &'static str,
    /// The outcome.
    pub(super) verdict: Verdict,
}

impl Judged {
    fn new(what: String, measured: Spread, limit: f64, unit: &'static str) -> Self {
        Self { what, measured, limit, unit, verdict: Verdict::of(measured, limit) }
    }
}

/// All aims that the results can tell of; none when the router was not measured.
pub(super) fn judge(results: &Results) -> Vec<Judged> {
    let cpu = results.cells.iter().filter_map(cpu);
    let latency = results.cells.iter().filter(|cell| cell.connections == 1).filter_map(latency);
    let resident = results.router_resident_mb().map(|median| {
        let spread = Spread { median, low: median, high: median };
        Judged::new("RSS of the router, highest of the run".to_owned(), spread, RESIDENT_MB, " MB")
    });
    cpu.chain(latency).chain(resident).collect()
}

/// Whether every aim's median is kept.
pub(super) fn all_pass(results: &Results) -> bool {
    judge(results).iter().all(|judged| judged.verdict.passes())
}

fn cpu(cell: &Cell) -> Option<Judged> {
    let limit = match cell.case.work() {
        Work::PassedThrough => CPU_PASSED_THROUGH,
        Work::Read => CPU_READ,
    };
    let what = format!("CPU per request, {} at {}", cell.case.name(), cell.connections);
    Some(Judged::new(what, cell.ratio(|shot| shot.cpu_us)?, limit, "x"))
}

fn latency(cell: &Cell) -> Option<Judged> {
    let what = format!("added p50, {} at 1", cell.case.name());
    Some(Judged::new(what, cell.added_p50_ratio()?, ADDED_P50, "x"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::results::tests::example;
    use crate::run::targets::Kind;

    #[test]
    fn every_aim_is_judged_once() {
        let judged = judge(&example());
        let limits: Vec<f64> = judged.iter().map(|judged| judged.limit).collect();
        assert_eq!(limits, [CPU_PASSED_THROUGH, ADDED_P50, RESIDENT_MB]);
        assert!(all_pass(&example()));
    }

    #[test]
    fn one_missed_aim_is_enough() {
        let mut results = example();
        results.resident = vec![(Kind::Router, 41_000_000)];
        assert!(!all_pass(&results));
    }
}
