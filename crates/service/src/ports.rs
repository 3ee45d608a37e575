//! What every service opens: its data port, its admin port, and health, metrics and gRPC's common services behind them.
//!
//! A service opens its [`Ports`] before it starts anything, so that a wrong address is told at once; makes what it is of
//! with their metrics and health; and gives the data port what answers. It must not be ready before that: the service
//! itself says when it is ([`Stage::Serving`]).

use tokio::{net::TcpListener, task::JoinHandle};
use tonic::service::Routes;

use crate::{
    admin,
    config::DrainSettings,
    health::Health,
    lifecycle::{Lifecycle, Stage},
    metrics::Metrics,
    program::{Program, StartError},
    server::{self, MakeApplication, Options},
    tls,
};

/// A service's ports, bound; the admin port answers already.
pub struct Ports {
    /// Shown by the admin port.
    pub metrics: Metrics,
    /// Told by the admin port and by [`Ports::grpc`].
    pub health: Health,
    lifecycle: Lifecycle,
    listener: TcpListener,
    options: Options,
    drain: DrainSettings,
}

impl Ports {
    /// Binds both ports of `P` and serves the admin port.
    ///
    /// # Errors
    /// [`StartError`] naming the setting: files of TLS that cannot be used, or a port that cannot be had.
    pub fn open<P: Program>(settings: &P::Settings, lifecycle: &Lifecycle) -> Result<Self, StartError> {
        let sections = P::sections(settings);
        let (listen, tls) = (sections.listen.clone(), sections.tls.clone());
        let acceptor = tls::acceptor(&tls)?;
        let listener = server::bind(&listen.address, "listen.address", listen.reuse_port)?;
        let admin = server::bind(&sections.admin.address, "admin.address", listen.reuse_port)?;
        let (metrics, health) = (Metrics::default(), Health::new(P::NAME, lifecycle.clone()));
        tokio::spawn(admin::serve(admin, health.clone(), metrics.clone(), lifecycle.clone()));
        let (limits, drain) = (sections.limits.clone(), sections.drain.clone());
        let options = Options { listen, limits, tls, acceptor };
        Ok(Self { metrics, health, lifecycle: lifecycle.clone(), listener, options, drain })
    }

    /// grpc.health.v1, for the process and each of `services`, and reflection of `contract`, an encoded descriptor set.
    ///
    /// # Errors
    /// [`StartError`] where the contract cannot be read.
    pub async fn grpc(&self, services: &'static [&'static str], contract: &[u8]) -> Result<Routes, StartError> {
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(contract)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()?;
        Ok(Routes::new(self.health.grpc(services).await).add_service(reflection))
    }

    /// Answers on the data port from now on.
    pub fn serve<M: MakeApplication>(self, make: M) -> Serving {
        let Self { lifecycle, listener, options, drain, .. } = self;
        let served = tokio::spawn(server::serve(listener, make, options, lifecycle.clone()));
        Serving { served, lifecycle, drain }
    }
}

/// A data port that answers.
pub struct Serving {
    served: JoinHandle<()>,
    lifecycle: Lifecycle,
    drain: DrainSettings,
}

impl Serving {
    /// Waits until the service was told to stop and the drain is over.
    pub async fn drained(self) {
        self.lifecycle.reached(Stage::Noticing).await;
        let idle = async {
            // It only fails when it panicked, and then nothing is in flight either.
            let _ = self.served.await;
        };
        self.lifecycle.stop(&self.drain, idle).await;
    }
}
