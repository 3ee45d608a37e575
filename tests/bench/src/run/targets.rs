//! The servers of a run.

use std::net::SocketAddr;
use std::process;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::servers::{self, Server};
use crate::usage::Family;

use super::Options;

/// What stands between the load generator and the fake origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Direct,
    /// nginx.
    Nginx,
    /// Layer's query-router.
    Router,
}

/// One of them, running.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    /// Its processes; none for [`Kind::Direct`].
    pub(super) family: Option<Family>,
    /// Held so that the process lives as long as this.
    _server: Option<Server>,
}

/// All of them. The fields are dropped in this order: proxies, origin, directory.
#[derive(Debug)]
pub(super) struct Targets {
    targets: Vec<Target>,
    pub(super) origin: Server,
    pub(super) origin_family: Family,
    pub(super) own_family: Family,
    _directory: TempDir,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Router => "router",
        }
    }
}

impl Target {
    pub(super) fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn proxy(kind: Kind, server: Server) -> Result<Self> {
        Ok(Self {
            kind,
            address: server.address,
            family: Some(Family::of(server.process.pid())?),
            _server: Some(server),
        })
    }
}

impl Targets {
    /// Starts what `options` ask for.
    pub(super) fn start(options: &Options) -> Result<Self> {
        let directory = TempDir::new().context("a temporary directory")?;
        let path = directory.path();
        let origin = servers::origin(path)?;
        let direct = Target { kind: Kind::Direct, address: origin.address, family: None, _server: None };
        let nginx = servers::nginx(path, origin.address, options.nginx_workers)?;
        let mut targets = vec![direct, Target::proxy(Kind::Nginx, nginx)?];
        if let Some(binary) = &options.router_bin {
            let router = servers::router(binary, path, origin.address)?;
            targets.push(Target::proxy(Kind::Router, router)?);
        }
        Ok(Self {
            origin_family: Family::only(origin.process.pid()),
            own_family: Family::only(process::id()),
            targets,
            origin,
            _directory: directory,
        })
    }

    pub(super) fn all(&self) -> &[Target] {
        &self.targets
    }

    /// The targets in the order of this round, so that each one comes first, second and last in turn.
    pub(super) fn in_order_of(&self, round: usize) -> impl Iterator<Item = &Target> {
        let count = self.targets.len();
        self.targets.iter().cycle().skip(round % count).take(count)
    }

    /// The CPU time of everything that belongs to the run.
    pub(super) fn cpu_with_own(&self) -> Result<Duration> {
        let families = self.targets.iter().filter_map(|target| target.family.as_ref());
        families
            .chain([&self.origin_family, &self.own_family])
            .try_fold(Duration::ZERO, |sum, family| Ok(sum + family.cpu()?))
    }
}
