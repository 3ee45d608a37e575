//! Addresses as settings have them.

/// The parts of `host:port`; the host of an IPv6 address without its brackets.
pub fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').filter(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())?,
        None => host,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let fits = host.contains(':') && address.starts_with('[') || host.bytes().all(plain);
    (!host.is_empty() && fits).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        assert_eq!(host_and_port("doc-cache.layer.svc:8082"), Some(("doc-cache.layer.svc", 8082)));
        assert_eq!(host_and_port("127.0.0.1:1"), Some(("127.0.0.1", 1)));
        assert_eq!(host_and_port("[::1]:1"), Some(("::1", 1)));
        for wrong in ["", "x", ":1", "x:", "x:0", "x:65536", "::1:1", "[x]:1", "[::1:1", "http://x:1", "x y:1", "x/:1"]
        {
            assert_eq!(host_and_port(wrong), None, "{wrong}");
        }
    }
}
