//! From names to addresses.
//!
//! The system's own look-up (getaddrinfo) rather than a DNS client of ours: it reads `/etc/hosts`, search domains and
//! `ndots` as every other program in the pod does, and needs no settings. What it does not tell, how long an answer
//! stands, is not needed: names are looked up again every few seconds. It blocks, so tokio runs it on a thread of its
//! own; one look-up is under way at a time, so a dead DNS server holds one thread.

use std::{fmt, io, net::SocketAddr};

use async_trait::async_trait;

/// Resolves names; a test has its own.
#[async_trait]
pub trait Resolve: Send + Sync + fmt::Debug + 'static {
    /// All addresses of a host.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver.
#[derive(Debug)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}
