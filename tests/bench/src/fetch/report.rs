//! The report: tables for the terminal, and the generated part of the document.

use std::fmt::Write as _;

use crate::figures::{Spread, number, range};
use crate::run::machine::Facts;
use crate::table::{Align, Table};

use super::results::{Bulk, Cell, Results, Target};
use super::shot::Shot;
use super::{aims, bulk};

use Align::{Left, Right};

/// All tables of a run.
pub(super) fn text(facts: &Facts, results: &Results) -> String {
    let mut text = facts.text();
    let _ = write!(text, "\n### Aims of fetches\n\n{}", aims_table(results));
    let _ = write!(text, "\n### Throughput of a fetch, over the others'\n\n{}", ratios_table(results));
    let _ = write!(
        text,
        "\n### Fetches\n\n{}",
        figures_table(results.warm.iter().chain(&results.paced).chain(&results.cold))
    );
    let stray = results.stray_queries;
    let _ = write!(
        text,
        "\nQueries by which the router asked the origin in all measurements of the warm cache: {stray}.\n"
    );
    let _ = write!(text, "\n### A write of 10,000 rows of 1 KiB\n\n{}", bulk_table(&results.bulk));
    let far = bulk::FAR.as_millis();
    let _ = write!(text, "\nTo an origin that is {far} ms away:\n\n{}", bulk_table(&results.far));
    let _ = write!(text, "\n### Fetches at 16 connections while documents are written\n\n{}", ingestion_table(results));
    text
}

fn aims_table(results: &Results) -> Table {
    let mut table =
        Table::new(&[("aim", Left), ("limit", Right), ("measured (lowest to highest round)", Right), ("", Left)]);
    for judged in aims::judge(results) {
        table.row(vec![
            judged.what,
            judged.limit,
            format!("{}{}", range(Some(judged.measured), 2), judged.unit),
            judged.verdict.text().to_owned(),
        ]);
    }
    table
}

fn ratios_table(results: &Results) -> Table {
    let mut table = Table::new(&[
        ("documents", Left),
        ("connections", Right),
        ("through", Left),
        ("over bare tonic", Right),
        ("over Redis", Right),
        ("over the origin by query", Right),
    ]);
    for cell in &results.warm {
        for target in [Target::Http, Target::Grpc] {
            let over = |other| range(cell.ratio(target, other, |shot| shot.per_second), 2);
            table.row(vec![
                cell.shape.name().to_owned(),
                cell.connections.to_string(),
                target.name().to_owned(),
                over(Target::Bare),
                over(Target::Redis),
                over(Target::Origin),
            ]);
        }
    }
    table
}

fn figures_table<'a>(cells: impl Iterator<Item = &'a Cell>) -> Table {
    let mut table = Table::new(&[
        ("documents", Left),
        ("connections", Right),
        ("asked", Left),
        ("requests/s", Right),
        ("p50 µs", Right),
        ("p99 µs", Right),
        ("p99.9 µs", Right),
        ("CPU µs/request", Right),
        ("doc-cache CPU", Right),
        ("load CPU", Right),
        ("share of hits", Right),
    ]);
    for cell in cells {
        for (target, _) in &cell.series {
            table.row(figures_row(cell, *target));
        }
    }
    table
}

fn figures_row(cell: &Cell, target: Target) -> Vec<String> {
    let middle = |figure: fn(&Shot) -> f64| median(cell.spread(target, figure), 0);
    let hits = cell.spread(target, |shot| shot.hits).filter(|_| target == Target::Http);
    let behind = cell.spread(target, |shot| shot.behind_us.unwrap_or(f64::NAN));
    vec![
        cell.shape.name().to_owned(),
        cell.load(),
        target.name().to_owned(),
        range(cell.spread(target, |shot| shot.per_second), 0),
        middle(|shot| shot.p50_us),
        middle(|shot| shot.p99_us),
        middle(|shot| shot.p999_us),
        range(cell.spread(target, |shot| shot.cpu_us), 1),
        median(behind, 1),
        middle(|shot| shot.load_cpu_us),
        median(hits, 4),
    ]
}

fn bulk_table(bulk: &Bulk) -> Table {
    let mut table = Table::new(&[
        ("way", Left),
        ("ms", Right),
        ("over the origin", Right),
        ("over the router without", Right),
        ("ms more than without", Right),
    ]);
    let ways = [
        ("to the origin", &bulk.direct),
        ("through the router, no cache", &bulk.plain),
        ("through the router, with hold and clearing", &bulk.cached),
    ];
    for (place, (name, times)) in ways.into_iter().enumerate() {
        let shown = |from: usize, spread: Option<Spread>, decimals| match place >= from {
            true => range(spread, decimals),
            false => String::new(),
        };
        table.row(vec![
            name.to_owned(),
            range(Spread::of(times.iter().copied()), 1),
            shown(1, Bulk::ratio(times, &bulk.direct), 2),
            shown(2, Bulk::ratio(times, &bulk.plain), 2),
            shown(2, Bulk::added(times, &bulk.plain), 1),
        ]);
    }
    table
}

fn ingestion_table(results: &Results) -> Table {
    let mut table =
        Table::new(&[("while", Left), ("rows/s written", Right), ("fetches/s", Right), ("share of hits", Right)]);
    for ingestion in &results.ingestion {
        table.row(vec![
            ingestion.what.to_owned(),
            number(ingestion.rows_per_second, 0),
            number(ingestion.fetches_per_second, 0),
            number(ingestion.hits, 4),
        ]);
    }
    table
}

fn median(spread: Option<Spread>, decimals: usize) -> String {
    spread.map_or_else(String::new, |spread| number(spread.median, decimals))
}
