//! The report: a table for the terminal, and the generated part of the document.

use crate::figures::range;
use crate::run::machine::Facts;
use crate::table::{Align, Table};

use super::figures::{AIM, Figures, Latency, Sheet};

use Align::{Left, Right};

/// The table of a run.
pub(super) fn text(facts: &Facts, sheets: &[Sheet]) -> String {
    let mut table = Table::new(&[
        ("origin answers", Left),
        ("read without Layer, documents/s", Right),
        ("warmed, documents/s", Right),
        ("router CPU µs/document", Right),
        ("doc-cache CPU", Right),
        ("origin CPU", Right),
        ("router, highest RSS in MB", Right),
        ("aim", Left),
    ]);
    for sheet in sheets {
        let shown = |figure: fn(&Figures) -> f64, decimals| range(sheet.spread(figure), decimals);
        table.row(vec![
            name(sheet),
            shown(Figures::alone_rate, 0),
            shown(Figures::warm_rate, 0),
            shown(|round| round.cpu_us(0), 1),
            shown(|round| round.cpu_us(1), 1),
            shown(|round| round.cpu_us(2), 1),
            shown(|round| round.warmed.router_peak_bytes as f64 / 1e6, 0),
            sheet.verdict().text().to_owned(),
        ]);
    }
    let mut fetches = Table::new(&[
        ("origin answers", Left),
        ("fetches from the cache", Left),
        ("p50 µs", Right),
        ("p99 µs", Right),
        ("share of hits", Right),
    ]);
    for sheet in sheets {
        let of = [
            ("before the job", (|round| round.quiet) as fn(&Figures) -> Latency),
            ("during it", |round| round.meanwhile),
        ];
        for (when, latency) in of {
            fetches.row(vec![
                name(sheet),
                when.to_owned(),
                range(sheet.spread(|round| latency(round).p50_us as f64), 0),
                range(sheet.spread(|round| latency(round).p99_us as f64), 0),
                range(sheet.spread(|round| latency(round).hits), 4),
            ]);
        }
    }
    format!(
        "{}\n### Warming\n\nThe aim: {AIM:.0} documents/s, or what the origin gives without Layer where that is less.\n\n{table}\n### Fetches at one connection meanwhile\n\n{fetches}",
        facts.text()
    )
}

fn name(sheet: &Sheet) -> String {
    if sheet.delay_ms == 0 { "at once".to_owned() } else { format!("after {} ms", sheet.delay_ms) }
}
