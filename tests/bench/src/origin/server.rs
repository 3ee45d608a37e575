//! The accept and event loop of the fake origin.

use std::io;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::connection::{Connection, Fate};
use super::site::Site;

const LISTENER: Token = Token(usize::MAX);

/// More connections than any run opens; further ones are closed at once.
const MAX_CONNECTIONS: usize = 4_096;

/// The fake origin.
#[derive(Debug)]
pub struct Server {
    poll: Poll,
    listener: TcpListener,
    connections: Slab<Connection>,
    site: Site,
}

impl Server {
    /// Binds to `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn bind(address: SocketAddr) -> Result<Self> {
        let poll = Poll::new().context("poller")?;
        let mut listener = TcpListener::bind(address).with_context(|| format!("--listen {address}"))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self { poll, listener, connections: Slab::new(), site: Site::new() })
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// The operating system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// When the poller fails. A failing connection is closed and the others go on.
    pub fn serve(mut self) -> Result<()> {
        let mut events = Events::with_capacity(256);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.context("poller")?,
            }
            for event in &events {
                self.handle(event);
            }
        }
    }

    fn handle(&mut self, event: &Event) {
        if event.token() == LISTENER {
            self.accept();
            return;
        }
        let key = event.token().0;
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if !matches!(connection.advance(&mut self.site, event.is_read_closed()), Ok(Fate::Keep)) {
            self.connections.remove(key);
        }
    }

    fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            if self.connections.len() >= MAX_CONNECTIONS || stream.set_nodelay(true).is_err() {
                continue;
            }
            let entry = self.connections.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut stream, Token(entry.key()), interest).is_ok() {
                entry.insert(Connection::new(stream));
            }
        }
    }
}
