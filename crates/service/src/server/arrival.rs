//! When the bytes of a request came.
//!
//! A process that stands still (SIGSTOP, a paused container) goes on receiving: the kernel takes connections and bytes, and
//! they are read when it wakes up. Whoever sent them may have given up long before, and done the same another way. Only the
//! kernel knows how long they have waited.

use std::time::{Duration, Instant};

use nix::sys::socket::{GetSockOpt, sockopt::GetStruct};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What the kernel counts of a TCP connection.
#[derive(Clone, Copy)]
struct TcpInfo;

nix::getsockopt_impl!(TcpInfo, libc::IPPROTO_TCP, libc::TCP_INFO, libc::tcp_info, GetStruct<libc::tcp_info>);

/// A stream over TCP.
pub(super) trait OverTcp {
    /// The connection under it.
    fn tcp(&self) -> &TcpStream;
}

impl OverTcp for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl OverTcp for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// When the last bytes came over a connection, to some milliseconds; now, where the kernel does not tell.
pub(super) fn arrival(connection: &TcpStream) -> Instant {
    let now = Instant::now();
    let waited = TcpInfo.get(connection).map_or(0, |info| info.tcpi_last_data_recv);
    now.checked_sub(Duration::from_millis(waited.into())).unwrap_or(now)
}
