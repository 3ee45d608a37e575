//! The loop that keeps all connections busy.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::event::Event;
use mio::{Events, Poll, Token};

use super::connection::{Connection, Progress};
use super::{Outcome, Plan};

/// With no answer on any connection for this long, the target hangs.
const STALLED: Duration = Duration::from_secs(10);

/// With this many errors a stretch ends early: its figures are worthless anyhow.
const MAX_ERRORS: u64 = 100;

/// When a stretch of load ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// After this time.
    Time(Duration),
    /// After this many requests.
    Requests(u64),
}

/// Keepalive connections to one target, and the request that they send.
#[derive(Debug)]
pub struct Generator {
    address: SocketAddr,
    plan: Plan,
    poll: Poll,
    connections: Vec<Connection>,
}

/// One stretch of load under way.
struct Stretch {
    outcome: Outcome,
    limit: Limit,
    begun: Instant,
    started: u64,
    busy: usize,
}

impl Generator {
    /// Opens `count` connections to `address`.
    ///
    /// # Errors
    /// When one of them cannot be opened.
    pub fn connect(address: SocketAddr, count: usize, plan: Plan) -> Result<Self> {
        let poll = Poll::new().context("poller")?;
        let connections =
            (0..count).map(|index| Connection::open(address, poll.registry(), Token(index))).collect::<Result<_>>()?;
        Ok(Self { address, plan, poll, connections })
    }

    /// Sends requests on all connections until `limit`, then waits for the answers still due.
    ///
    /// # Errors
    /// When the target stalls or cannot be reached again; wrong answers are counted in the outcome instead.
    pub fn run(&mut self, limit: Limit) -> Result<Outcome> {
        let mut stretch = Stretch { outcome: Outcome::new()?, limit, begun: Instant::now(), started: 0, busy: 0 };
        for index in 0..self.connections.len() {
            self.next(index, &mut stretch, Instant::now())?;
        }
        let mut events = Events::with_capacity(256);
        while stretch.busy > 0 {
            self.turn(&mut events, &mut stretch)?;
        }
        stretch.outcome.elapsed = stretch.begun.elapsed();
        Ok(stretch.outcome)
    }

    fn turn(&mut self, events: &mut Events, stretch: &mut Stretch) -> Result<()> {
        match self.poll.poll(events, Some(STALLED)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other.context("poller")?,
        }
        if events.is_empty() {
            bail!("{} gave no answer for {} s", self.address, STALLED.as_secs());
        }
        for event in events.iter() {
            self.handle(event, stretch)?;
        }
        Ok(())
    }

    fn handle(&mut self, event: &Event, stretch: &mut Stretch) -> Result<()> {
        let index = event.token().0;
        let connection = &mut self.connections[index];
        let was_busy = connection.is_busy();
        let progress = connection.advance(&self.plan, event.is_read_closed());
        let now = Instant::now();
        match progress {
            Ok(Progress::Waiting) => return Ok(()),
            Ok(Progress::Answered { closes }) => {
                stretch.outcome.record(now - connection.started);
                if closes {
                    stretch.outcome.reconnects += 1;
                    self.reopen(index)?;
                }
            }
            Ok(Progress::Wrong(how)) => {
                stretch.outcome.errors.wrong += 1;
                stretch.outcome.errors.note(|| how);
                self.reopen(index)?;
            }
            // A server may close a connection on which nothing is under way.
            Err(_) if !was_busy => {
                stretch.outcome.reconnects += 1;
                return self.reopen(index);
            }
            Err(error) => {
                stretch.broken(&error);
                self.reopen(index)?;
            }
        }
        stretch.busy -= 1;
        self.next(index, stretch, now)
    }

    /// Starts the next request on a connection, if there is to be one.
    fn next(&mut self, index: usize, stretch: &mut Stretch, now: Instant) -> Result<()> {
        while stretch.goes_on(now) {
            stretch.started += 1;
            match self.connections[index].start(&self.plan, now) {
                Ok(()) => {
                    stretch.busy += 1;
                    return Ok(());
                }
                Err(error) => {
                    stretch.broken(&error);
                    self.reopen(index)?;
                }
            }
        }
        Ok(())
    }

    fn reopen(&mut self, index: usize) -> Result<()> {
        self.connections[index] = Connection::open(self.address, self.poll.registry(), Token(index))?;
        Ok(())
    }
}

impl Stretch {
    fn goes_on(&self, now: Instant) -> bool {
        let before_limit = match self.limit {
            Limit::Time(time) => now - self.begun < time,
            Limit::Requests(count) => self.started < count,
        };
        before_limit && self.outcome.errors.total() < MAX_ERRORS
    }

    fn broken(&mut self, error: &anyhow::Error) {
        self.outcome.errors.broken += 1;
        self.outcome.errors.note(|| format!("{error:#}"));
    }
}
