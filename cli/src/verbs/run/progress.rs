//! What `layer pipeline run` shows meanwhile, on standard error: a bar for each stage on a terminal, else lines.

use std::io::{IsTerminal as _, Write as _};

use serde_json::Value;

/// Characters of a bar.
const WIDTH: usize = 30;
/// What is shown.
pub(super) struct Progress {
    /// Bars, of so many lines that are on the screen already.
    bars: Option<usize>,
    staged: u64,
    last: String,
}

impl Progress {
    pub(super) fn new(table: bool) -> Self {
        let bars = (table && std::io::stderr().is_terminal()).then_some(0);
        Self { bars, staged: 0, last: String::new() }
    }

    /// So many documents more were staged.
    pub(super) fn staged(&mut self, count: u64) {
        self.staged += count;
        if self.bars.is_some() {
            eprint!("\r{} documents staged", self.staged);
        }
    }

    /// Shows how far the pipeline is.
    pub(super) fn show(&mut self, status: &Value) {
        let lines = lines(status);
        let text = lines.join("\n");
        if text == self.last {
            return;
        }
        let mut out = std::io::stderr().lock();
        // A reader that has gone needs no progress.
        let _ = match &mut self.bars {
            Some(shown) => {
                let up = if *shown > 0 { format!("\x1b[{shown}A") } else { "\n".to_owned() };
                *shown = lines.len();
                writeln!(
                    out,
                    "{up}{}",
                    lines.iter().map(|line| format!("\r\x1b[K{line}")).collect::<Vec<_>>().join("\n")
                )
                .and_then(|()| out.flush())
            }
            None => writeln!(out, "{}", lines.join("; ")),
        };
        self.last = text;
    }

    pub(super) fn end(&self) {
        if self.bars == Some(0) {
            eprintln!();
        }
    }
}

/// A line for each thing that happens to documents, and one for those that failed.
fn lines(status: &Value) -> Vec<String> {
    let count = |stage: &str| status["counts"][stage].as_u64().unwrap_or_default();
    let failed = count("failed");
    let all = count("pending") + count("chunking") + count("embedding") + count("indexed") + failed;
    let chunked = count("embedding") + count("indexed");
    let mut lines = vec![bar("chunked", chunked, all - failed), bar("embedded", count("indexed"), all - failed)];
    if failed > 0 {
        lines.push(format!("{failed} failed"));
    }
    lines
}

fn bar(name: &str, done: u64, all: u64) -> String {
    let part = if all == 0 { 0.0 } else { done as f64 / all as f64 };
    let full = (part * WIDTH as f64) as usize;
    format!("{name:<9}[{}{}] {done} of {all}", "#".repeat(full), " ".repeat(WIDTH - full.min(WIDTH)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bars_tell_what_has_happened_to_how_many() {
        let status = json!({"counts": {"pending": 1, "chunking": 1, "embedding": 2, "indexed": 4, "failed": 2}});
        let lines = lines(&status);
        assert!(lines[0].ends_with("6 of 8") && lines[1].ends_with("4 of 8"), "{lines:?}");
        assert_eq!(lines[2], "2 failed");
        assert_eq!(bar("x", 0, 0).matches('#').count(), 0);
        assert_eq!(bar("x", 8, 8).matches('#').count(), WIDTH);
    }
}
