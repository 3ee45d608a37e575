//! The report: a table for the terminal, and the generated part of the document.

use crate::figures::range;
use crate::run::machine::Facts;
use crate::table::{Align, Table};

use super::{AIM, Sheet};

use Align::{Left, Right};

/// The table of a run.
pub(super) fn text(facts: &Facts, sheets: &[Sheet]) -> String {
    let mut table = Table::new(&[
        ("texts", Left),
        ("characters each", Right),
        ("Layer, texts/s", Right),
        ("sentence-transformers, texts/s", Right),
        ("ratio", Right),
        ("aim", Left),
    ]);
    for sheet in sheets {
        table.row(vec![
            sheet.name.to_owned(),
            (sheet.characters / sheet.texts).to_string(),
            range(sheet.rate(&sheet.own), 0),
            range(sheet.rate(&sheet.peer), 0),
            range(sheet.ratio(), 2),
            sheet.verdict().text().to_owned(),
        ]);
    }
    format!(
        "{}\n### Embedding\n\nThe aim: {AIM} times as many texts a second as sentence-transformers.\n\n{table}",
        facts.text()
    )
}
