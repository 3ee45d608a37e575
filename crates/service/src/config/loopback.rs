//! Which addresses only this machine can reach: what asks for no key may listen nowhere else unasked.

use std::net::ToSocketAddrs as _;

/// Whether `address` (`HOST:PORT`) is loopback. A name, `localhost` too, is looked up, and every address that it has must
/// be loopback: what a name means is the machine's to say. An address that cannot be read or found is not loopback.
pub fn is_loopback(address: &str) -> bool {
    let Ok(found) = address.to_socket_addrs() else { return false };
    let all: Vec<_> = found.collect();
    !all.is_empty() && all.iter().all(|one| one.ip().to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_resolves_to_loopback_is_loopback() {
        for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1"] {
            assert!(is_loopback(address), "{address}");
        }
        for address in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "name.invalid:1", "localhost", "127.0.0.1", ""] {
            assert!(!is_loopback(address), "{address}");
        }
    }
}
