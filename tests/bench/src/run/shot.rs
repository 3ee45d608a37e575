//! One measurement: one target, one case, one number of connections.

use anyhow::Result;

use crate::case::Case;
use crate::load::{Generator, Limit, Plan};
use crate::usage::Family;

use super::microseconds;
use super::options::Schedule;
use super::targets::{Target, Targets};

/// The figures of one measurement. CPU times are per request, in µs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shot {
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    /// Of the proxy; none without one.
    pub(super) cpu_us: Option<f64>,
    pub(super) origin_cpu_us: f64,
    pub(super) load_cpu_us: f64,
}

/// Takes a measurement on fresh connections, after a warm-up on the same ones.
pub(super) fn take(
    target: &Target,
    targets: &Targets,
    case: Case,
    connections: usize,
    schedule: &Schedule,
) -> Result<Shot> {
    let plan = Plan::of(case, &target.address.to_string(), false);
    let mut generator = Generator::connect(target.address, connections, plan)?;
    generator.run(Limit::Time(schedule.warm_up))?.checked()?;
    let families = [Some(&targets.origin_family), Some(&targets.own_family), target.family.as_ref()];
    let before = cpu_us(families)?;
    let outcome = generator.run(Limit::Time(schedule.time))?.checked()?;
    let after = cpu_us(families)?;
    let per_request = |index: usize| Some((after[index]? - before[index]?) / outcome.requests as f64);
    Ok(Shot {
        per_second: outcome.per_second(),
        p50_us: outcome.quantile_us(0.5),
        p99_us: outcome.quantile_us(0.99),
        p999_us: outcome.quantile_us(0.999),
        cpu_us: per_request(2),
        origin_cpu_us: per_request(0).unwrap_or_default(),
        load_cpu_us: per_request(1).unwrap_or_default(),
    })
}

fn cpu_us(families: [Option<&Family>; 3]) -> Result<[Option<f64>; 3]> {
    let mut times = [None; 3];
    for (time, family) in times.iter_mut().zip(families) {
        *time = family.map(Family::cpu).transpose()?.map(microseconds);
    }
    Ok(times)
}
