//! What the command prints.

use std::io::Write as _;

/// Prints `text` as it is. A reader that has gone (`layer … | head`) is no error: there is nobody left to tell.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// How this program is called from the reader's shell: by its name where that is on the path, else by its path.
pub fn own_name() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).any(|directory| directory.join("layer").is_file());
    let own = std::env::current_exe().ok().filter(|_| !on_path);
    own.map_or_else(|| "layer".to_owned(), |own| own.display().to_string())
}

/// Prints rows under a head, columns aligned; with no rows it prints `empty` instead.
pub fn table(head: &[&str], rows: &[Vec<String>], empty: &str) {
    if rows.is_empty() {
        return say(&format!("{empty}\n"));
    }
    say(&render(head, rows));
}

/// The table as text.
pub fn render(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    all.into_iter().map(line).collect()
}

/// A text without what a terminal would act on: for ids, of which no part may be missing.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A value in one short line: a terminal is no place for a whole vector or article.
pub fn short(value: &serde_json::Value) -> String {
    const CHARACTERS_MAX: usize = 60;
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    let clean = clean(&text);
    match clean.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let rows = vec![vec!["é".to_owned(), "1".to_owned()], vec!["abc".to_owned(), "22".to_owned()]];
        assert_eq!(render(&["id", "n"], &rows), "id   n\né    1\nabc  22\n");
    }

    #[test]
    fn long_values_are_cut_and_control_characters_do_not_reach_the_terminal() {
        assert_eq!(short(&"a\u{1b}[2J\nb".into()), "a [2J b");
        assert_eq!(short(&"é".repeat(100).into()).chars().count(), 61);
    }
}
