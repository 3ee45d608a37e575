//! The proof that the router's memory does not grow with the body: one very large write, streamed through it.
//!
//! The rows are made while they are sent and counted while they arrive, so neither end holds the body either. The fake
//! origin counts rows and stamps: a router that stays small by dropping or by not stamping fails.

mod stream;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use tempfile::TempDir;

use crate::origin::Tally;
use crate::servers;
use crate::usage::Family;

pub use stream::{Sent, send_write};

const MEBIBYTE: u64 = 1_024 * 1_024;

/// A first write of this size brings all buffers to their working size: it is larger than what the router may read ahead.
const WARM_UP_MEBIBYTES: u64 = 16;

/// How the length of the large body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Framing {
    /// `Content-Length`, as the SDKs send it.
    Length,
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// Options of `layer-bench flat-memory`.
#[derive(Debug, Args)]
pub struct Options {
    /// The query-router's binary.
    #[arg(long, value_name = "PATH")]
    pub router_bin: PathBuf,
    /// The size of the write, in MiB.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..=4_096))]
    pub mebibytes: u64,
    /// How the length is told.
    #[arg(long, value_enum, default_value_t = Framing::Length)]
    pub framing: Framing,
    /// How much more memory the router may need for it than for a write of 16 MiB, in MiB.
    #[arg(long, default_value_t = 8)]
    pub max_growth_mebibytes: u64,
    /// How much memory the router may need at all, in MiB.
    #[arg(long, default_value_t = 64)]
    pub max_rss_mebibytes: u64,
}

/// What one write came to.
#[derive(Debug, Clone, Copy)]
struct Measured {
    sent: Sent,
    seen: Tally,
    peak_bytes: u64,
    elapsed: Duration,
    cpu: Duration,
}

/// Carries out `layer-bench flat-memory`.
///
/// # Errors
/// When a server does not start, the write is refused, rows or stamps are missing, or memory grew beyond the bounds.
pub fn run(options: &Options) -> Result<()> {
    let directory = TempDir::new().context("a temporary directory")?;
    let origin = servers::origin(directory.path())?;
    let router = servers::router(&options.router_bin, directory.path(), origin.address)?;
    let family = Family::of(router.process.pid())?;
    let write = |mebibytes: u64| -> Result<Measured> {
        let before = Tally::fetch(origin.address)?;
        family.reset_peak()?;
        let (begun, cpu) = (Instant::now(), family.cpu()?);
        let sent = send_write(router.address, mebibytes * MEBIBYTE, options.framing)?;
        Ok(Measured {
            sent,
            seen: Tally::fetch(origin.address)?.since(before),
            peak_bytes: family.peak_resident_bytes()?,
            elapsed: begun.elapsed(),
            cpu: family.cpu()?.saturating_sub(cpu),
        })
    };
    let small = write(WARM_UP_MEBIBYTES)?;
    small.report();
    let large = write(options.mebibytes)?;
    large.report();
    judge_content(&small)?;
    judge_content(&large)?;
    judge_memory(options, small.peak_bytes, large.peak_bytes)
}

impl Measured {
    fn report(&self) {
        let mebibytes = |bytes: u64| bytes as f64 / MEBIBYTE as f64;
        println!(
            "{:7.1} MiB in {} rows: {:.2} s, {:.2} s of CPU, highest RSS {:.1} MiB; the origin saw {:.1} MiB, {} rows, {} stamps",
            mebibytes(self.sent.body_bytes),
            self.sent.rows,
            self.elapsed.as_secs_f64(),
            self.cpu.as_secs_f64(),
            mebibytes(self.peak_bytes),
            mebibytes(self.seen.body_bytes),
            self.seen.rows,
            self.seen.stamps,
        );
    }
}

fn judge_content(measured: &Measured) -> Result<()> {
    let Measured { sent, seen, .. } = measured;
    ensure!(seen.requests == 1, "the origin saw {} writes instead of one", seen.requests);
    ensure!(seen.rows == sent.rows, "{} of {} rows arrived", seen.rows, sent.rows);
    // The schema's declaration of the stamp has the same name and may be one more.
    let stamps = sent.rows..=sent.rows + 1;
    ensure!(stamps.contains(&seen.stamps), "{} stamps for {} rows", seen.stamps, sent.rows);
    Ok(())
}

fn judge_memory(options: &Options, small: u64, large: u64) -> Result<()> {
    let growth = large.saturating_sub(small);
    let (max_growth, max_rss) = (options.max_growth_mebibytes, options.max_rss_mebibytes);
    ensure!(growth <= max_growth * MEBIBYTE, "memory grew by {growth} bytes; --max-growth-mebibytes is {max_growth}");
    ensure!(large <= max_rss * MEBIBYTE, "memory rose to {large} bytes; --max-rss-mebibytes is {max_rss}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(rows: u64, stamps: u64) -> Measured {
        Measured {
            sent: Sent { rows: 5, body_bytes: 100 },
            seen: Tally { requests: 1, rows, stamps, ..Tally::default() },
            peak_bytes: 0,
            elapsed: Duration::ZERO,
            cpu: Duration::ZERO,
        }
    }

    #[test]
    fn lost_rows_and_missing_stamps_fail() {
        judge_content(&measured(5, 5)).unwrap();
        judge_content(&measured(5, 6)).unwrap();
        assert!(judge_content(&measured(4, 5)).is_err());
        assert!(judge_content(&measured(5, 4)).is_err());
    }

    #[test]
    fn both_bounds_of_memory_hold() {
        let options = Options {
            router_bin: PathBuf::new(),
            mebibytes: 512,
            framing: Framing::Length,
            max_growth_mebibytes: 8,
            max_rss_mebibytes: 64,
        };
        judge_memory(&options, 20 * MEBIBYTE, 28 * MEBIBYTE).unwrap();
        assert!(judge_memory(&options, 20 * MEBIBYTE, 29 * MEBIBYTE).is_err());
        assert!(judge_memory(&options, 64 * MEBIBYTE, 65 * MEBIBYTE).is_err());
    }
}
