//! Tables that read well on a terminal and are Markdown.

use std::fmt;

/// A table; numbers go to the right by the caller's choice per column.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// For names.
    Left,
    /// For numbers.
    Right,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, mut cells: Vec<String>) {
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].chars().count());
        let name = self.columns[column].0.chars().count();
        cells.chain([name, 3]).max().unwrap_or_default()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| self.width(column)).collect();
        let names = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let rule = self.columns.iter().zip(&widths).map(|((_, align), width)| match align {
            Align::Left => "-".repeat(*width),
            Align::Right => "-".repeat(width - 1) + ":",
        });
        for row in [names, rule.collect()].iter().chain(&self.rows) {
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.columns) {
                match align {
                    Align::Left => write!(out, "| {cell:<width$} ")?,
                    Align::Right => write!(out, "| {cell:>width$} ")?,
                }
            }
            writeln!(out, "|")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("case", Align::Left), ("µs", Align::Right)]);
        table.row(vec!["query-pass".to_owned(), "7".to_owned()]);
        table.row(vec!["b".to_owned()]);
        let expected = "\
| case       |  µs |
| ---------- | --: |
| query-pass |   7 |
| b          |     |
";
        assert_eq!(table.to_string(), expected);
    }
}
