//! An origin far away: a relay that holds back what callers send, and passes answers on at once.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Starts it in front of `to`; it runs until the process ends. Returns where it listens.
///
/// # Errors
/// When there is no free port.
pub fn start(to: SocketAddr, delay: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a free port")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            // A connection that breaks ends its own threads only.
            let _ = serve(client, to, delay);
        }
    });
    Ok(address)
}

fn serve(client: TcpStream, to: SocketAddr, delay: Duration) -> Result<()> {
    let server = TcpStream::connect(to)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let (send, late) = channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        pump(&mut from_client, |data| send.send((Instant::now() + delay, data.to_vec())).is_ok());
    });
    thread::spawn(move || {
        for (when, data) in late {
            thread::sleep(when.saturating_duration_since(Instant::now()));
            if to_server.write_all(&data).is_err() {
                break;
            }
        }
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let (mut from_server, mut to_client) = (server, client);
    thread::spawn(move || {
        pump(&mut from_server, |data| to_client.write_all(data).is_ok());
        let _ = to_client.shutdown(Shutdown::Both);
    });
    Ok(())
}

fn pump(from: &mut TcpStream, mut pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !pass(&buffer[..count]) {
            break;
        }
    }
}
