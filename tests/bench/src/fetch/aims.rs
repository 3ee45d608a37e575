//! What a fetch and a write may cost, and whether they keep to it.

use crate::figures::{Spread, Verdict};

use super::bulk::FAR;
use super::results::{Bulk, Cell, Results, Target};
use super::sheets::Shape;

/// Throughput over the bare tonic call's, at least.
const OVER_BARE: f64 = 0.5;
/// Median latency at 16 connections and a given pace, in ms.
const P50_MS: f64 = 0.3;
/// 99th percentile of the same, in ms.
const P99_MS: f64 = 1.5;
/// Time per fetch with the cache killed, over the same without a cache.
const DOWN: f64 = 1.05;
/// A bulk write with hold and clearing, over the same to the origin.
const BULK: f64 = 1.15;
/// Share of hits while documents are written all the time, at least.
const HITS: f64 = 0.9;

/// An aim and how it is met.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) what: String,
    pub(super) measured: Spread,
    pub(super) limit: String,
    pub(super) unit: &'static str,
    pub(super) verdict: Verdict,
}

impl Judged {
    fn at_most(what: String, measured: Spread, limit: f64, unit: &'static str) -> Self {
        let verdict = Verdict::of(measured, limit);
        Self { what, measured, limit: format!("≤ {limit}{unit}"), unit, verdict }
    }

    fn at_least(what: String, measured: Spread, limit: f64, unit: &'static str) -> Self {
        let verdict = Verdict::of_least(measured, limit);
        Self { what, measured, limit: format!("≥ {limit}{unit}"), unit, verdict }
    }
}

/// All aims that the results can tell of.
pub(super) fn judge(results: &Results) -> Vec<Judged> {
    let one = results.warm.iter().filter(|cell| cell.shape == Shape::One);
    let mut all: Vec<Judged> = one.flat_map(throughput).collect();
    all.extend(results.paced.iter().flat_map(latency));
    all.extend(results.cold.iter().filter_map(down));
    all.extend(bulk(&results.far));
    all.extend(results.ingestion.iter().map(|ingestion| {
        let hits = Spread { median: ingestion.hits, low: ingestion.hits, high: ingestion.hits };
        Judged::at_least(format!("share of hits while {}", ingestion.what), hits, HITS, "")
    }));
    all
}

/// Whether every aim's median is kept.
pub(super) fn all_pass(results: &Results) -> bool {
    judge(results).iter().all(|judged| judged.verdict.passes())
}

fn throughput(cell: &Cell) -> Vec<Judged> {
    let of = |target: Target| {
        let ratio = cell.ratio(target, Target::Bare, |shot| shot.per_second)?;
        let what = format!("fetches, {}, over bare tonic calls at {}", target.name(), cell.connections);
        Some(Judged::at_least(what, ratio, OVER_BARE, "x"))
    };
    [Target::Http, Target::Grpc].into_iter().filter_map(of).collect()
}

fn latency(cell: &Cell) -> Vec<Judged> {
    let of = |target: Target| {
        let p50 = cell.spread(target, |shot| shot.p50_us / 1e3)?;
        let p99 = cell.spread(target, |shot| shot.p99_us / 1e3)?;
        let what = |share: &str| format!("{share} of a fetch, {}, at {}", target.name(), cell.load());
        Some([Judged::at_most(what("p50"), p50, P50_MS, " ms"), Judged::at_most(what("p99"), p99, P99_MS, " ms")])
    };
    [Target::Http, Target::Grpc].into_iter().filter_map(of).flatten().collect()
}

fn down(cell: &Cell) -> Option<Judged> {
    let ratio = cell.ratio(Target::Down, Target::Plain, |shot| 1.0 / shot.per_second)?;
    let what = format!("time per fetch, cache killed over no cache, at {}", cell.connections);
    Some(Judged::at_most(what, ratio, DOWN, "x"))
}

fn bulk(bulk: &Bulk) -> Option<Judged> {
    let ratio = Bulk::ratio(&bulk.cached, &bulk.direct)?;
    Some(Judged::at_most(
        format!("a write of 10,000 rows, with its hold, over an origin {} ms away", FAR.as_millis()),
        ratio,
        BULK,
        "x",
    ))
}
