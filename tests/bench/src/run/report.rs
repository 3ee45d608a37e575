//! The report: tables for the terminal, and the generated part of the document.

use std::fmt::Write as _;

use crate::figures::{number, range};
use crate::table::{Align, Table};

use super::aims;
use super::machine::Facts;
use super::results::{Cell, Results};
use super::shot::Shot;
use super::targets::Kind;

/// All tables of a run.
pub(super) fn text(facts: &Facts, results: &Results) -> String {
    let mut text = facts.text();
    let _ = write!(text, "\n### Aims\n\n{}", aims_table(results));
    let _ = write!(text, "\n### Router over nginx\n\n{}", ratios_table(results));
    let _ = write!(text, "\n### Figures\n\n{}", figures_table(results));
    let _ = write!(text, "\n### Memory\n\n{}", memory_table(results));
    text
}

fn aims_table(results: &Results) -> Table {
    use Align::{Left, Right};
    let mut table =
        Table::new(&[("aim", Left), ("at most", Right), ("measured (lowest to highest round)", Right), ("", Left)]);
    for judged in aims::judge(results) {
        table.row(vec![
            judged.what,
            format!("{}{}", judged.limit, judged.unit),
            format!("{}{}", range(Some(judged.measured), 2), judged.unit),
            judged.verdict.text().to_owned(),
        ]);
    }
    table
}

fn ratios_table(results: &Results) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("case", Left),
        ("connections", Right),
        ("CPU per request", Right),
        ("throughput", Right),
        ("added p50", Right),
        ("p50", Right),
        ("p99", Right),
    ]);
    for cell in &results.cells {
        let ratio = |figure: fn(&Shot) -> Option<f64>| range(cell.ratio(figure), 2);
        table.row(vec![
            cell.case.name().to_owned(),
            cell.connections.to_string(),
            ratio(|shot| shot.cpu_us),
            ratio(|shot| Some(shot.per_second)),
            range(cell.added_p50_ratio(), 2),
            ratio(|shot| Some(shot.p50_us)),
            ratio(|shot| Some(shot.p99_us)),
        ]);
    }
    table
}

fn figures_table(results: &Results) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("case", Left),
        ("connections", Right),
        ("through", Left),
        ("requests/s", Right),
        ("p50 µs", Right),
        ("p99 µs", Right),
        ("p99.9 µs", Right),
        ("added p50 µs", Right),
        ("CPU µs/request", Right),
        ("origin CPU", Right),
        ("load CPU", Right),
    ]);
    for cell in &results.cells {
        for kind in [Kind::Direct, Kind::Nginx, Kind::Router] {
            if !cell.shots(kind).is_empty() {
                table.row(figures_row(cell, kind));
            }
        }
    }
    table
}

fn figures_row(cell: &Cell, kind: Kind) -> Vec<String> {
    let middle = |figure: fn(&Shot) -> Option<f64>| {
        cell.spread(kind, figure).map_or_else(String::new, |spread| number(spread.median, 0))
    };
    let added = (kind != Kind::Direct).then(|| cell.added_p50_us(kind)).flatten();
    vec![
        cell.case.name().to_owned(),
        cell.connections.to_string(),
        kind.name().to_owned(),
        middle(|shot| Some(shot.per_second)),
        middle(|shot| Some(shot.p50_us)),
        middle(|shot| Some(shot.p99_us)),
        middle(|shot| Some(shot.p999_us)),
        range(added, 0),
        range(cell.spread(kind, |shot| shot.cpu_us), 1),
        middle(|shot| Some(shot.origin_cpu_us)),
        middle(|shot| Some(shot.load_cpu_us)),
    ]
}

fn memory_table(results: &Results) -> Table {
    let mut table = Table::new(&[("through", Align::Left), ("highest RSS of the run, MB", Align::Right)]);
    for (kind, bytes) in &results.resident {
        table.row(vec![kind.name().to_owned(), number(*bytes as f64 / 1e6, 1)]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::machine::Neighbours;
    use crate::run::results::tests::example;

    fn facts() -> Facts {
        Facts { lines: vec![("date", "today".to_owned())], neighbours: Neighbours { others: 0.2, stolen: 0.0 } }
    }

    #[test]
    fn the_report_tells_ratio_range_verdict_and_noise() {
        let text = text(&facts(), &example());
        assert!(text.contains("| CPU per request, query-pass-small at 1 |    1.5x |"), "{text}");
        assert!(text.contains("40 (40 to 80)"), "{text}");
        assert!(text.contains("PASS") && text.contains("Other work ran"), "{text}");
        assert!(text.contains("| router  |                       12.0 |"), "{text}");
    }
}
