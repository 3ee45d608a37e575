//! The load generator for fetches: as the one for whole requests (`crate::load`), over any of the protocols, and asking
//! for another document each time. One wrong answer ends it: a run with errors has no figures.

mod connection;
mod paced;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Poll, Token};

use crate::load::{Limit, Outcome};

use super::wire::{Dialect, Question};
use connection::Connection;

/// With no answer on any connection for this long, the target hangs.
const STALLED: Duration = Duration::from_secs(10);

/// What wakes the loop when a request is due.
const ALARM: Token = Token(usize::MAX);

/// From one question of a connection to its next; prime, so that all are asked before one is asked again.
const STRIDE: usize = 7_919;

/// What is asked of a target.
#[derive(Debug)]
pub struct Sheet {
    /// How it is asked.
    pub dialect: Dialect,
    /// What is asked, by turns.
    pub questions: Vec<Question>,
}

/// Connections to one target.
#[derive(Debug)]
pub struct Load {
    address: SocketAddr,
    sheet: Arc<Sheet>,
    poll: Poll,
    connections: Vec<Connection>,
}

/// One stretch of load under way, and what came of it.
#[derive(Debug)]
pub struct Stretch {
    /// Latencies and counts.
    pub outcome: Outcome,
    /// Answers that said that they came from the cache; only told over HTTP.
    pub hits: u64,
    begun: Instant,
    started: u64,
    busy: usize,
}

impl Load {
    /// Opens `count` connections to `address`.
    ///
    /// # Errors
    /// When one of them cannot be opened.
    pub fn connect(address: SocketAddr, count: usize, sheet: &Arc<Sheet>) -> Result<Self> {
        let poll = Poll::new().context("poller")?;
        let all = sheet.questions.len();
        let connections = (0..count)
            .map(|index| Connection::open(address, &poll, Token(index), &sheet.dialect, index * all / count))
            .collect::<Result<_>>()?;
        Ok(Self { address, sheet: Arc::clone(sheet), poll, connections })
    }

    /// Sends requests on all connections until `limit`, then waits for the answers still due.
    ///
    /// # Errors
    /// When an answer is wrong, or the target stalls or breaks a connection.
    pub fn run(&mut self, limit: Limit) -> Result<Stretch> {
        let mut stretch = Stretch { outcome: Outcome::new()?, hits: 0, begun: Instant::now(), started: 0, busy: 0 };
        for index in 0..self.connections.len() {
            self.next(index, &mut stretch, limit, Instant::now())?;
        }
        let (mut events, mut free) = (Events::with_capacity(256), Vec::new());
        while stretch.busy > 0 {
            self.answers(&mut events, STALLED, &mut stretch, &mut free)?;
            ensure!(!free.is_empty() || !events.is_empty(), self.stalled());
            for index in free.drain(..) {
                self.next(index, &mut stretch, limit, Instant::now())?;
            }
        }
        stretch.outcome.elapsed = stretch.begun.elapsed();
        Ok(stretch)
    }

    /// Waits for answers, `patience` at the most, records them, and adds the connections that are free again.
    fn answers(
        &mut self,
        events: &mut Events,
        patience: Duration,
        stretch: &mut Stretch,
        free: &mut Vec<usize>,
    ) -> Result<()> {
        match self.poll.poll(events, Some(patience)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other.context("poller")?,
        }
        for event in events.iter() {
            if event.token() == ALARM {
                continue;
            }
            let index = event.token().0;
            let connection = &mut self.connections[index];
            let Some(answered) = connection.advance(&self.sheet, event.is_read_closed())? else {
                continue;
            };
            stretch.outcome.record(connection.started.elapsed());
            stretch.hits += u64::from(answered.hit);
            stretch.busy -= 1;
            free.push(index);
        }
        Ok(())
    }

    fn stalled(&self) -> String {
        format!("{} gave no answer for {} s", self.address, STALLED.as_secs())
    }

    /// Starts the next request on a connection, if there is to be one.
    fn next(&mut self, index: usize, stretch: &mut Stretch, limit: Limit, now: Instant) -> Result<()> {
        let goes_on = match limit {
            Limit::Time(time) => now - stretch.begun < time,
            Limit::Requests(count) => stretch.started < count,
        };
        if goes_on {
            stretch.started += 1;
            stretch.busy += 1;
            self.connections[index].start(&self.sheet, STRIDE, now)?;
        }
        Ok(())
    }
}
