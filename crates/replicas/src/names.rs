//! Following the names of a part.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::{
    address::host_and_port,
    replicas::{Health, Replica, Replicas},
    resolve::Resolve,
};

/// A look-up that takes longer is dead: the system's own gives up after 5 s and asks the next server.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The names under which a part is found.
#[derive(Debug)]
pub struct Names {
    part: &'static str,
    names: Vec<(Arc<str>, u16)>,
    failing: bool,
}

impl Names {
    /// Those in `addresses`, each `host:port`.
    pub fn new(part: &'static str, addresses: &[String]) -> Self {
        let names = addresses.iter().filter_map(|address| host_and_port(address));
        Self { part, names: names.map(|(host, port)| (host.into(), port)).collect(), failing: false }
    }

    /// All addresses that the names have now, each with its name. Where a look-up fails, whoever of its replicas answers,
    /// stays: a name without addresses and a resolver that is ill look the same.
    pub async fn look_up(&mut self, resolver: &dyn Resolve, replicas: &Replicas) -> Vec<(SocketAddr, Arc<str>)> {
        let mut found = Vec::new();
        let mut failed = false;
        for (host, port) in &self.names {
            match timeout(RESOLVE_TIMEOUT, resolver.resolve(host, *port)).await {
                Ok(Ok(addresses)) => found.extend(addresses.into_iter().map(|address| (address, Arc::clone(host)))),
                _ => {
                    failed = true;
                    let list = replicas.list();
                    let stays = |replica: &&Arc<Replica>| replica.host == *host && replica.health() != Health::Down;
                    found.extend(list.iter().filter(stays).map(|replica| (replica.address, Arc::clone(host))));
                }
            }
        }
        if failed != self.failing {
            tracing::info!(part = self.part, failed, "the look-up of a part's names changed");
            self.failing = failed;
        }
        found
    }
}
