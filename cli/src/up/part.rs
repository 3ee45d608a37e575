//! A part of the mesh that runs beside the router in this process: the same service as elsewhere.

use std::collections::BTreeMap;

use layer_service::{
    config::Environment,
    lifecycle::{Lifecycle, Stage},
    program::{Program, StartError},
};
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// A running part.
pub struct Running {
    name: &'static str,
    /// The flag that gives it another address.
    flag: &'static str,
    lifecycle: Lifecycle,
    task: JoinHandle<Result<(), StartError>>,
}

impl Running {
    /// Starts it, and returns when it takes calls.
    pub async fn start<P: Program + 'static>(
        flag: &'static str,
        settings: P::Settings,
        traces: bool,
    ) -> Result<Self, Failure>
    where
        P::Settings: Send + 'static,
    {
        let lifecycle = Lifecycle::default();
        let task = tokio::spawn(P::run(settings, lifecycle.clone(), traces));
        let mut part = Self { name: P::NAME, flag, lifecycle, task };
        let ended = tokio::select! {
            () = part.lifecycle.reached(Stage::Serving) => return Ok(part),
            ended = &mut part.task => ended,
        };
        Err(part.how_it_ended(ended).err().unwrap_or_else(|| Failure::new(format!("{} stopped", P::NAME))))
    }

    /// Stops it, once nobody calls it any more.
    pub async fn stop(mut self) -> Result<(), Failure> {
        self.lifecycle.advance(Stage::Noticing);
        let ended = (&mut self.task).await;
        self.how_it_ended(ended)
    }

    fn how_it_ended(&self, ended: Result<Result<(), StartError>, tokio::task::JoinError>) -> Result<(), Failure> {
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(StartError::Bind(error))) => {
                Err(Failure::new(format!("{error}; choose another with {}", self.flag)))
            }
            Ok(Err(StartError::Config(error))) => Err(error.into()),
            Ok(Err(error)) => Err(Failure::new(error.to_string())),
            Err(error) => Err(Failure::new(format!("{} failed: {error}", self.name))),
        }
    }
}

/// Of `environment`, the variables that begin with one of `prefixes`: those that can only be meant for one part.
pub fn own_variables(environment: &dyn Environment, prefixes: &[&str]) -> BTreeMap<String, String> {
    let own = environment.names().into_iter().filter(|name| prefixes.iter().any(|own| name.starts_with(own)));
    own.filter_map(|name| Some((name.clone(), environment.get(&name)?))).collect()
}
