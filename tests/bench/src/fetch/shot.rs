//! One measurement: one target, one sheet, one number of connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::load::Limit;
use crate::usage::Family;

use super::load::{Load, Sheet};
use super::options::Schedule;

/// The figures of one measurement. CPU times are per request, in µs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shot {
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    /// Of the server that was asked.
    pub(super) cpu_us: f64,
    /// Of doc-cache, where it was behind it.
    pub(super) behind_us: Option<f64>,
    pub(super) load_cpu_us: f64,
    /// Share of the answers that came from the cache; only told over HTTP.
    pub(super) hits: f64,
}

/// What is measured: who is asked what, and whose CPU time counts.
#[derive(Debug)]
pub(super) struct Aim<'a> {
    pub(super) address: SocketAddr,
    pub(super) sheet: Arc<Sheet>,
    pub(super) server: &'a Family,
    pub(super) behind: Option<&'a Family>,
    pub(super) own: &'a Family,
}

/// Takes a measurement on fresh connections, after a warm-up on the same ones.
pub(super) fn take(aim: &Aim<'_>, connections: usize, pace: Option<u32>, schedule: &Schedule) -> Result<Shot> {
    let mut load = Load::connect(aim.address, connections, &aim.sheet)?;
    load.run(Limit::Time(schedule.warm_up))?;
    let before = aim.cpu()?;
    let stretch = match pace {
        None => load.run(Limit::Time(schedule.time))?,
        Some(per_second) => load.paced(schedule.time, per_second)?,
    };
    let after = aim.cpu()?;
    let outcome = stretch.outcome.checked()?;
    let requests = outcome.requests as f64;
    let per_request = |index: usize| (after[index] - before[index]).as_secs_f64() * 1e6 / requests;
    Ok(Shot {
        per_second: outcome.per_second(),
        p50_us: outcome.quantile_us(0.5),
        p99_us: outcome.quantile_us(0.99),
        p999_us: outcome.quantile_us(0.999),
        cpu_us: per_request(0),
        behind_us: aim.behind.map(|_| per_request(1)),
        load_cpu_us: per_request(2),
        hits: stretch.hits as f64 / requests,
    })
}

impl Aim<'_> {
    fn cpu(&self) -> Result<[Duration; 3]> {
        let behind = self.behind.map(Family::cpu).transpose()?.unwrap_or_default();
        Ok([self.server.cpu()?, behind, self.own.cpu()?])
    }
}
