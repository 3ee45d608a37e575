//! A stand-in for an Aerospike server, for tests. It speaks the real wire protocol to the real client: no registry has the
//! server, and a mock behind our own trait would only prove that we agree with ourselves.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use aerospike_stand_in::{Options, StandIn, StopWrites};
//!
//! let server = StandIn::start(Options::default()).await?;
//! let hosts = server.address().to_string();
//! server.control().stop_writes(StopWrites::On);
//! assert_eq!(server.control().counters().batches, 0);
//! # Ok(())
//! # }
//! ```
//!
//! What it does is modelled on the Community Edition 8.1.2: result codes, the order in which a write's checks are made, and
//! what a filter, a generation, a time to live or an expression means. Where it must answer for something that it leaves
//! out, it answers code 16 and never guesses.
//!
//! # Simpler than the real one
//!
//! - One node: no replication, no migration, no strong consistency, no transactions over several records.
//! - No secondary indexes, no programs (UDF), no lists, bits, HyperLogLog or geography; maps only at a bin's top level.
//! - Scans are answered at once and whole; a scan's limits (records, records per second) are ignored.
//! - In memory: sizes are estimates, nothing is evicted but by command, and expired records go when they are looked for.
//! - A batch's rows are done in order, on one thread. The server may do them in any order.
//! - One user, who may do everything. (The real Community Edition has no users and no TLS.)
//! - `durable_delete` is ignored unless [`Options::is_community`] is set: then it is refused with code 25, as there.
//! - Answers are never compressed, and an error carries no detail.
//! - Reads do not prolong a record's life (`read_touch_ttl`).

mod cdt;
mod code;
mod control;
mod expression;
mod options;
mod server;
mod store;
mod transaction;
mod value;
mod wire;

pub use code::Code;
pub use control::{Control, Counters, Faults, Restart, SetLimit, Slow, SlowPhase, StopWrites};
pub use options::{Options, User};
pub use store::NamespaceOptions;

use std::net::SocketAddr;
use std::sync::Arc;

use server::Shared;

/// A running stand-in. It stops, and closes its connections, when this is dropped.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    control_address: Option<SocketAddr>,
    control: Control,
}

impl StandIn {
    /// Starts one on the present runtime.
    ///
    /// # Errors
    ///
    /// Where an address cannot be bound.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let listen = options.listen;
        let control_listen = options.control_listen;
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options, address));
        let control = Control::new(shared.clone());
        let control_address = match control_listen {
            Some(listen) => Some(control::port::start(listen, control.clone()).await?),
            None => None,
        };
        tokio::spawn(server::run(shared, listener));
        Ok(Self { address, control_address, control })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the control port listens, if one was asked for.
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control_address
    }

    /// The handle for faults, counters and records.
    pub fn control(&self) -> &Control {
        &self.control
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.control.stop();
    }
}
