//! `aerospike-stand-in`: the stand-in as a process of its own.

use std::net::SocketAddr;

use aerospike_stand_in::{NamespaceOptions, Options, StandIn};
use clap::Parser;

/// A stand-in for an Aerospike server, for tests. It keeps everything in memory and forgets it at its end.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where clients connect.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Where commands are taken, a line each (`help` lists them).
    #[arg(long, value_name = "ADDR")]
    control: Option<SocketAddr>,
    /// A further namespace beside `test` and `hevlayer`.
    #[arg(long, value_name = "NAME")]
    namespace: Vec<String>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let mut options = Options { listen: arguments.listen, control_listen: arguments.control, ..Options::default() };
    for name in &arguments.namespace {
        options = options.with_namespace(name, NamespaceOptions::default());
    }
    let server = StandIn::start(options).await?;
    // Who starts it with port 0 reads the ports from here.
    println!("listening {}", server.address());
    if let Some(control) = server.control_address() {
        println!("control {control}");
    }
    tokio::signal::ctrl_c().await
}
