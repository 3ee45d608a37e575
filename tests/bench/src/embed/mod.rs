//! Embedding in the process beside sentence-transformers: same model, same texts, same cores, one right after the other.
//!
//! Both embed the same texts, taken from this repository's own pages: sentences of some twenty tokens and pieces of some two hundred,
//! as queries and chunks are. Before anything is measured the vectors of both are compared; a number that is off by more than
//! 1e-4 fails the run.

mod peer;
mod report;
mod texts;

use std::path::PathBuf;
use std::process;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use layer_embed::Model;

use crate::figures::{Spread, Verdict};
use crate::page;
use crate::run::machine::{Facts, Neighbours};
use crate::usage::{Family, Machine};

use peer::Peer;

/// How many times the peer's texts a second must be embedded.
const AIM: f64 = 1.5;
/// How far a number may be from the peer's.
const FAR: f32 = 1e-4;

/// Options of `layer-bench embed`.
#[derive(Debug, Args)]
pub struct Options {
    /// The model's folder (`scripts/model` prints that of the tests).
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// A Python environment that has sentence-transformers.
    #[arg(long, value_name = "DIR")]
    pub peer_python: PathBuf,
    /// How often each is measured.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Texts of a round, of each kind.
    #[arg(long, default_value_t = 300)]
    pub texts: usize,
    /// The document whose generated part about embedding is replaced with the results.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Fail when a median misses the aim.
    #[arg(long)]
    pub check: bool,
}

/// One kind of text, measured.
struct Sheet {
    name: &'static str,
    texts: usize,
    characters: usize,
    own: Vec<Duration>,
    peer: Vec<Duration>,
}

impl Sheet {
    fn rate(&self, times: &[Duration]) -> Option<Spread> {
        Spread::of(times.iter().map(|time| self.texts as f64 / time.as_secs_f64()))
    }

    fn ratio(&self) -> Option<Spread> {
        Spread::of(self.own.iter().zip(&self.peer).map(|(own, peer)| peer.as_secs_f64() / own.as_secs_f64()))
    }

    fn verdict(&self) -> Verdict {
        self.ratio().map_or(Verdict::Over, |ratio| Verdict::of_least(ratio, AIM))
    }
}

/// Carries out `layer-bench embed`.
///
/// # Errors
/// When the model cannot be loaded, the peer does not start, the two disagree, or, with `--check`, an aim is missed.
pub fn run(options: &Options) -> Result<()> {
    ensure!((1..=100).contains(&options.rounds), "--rounds: 1 to 100");
    ensure!((1..=100_000).contains(&options.texts), "--texts: 1 to 100000");
    let cores = available_parallelism().context("the number of cores")?.get();
    let model = Model::load(&options.model, cores).map_err(|error| anyhow!("--model: {error}"))?;
    let mut peer = Peer::start(&options.peer_python, &options.model, cores)?;
    let itself = Family::only(process::id());
    let (machine, before) = (Machine::now()?, itself.cpu()? + peer.cpu()?);
    let mut sheets = Vec::new();
    for (name, texts) in texts::kinds(options.texts) {
        sheets.push(measure(name, &texts, &model, &mut peer, options.rounds)?);
    }
    let own = (itself.cpu()? + peer.cpu()?).saturating_sub(before);
    let neighbours = Neighbours::between(machine, Machine::now()?, own);
    let schedule =
        format!("{} rounds of {} texts of each kind; medians over the rounds", options.rounds, options.texts);
    let facts = Facts::of(vec![("peer", peer.about.clone())], Some("not part of this run"), schedule, neighbours)?;
    let text = report::text(&facts, &sheets);
    println!("{text}");
    if let Some(path) = &options.out {
        page::write(path, "layer-bench embed", &text)?;
    }
    ensure!(!options.check || sheets.iter().all(|sheet| sheet.verdict().passes()), "an aim is missed; see the table");
    Ok(())
}

fn measure(name: &'static str, texts: &[String], model: &Model, peer: &mut Peer, rounds: usize) -> Result<Sheet> {
    peer.take(texts)?;
    let embed = || model.embed(texts).map_err(|error| anyhow!("{error}"));
    agree(&embed()?, &peer.vectors()?)?;
    let characters = texts.iter().map(|text| text.chars().count()).sum();
    let mut sheet = Sheet { name, texts: texts.len(), characters, own: Vec::new(), peer: Vec::new() };
    for round in 0..rounds {
        // The order turns, so that neither always finds the processor warm.
        for own in [round % 2 == 0, round % 2 == 1] {
            if own {
                let began = Instant::now();
                embed()?;
                sheet.own.push(began.elapsed());
            } else {
                sheet.peer.push(peer.embed()?);
            }
        }
        eprintln!("{name}, round {}: {:?} and {:?}", round + 1, sheet.own[round], sheet.peer[round]);
    }
    Ok(sheet)
}

fn agree(own: &[Vec<f32>], peer: &[Vec<f32>]) -> Result<()> {
    ensure!(own.len() == peer.len(), "the peer has {} vectors for {} texts", peer.len(), own.len());
    for (at, (own, peer)) in own.iter().zip(peer).enumerate() {
        ensure!(own.len() == peer.len(), "text {at}: the peer's vector has {} numbers, not {}", peer.len(), own.len());
        let far = own.iter().zip(peer).map(|(own, peer)| (own - peer).abs()).fold(0.0, f32::max);
        ensure!(far < FAR, "text {at}: a number is off by {far}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aim_is_a_share_of_the_peers_time() {
        let seconds = Duration::from_secs;
        let sheet = |own, peer| Sheet {
            name: "x",
            texts: 10,
            characters: 1,
            own: vec![seconds(own)],
            peer: vec![seconds(peer)],
        };
        assert!(sheet(2, 3).verdict().passes());
        assert!(!sheet(3, 4).verdict().passes());
        assert_eq!(sheet(2, 3).rate(&[seconds(5)]).map(|rate| rate.median), Some(2.0));
    }

    #[test]
    fn vectors_that_differ_end_the_run() {
        assert!(agree(&[vec![0.5]], &[vec![0.500_05]]).is_ok());
        assert!(agree(&[vec![0.5]], &[vec![0.501]]).is_err());
        assert!(agree(&[vec![0.5]], &[]).is_err());
    }
}
