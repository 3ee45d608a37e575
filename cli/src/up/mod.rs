//! Running the mesh in this process.

mod banner;
mod detach;
mod doc_cache;
mod mesh;
mod part;
mod pipeline_worker;
mod stand_in;
mod state;

pub use detach::down;
pub use part::own_variables;

use layer_service::{lifecycle::Lifecycle, program::stop_at_signal};

use crate::{
    arguments::{Origin, Up},
    failure::Failure,
    output::say,
};

/// `layer up`
pub fn up(arguments: &Up) -> Result<(), Failure> {
    if arguments.detach { detach::detach(arguments) } else { runtime()?.block_on(mesh::run(arguments)) }
}

/// `layer origin`
pub fn origin(arguments: &Origin) -> Result<(), Failure> {
    runtime()?.block_on(async {
        stand_in::log()?;
        let lifecycle = Lifecycle::default();
        tokio::spawn(stop_at_signal(lifecycle.clone()));
        let stand_in =
            stand_in::StandIn::open(&arguments.data_dir, &arguments.listen, "--listen", arguments.open_anywhere)?;
        let (name, address) = (stand_in::NAME, &arguments.listen);
        say(&format!("{name} listens on http://{address}; it is for development and tests, and is not Turbopuffer\n"));
        stand_in.serve(lifecycle).await
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(format!("the runtime cannot start: {error}")))
}
