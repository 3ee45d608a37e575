//! All measurements of a run, and the ratios made of them.

use crate::case::Case;
use crate::figures::Spread;

use super::options::Schedule;
use super::shot::Shot;
use super::targets::Kind;

/// The measurements of one case at one number of connections; index = round.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) case: Case,
    pub(super) connections: usize,
    direct: Vec<Shot>,
    nginx: Vec<Shot>,
    router: Vec<Shot>,
}

/// All cells in the order of the schedule, and the memory of the proxies.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) cells: Vec<Cell>,
    /// Highest resident memory over the whole run, in bytes.
    pub(super) resident: Vec<(Kind, u64)>,
}

impl Results {
    pub(super) fn new(schedule: &Schedule) -> Self {
        let cell =
            |case, connections| Cell { case, connections, direct: Vec::new(), nginx: Vec::new(), router: Vec::new() };
        let cells = schedule
            .cases
            .iter()
            .flat_map(|&case| schedule.connections.iter().map(move |&connections| cell(case, connections)))
            .collect();
        Self { cells, resident: Vec::new() }
    }

    pub(super) fn add(&mut self, case: Case, connections: usize, kind: Kind, shot: Shot) {
        let cell = self.cells.iter_mut().find(|cell| cell.case == case && cell.connections == connections);
        if let Some(cell) = cell {
            cell.shots_mut(kind).push(shot);
        }
    }

    pub(super) fn resident(&mut self, kind: Kind, bytes: u64) {
        self.resident.push((kind, bytes));
    }

    /// The highest resident memory of the router, in MB.
    pub(super) fn router_resident_mb(&self) -> Option<f64> {
        let (_, bytes) = self.resident.iter().find(|(kind, _)| *kind == Kind::Router)?;
        Some(*bytes as f64 / 1e6)
    }
}

impl Cell {
    pub(super) fn shots(&self, kind: Kind) -> &[Shot] {
        match kind {
            Kind::Direct => &self.direct,
            Kind::Nginx => &self.nginx,
            Kind::Router => &self.router,
        }
    }

    fn shots_mut(&mut self, kind: Kind) -> &mut Vec<Shot> {
        match kind {
            Kind::Direct => &mut self.direct,
            Kind::Nginx => &mut self.nginx,
            Kind::Router => &mut self.router,
        }
    }

    /// The spread of one figure over the rounds.
    pub(super) fn spread(&self, kind: Kind, figure: impl Fn(&Shot) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.shots(kind).iter().filter_map(figure))
    }

    /// The router's figure over nginx's, round by round.
    pub(super) fn ratio(&self, figure: impl Fn(&Shot) -> Option<f64>) -> Option<Spread> {
        let rounds = self.router.iter().zip(&self.nginx);
        Spread::of(rounds.filter_map(|(router, nginx)| Some(figure(router)? / figure(nginx)?)))
    }

    /// The median latency that a proxy adds to the direct one, in µs, round by round.
    pub(super) fn added_p50_us(&self, kind: Kind) -> Option<Spread> {
        Spread::of(self.added(kind))
    }

    /// The router's added median latency over nginx's, round by round; none when in some round nginx added nothing,
    /// which happens where the queue of a saturated machine hides the proxy.
    pub(super) fn added_p50_ratio(&self) -> Option<Spread> {
        let rounds = self.added(Kind::Router).zip(self.added(Kind::Nginx));
        Spread::of(rounds.map(|(router, nginx)| if nginx > 0.0 { router / nginx } else { f64::NAN }))
    }

    fn added(&self, kind: Kind) -> impl Iterator<Item = f64> {
        let rounds = self.shots(kind).iter().zip(&self.direct);
        rounds.map(|(proxy, direct)| proxy.p50_us - direct.p50_us)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::time::Duration;

    fn shot(p50_us: f64, cpu_us: Option<f64>) -> Shot {
        Shot {
            per_second: 1e6 / p50_us,
            p50_us,
            p99_us: 2.0 * p50_us,
            p999_us: 3.0 * p50_us,
            cpu_us,
            origin_cpu_us: 7.0,
            load_cpu_us: 9.0,
        }
    }

    /// Three rounds, the second twice as slow for everyone: the router adds 60 µs to nginx's 40, and costs 45 to 30.
    pub(in crate::run) fn example() -> Results {
        let schedule = Schedule {
            cases: vec![Case::QueryPassSmall],
            connections: vec![1],
            rounds: 3,
            time: Duration::from_secs(1),
            warm_up: Duration::ZERO,
        };
        let mut results = Results::new(&schedule);
        for slow in [1.0, 2.0, 1.0] {
            for (kind, p50_us, cpu_us) in [
                (Kind::Direct, 20.0, None),
                (Kind::Nginx, 60.0, Some(30.0 * slow)),
                (Kind::Router, 80.0, Some(45.0 * slow)),
            ] {
                results.add(Case::QueryPassSmall, 1, kind, shot(p50_us * slow, cpu_us));
            }
        }
        results.resident(Kind::Router, 12_000_000);
        results
    }

    #[test]
    fn ratios_are_made_within_a_round() {
        let results = example();
        let cell = &results.cells[0];
        let even = |value| Some(Spread { low: value, median: value, high: value });
        assert_eq!(cell.ratio(|shot| shot.cpu_us), even(1.5));
        assert_eq!(cell.added_p50_ratio(), even(1.5));
        assert_eq!(cell.added_p50_us(Kind::Nginx), Some(Spread { low: 40.0, median: 40.0, high: 80.0 }));
        assert_eq!(cell.spread(Kind::Direct, |shot| shot.cpu_us), None);
    }

    #[test]
    fn a_ratio_to_nothing_is_not_shown() {
        let mut results = example();
        results.cells[0].nginx[1].p50_us = 1.0;
        assert_eq!(results.cells[0].added_p50_ratio(), None);
    }
}
