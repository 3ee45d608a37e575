//! The servers of a run, all on this machine.

use std::net::SocketAddr;
use std::process;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::relay;
use crate::servers::{self, Server};
use crate::usage::Family;

use super::Options;

/// A server and its processes.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) server: Server,
    pub(super) family: Family,
}

impl Part {
    fn of(server: Server) -> Self {
        Self { family: Family::only(server.process.pid()), server }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.address
    }
}

/// All of them. The fields are dropped in this order, what calls before what it calls.
#[derive(Debug)]
pub(super) struct Parts {
    /// The router with the cache.
    pub(super) router: Part,
    /// The router without one.
    pub(super) plain: Part,
    pub(super) cache: Part,
    pub(super) redis: Part,
    pub(super) bare: Part,
    pub(super) origin: Part,
    pub(super) own: Family,
    /// What doc-cache had used when it was killed.
    spent: Option<Duration>,
    directory: TempDir,
}

/// The same mesh, with an origin that is far away.
#[derive(Debug)]
pub(super) struct Far {
    pub(super) router: Server,
    pub(super) plain: Server,
    pub(super) origin: SocketAddr,
}

impl Parts {
    pub(super) fn start(options: &Options) -> Result<Self> {
        let directory = TempDir::new().context("a temporary directory")?;
        let path = directory.path();
        let origin = servers::origin(path)?;
        let cache = servers::doc_cache(&options.cache_bin, path, &[])?;
        let cached = [format!("--cache-addresses={}", cache.address)];
        Ok(Self {
            router: Part::of(servers::router_with("router", &options.router_bin, path, origin.address, &cached)?),
            plain: Part::of(servers::router_with("plain-router", &options.router_bin, path, origin.address, &[])?),
            cache: Part::of(cache),
            redis: Part::of(servers::redis(path)?),
            bare: Part::of(servers::bare(path)?),
            origin: Part::of(origin),
            own: Family::only(process::id()),
            spent: None,
            directory,
        })
    }

    /// Routers in front of an origin that is `delay` away.
    pub(super) fn far(&self, options: &Options, delay: Duration) -> Result<Far> {
        let origin = relay::start(self.origin.address(), delay)?;
        let start = |name, flags: &[String]| {
            servers::router_with(name, &options.router_bin, self.directory.path(), origin, flags)
        };
        let cached = [format!("--cache-addresses={}", self.cache.address())];
        Ok(Far { router: start("far-router", &cached)?, plain: start("far-plain-router", &[])?, origin })
    }

    /// Kills doc-cache.
    pub(super) fn kill_cache(&mut self) -> Result<()> {
        self.spent = Some(self.cache.family.cpu()?);
        self.cache.server.process.kill()
    }

    /// The CPU time of everything that belongs to the run.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let parts = [&self.router, &self.plain, &self.redis, &self.bare, &self.origin];
        let families = parts.map(|part| &part.family).into_iter().chain([&self.own]);
        let sum = families.map(Family::cpu).sum::<Result<Duration>>()?;
        Ok(sum + self.spent.map_or_else(|| self.cache.family.cpu(), Ok)?)
    }
}
