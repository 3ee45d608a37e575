//! All measurements of a run, and the ratios made of them.

use crate::figures::Spread;

use super::sheets::Shape;
use super::shot::Shot;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The router over HTTP, the cache warm.
    Http,
    /// The router over gRPC, the cache warm.
    Grpc,
    /// The bare tonic server.
    Bare,
    /// Redis.
    Redis,
    /// The origin, by query, without a proxy.
    Origin,
    /// The router over HTTP, its cache killed.
    Down,
    /// The router over HTTP, with no cache configured.
    Plain,
}

impl Target {
    /// Those whose latency is compared at a given pace.
    pub(super) const PACED: [Self; 4] = [Self::Http, Self::Grpc, Self::Bare, Self::Redis];
    /// Those that are compared while the cache is warm.
    pub(super) const WARM: [Self; 5] = [Self::Http, Self::Grpc, Self::Bare, Self::Redis, Self::Origin];
    /// Those that are compared when the cache was killed.
    pub(super) const COLD: [Self; 2] = [Self::Down, Self::Plain];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http => "router, HTTP",
            Self::Grpc => "router, gRPC",
            Self::Bare => "bare tonic call",
            Self::Redis => "Redis",
            Self::Origin => "origin by query",
            Self::Down => "router, cache killed",
            Self::Plain => "router, no cache",
        }
    }
}

/// The measurements of one shape at one number of connections; of each target one for each round.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) shape: Shape,
    pub(super) connections: usize,
    /// Requests a second, where their number was given and not the target's limit.
    pub(super) pace: Option<u32>,
    pub(super) series: Vec<(Target, Vec<Shot>)>,
}

impl Cell {
    pub(super) fn new(shape: Shape, connections: usize, pace: Option<u32>, targets: &[Target]) -> Self {
        Self { shape, connections, pace, series: targets.iter().map(|target| (*target, Vec::new())).collect() }
    }

    pub(super) fn add(&mut self, target: Target, shot: Shot) {
        if let Some((_, shots)) = self.series.iter_mut().find(|(of, _)| *of == target) {
            shots.push(shot);
        }
    }

    fn shots(&self, target: Target) -> &[Shot] {
        self.series.iter().find(|(of, _)| *of == target).map_or(&[], |(_, shots)| shots)
    }

    /// How it was loaded, as the tables tell it.
    pub(super) fn load(&self) -> String {
        match self.pace {
            None => self.connections.to_string(),
            Some(pace) => format!("{}, {pace}/s", self.connections),
        }
    }

    /// The spread of one figure over the rounds.
    pub(super) fn spread(&self, target: Target, figure: impl Fn(&Shot) -> f64) -> Option<Spread> {
        Spread::of(self.shots(target).iter().map(figure))
    }

    /// One target's figure over another's, round by round.
    pub(super) fn ratio(&self, target: Target, over: Target, figure: impl Fn(&Shot) -> f64) -> Option<Spread> {
        let rounds = self.shots(target).iter().zip(self.shots(over));
        Spread::of(rounds.map(|(target, over)| figure(target) / figure(over)))
    }
}

/// Bulk writes: milliseconds for each, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    pub(super) direct: Vec<f64>,
    pub(super) plain: Vec<f64>,
    pub(super) cached: Vec<f64>,
}

impl Bulk {
    /// One way's times over another's, round by round.
    pub(super) fn ratio(way: &[f64], over: &[f64]) -> Option<Spread> {
        Spread::of(way.iter().zip(over).map(|(way, over)| way / over))
    }

    /// What one way takes more than another, in ms, round by round.
    pub(super) fn added(way: &[f64], over: &[f64]) -> Option<Spread> {
        Spread::of(way.iter().zip(over).map(|(way, over)| way - over))
    }
}

/// Fetches while documents are written all the time.
#[derive(Debug)]
pub(super) struct Ingestion {
    /// Which documents are written.
    pub(super) what: &'static str,
    /// Rows written in a second.
    pub(super) rows_per_second: f64,
    pub(super) fetches_per_second: f64,
    /// Share of the fetches that were served from the cache.
    pub(super) hits: f64,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) warm: Vec<Cell>,
    /// The cache warm, at a given pace.
    pub(super) paced: Vec<Cell>,
    pub(super) cold: Vec<Cell>,
    pub(super) bulk: Bulk,
    /// To an origin that is far away.
    pub(super) far: Bulk,
    pub(super) ingestion: Vec<Ingestion>,
    /// Queries that reached the origin while the cache was warm: none, unless a look-up came too late.
    pub(super) stray_queries: u64,
}
