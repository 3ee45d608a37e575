//! sentence-transformers as a process that does what it is told, so that loading it is not measured.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::usage::Family;

/// What the process runs.
const PROGRAM: &str = include_str!("peer.py");

/// The process.
pub(super) struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// Its versions.
    pub(super) about: String,
}

impl Peer {
    /// Starts it in the environment at `python`, with the model at `model` on so many threads.
    pub(super) fn start(python: &Path, model: &Path, threads: usize) -> Result<Self> {
        let mut command = Command::new(python.join("bin/python"));
        command.arg("-c").arg(PROGRAM).arg(model).arg(threads.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("--peer-python")?;
        let to = child.stdin.take().context("its standard input")?;
        let from = BufReader::new(child.stdout.take().context("its standard output")?);
        let mut peer = Self { child, to, from, about: String::new() };
        peer.about = peer.answer()?;
        Ok(peer)
    }

    /// Hands it the texts of the rounds to come.
    pub(super) fn take(&mut self, texts: &[String]) -> Result<()> {
        self.say(&json!(texts))?;
        let _count: usize = self.answer()?;
        Ok(())
    }

    /// The texts' vectors.
    pub(super) fn vectors(&mut self) -> Result<Vec<Vec<f32>>> {
        self.say(&json!("vectors"))?;
        self.answer()
    }

    /// Embeds the texts; how long that took by its own clock.
    pub(super) fn embed(&mut self) -> Result<Duration> {
        self.say(&json!("embed"))?;
        let seconds: f64 = self.answer()?;
        Ok(Duration::from_secs_f64(seconds))
    }

    /// The processor time that it has used.
    pub(super) fn cpu(&self) -> Result<Duration> {
        Family::only(self.child.id()).cpu()
    }

    fn say(&mut self, what: &serde_json::Value) -> Result<()> {
        writeln!(self.to, "{what}").context("the peer takes no commands any more")
    }

    fn answer<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.from.read_line(&mut line).context("the peer's answer")?;
        serde_json::from_str(&line).with_context(|| format!("the peer ended, or answered {:?}", line.get(..200)))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
