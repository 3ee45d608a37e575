//! The report: tables for the terminal, and the generated part of the document.

use crate::figures::{Spread, number, range};
use crate::run::machine::Facts;
use crate::table::{Align, Table};

use super::figures::{Measured, PHASES, Sheet, Target, Waiting, quantile};

use Align::{Left, Right};

/// The tables of a run.
pub(super) fn text(facts: &Facts, sheets: &[Sheet], waiting: &[Waiting]) -> String {
    format!(
        "{}\n### Aims of queues\n\n{}\n### Jobs a second\n\n{}\n### Claims by prefix\n\n{}\n### Claims that wait\n\n{}",
        facts.text(),
        aims(sheets),
        figures(sheets),
        prefixes(sheets),
        idle(waiting)
    )
}

/// Whether every aim's median is kept.
pub(super) fn all_pass(sheets: &[Sheet]) -> bool {
    judged(sheets).all(|judged| judged.verdict.passes())
}

fn judged(sheets: &[Sheet]) -> impl Iterator<Item = super::figures::Judged> {
    let deepest = sheets.iter().map(|sheet| sheet.depth).max();
    sheets.iter().flat_map(move |sheet| sheet.judge(Some(sheet.depth) == deepest))
}

fn aims(sheets: &[Sheet]) -> Table {
    let mut table =
        Table::new(&[("aim", Left), ("limit", Right), ("measured (lowest to highest round)", Right), ("", Left)]);
    for judged in judged(sheets) {
        table.row(vec![
            judged.what,
            judged.limit,
            format!("{}{}", range(Some(judged.measured), 2), judged.unit),
            judged.verdict.text().to_owned(),
        ]);
    }
    table
}

fn figures(sheets: &[Sheet]) -> Table {
    let mut table = Table::new(&[
        ("waiting", Right),
        ("queue", Left),
        ("what", Left),
        ("jobs/s", Right),
        ("over the peer", Right),
        ("claim p50 ms", Right),
        ("claim p99 ms", Right),
        ("CPU µs/job", Right),
        ("database CPU", Right),
    ]);
    for sheet in sheets {
        for (what, measured) in PHASES {
            for target in Target::ALL {
                let of = |figure: fn(Measured) -> f64| sheet.spread(target, |shot| figure(measured(shot)));
                let claims = |spread: Option<Spread>| spread.filter(|_| what != "staged");
                let over = sheet.over_peer(target, |shot| measured(shot).per_second).filter(|_| target != Target::Peer);
                table.row(vec![
                    sheet.depth.to_string(),
                    target.name().to_owned(),
                    what.to_owned(),
                    range(of(|measured| measured.per_second), 0),
                    range(over, 2),
                    range(claims(of(|measured| measured.p50_ms)), 1),
                    range(claims(of(|measured| measured.p99_ms)), 1),
                    median(of(|measured| measured.cpu_us)),
                    median(of(|measured| measured.database_us)),
                ]);
            }
        }
    }
    table
}

fn prefixes(sheets: &[Sheet]) -> Table {
    let mut table = Table::new(&[
        ("waiting", Right),
        ("claims of 100 by a prefix that", Left),
        ("claims", Right),
        ("p50 ms", Right),
        ("longest ms", Right),
    ]);
    for sheet in sheets {
        for prefix in &sheet.prefixes {
            let mut times = prefix.claims_ms.clone();
            times.sort_by(f64::total_cmp);
            table.row(vec![
                sheet.depth.to_string(),
                prefix.what.to_owned(),
                times.len().to_string(),
                number(quantile(&times, 0.5), 1),
                number(quantile(&times, 1.0), 1),
            ]);
        }
    }
    table
}

fn idle(waiting: &[Waiting]) -> Table {
    let mut table = Table::new(&[
        ("claims that wait for documents that do not come", Left),
        ("processors, pipeline-worker", Right),
        ("processors, database", Right),
    ]);
    for Waiting { claims, cores: [worker, database] } in waiting {
        table.row(vec![claims.to_string(), number(*worker, 3), number(*database, 3)]);
    }
    table
}

fn median(spread: Option<Spread>) -> String {
    spread.map_or_else(String::new, |spread| number(spread.median, 0))
}
