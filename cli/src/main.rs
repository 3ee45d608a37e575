//! `layer`: runs the whole mesh in one process on embedded backends, serves the stand-in for Turbopuffer alone, and
//! speaks to a running mesh.
//!
//! It holds no logic of the mesh: `up` starts the same services that run as processes of their own elsewhere, and the
//! other verbs are clients of the public API.

mod arguments;
mod client;
mod failure;
mod output;
mod replicas;
mod up;
mod verbs;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, Verb};
use failure::Failure;
use output::say;

fn main() -> ExitCode {
    match Arguments::try_parse().map(run) {
        // Wrong use ends with 64 everywhere, also where clap finds it.
        Err(error) => layer_service::program::refuse(&error.into()),
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => failure.tell(),
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Up(up) => up::up(&up),
        Verb::Down(down) => up::down(&down.data_dir()),
        Verb::Origin(origin) => up::origin(&origin),
        Verb::Status(mesh) => client::run(verbs::status(&mesh)),
        Verb::Query(query) => client::run(verbs::query(&query)),
        Verb::Namespaces(namespaces) => client::run(verbs::namespaces(&namespaces)),
        Verb::Warm(warm) => client::run(verbs::warm(&warm)),
        Verb::Pipeline(pipeline) => client::run(verbs::pipeline(&pipeline.verb)),
        Verb::Function(function) => client::run(verbs::function(&function.verb)),
        Verb::Cache(cache) => client::run(verbs::cache(&cache)),
        Verb::Version => {
            say(concat!("layer ", env!("CARGO_PKG_VERSION"), "\n"));
            Ok(())
        }
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "layer", &mut std::io::stdout());
            Ok(())
        }
        Verb::Reference { page } => {
            say(&verbs::reference(page));
            Ok(())
        }
    }
}
