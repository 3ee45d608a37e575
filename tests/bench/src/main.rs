//! `layer-bench`: see the library's documentation and `--help`.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use layer_bench::case::Case;
use layer_bench::load::{Generator, Limit, Plan};
use layer_bench::origin::Server;
use layer_bench::{embed, fetch, flat, queue, run, train, warm};

/// Measures the query-router beside nginx and beside no proxy at all.
#[derive(Debug, Parser)]
#[command(name = "layer-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves fixed answers at once, in the place of Turbopuffer.
    Origin {
        /// The address to listen on.
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: SocketAddr,
    },
    /// Loads one server with one kind of request.
    Load(Load),
    /// Compares direct, nginx and router in alternating rounds, and prints the ratios.
    Run(run::Options),
    /// Compares fetches through the router and its cache with bare gRPC, Redis and the origin, and writes with and without.
    Fetch(fetch::Options),
    /// Embeds texts by the model in the process, and compares with sentence-transformers.
    Embed(embed::Options),
    /// Warms a namespace, and compares with the origin read by the same queries.
    Warm(warm::Options),
    /// Stages, claims and completes jobs, beside another queue on the same PostgreSQL server.
    Queue(queue::Options),
    /// Stores a million documents in doc-cache and looks at its memory.
    CacheMemory(fetch::memory::Options),
    /// Serves one bare gRPC call through tonic.
    Bare {
        /// The address to listen on.
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: SocketAddr,
    },
    /// Sends every kind of request through a router that counts what it does, for `scripts/dist`.
    Train(train::Options),
    /// Streams one very large write through the router and watches its memory.
    FlatMemory(flat::Options),
}

#[derive(Debug, Args)]
struct Load {
    /// The server, which must be on this machine: http://127.0.0.1:PORT.
    #[arg(long)]
    url: String,
    /// The kind of request.
    #[arg(long)]
    case: Case,
    /// Keepalive connections, each with one request under way.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// How long to send requests.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many requests to send, instead of for how long.
    #[arg(long)]
    requests: Option<u64>,
}

fn main() -> ExitCode {
    match carry_out(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("layer-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> Result<()> {
    match command {
        Command::Origin { listen } => origin(listen),
        Command::Load(load) => load.run(),
        Command::Run(options) => run::run(&options),
        Command::Fetch(options) => fetch::run(&options),
        Command::Embed(options) => embed::run(&options),
        Command::Warm(options) => warm::run(&options),
        Command::Queue(options) => queue::run(&options),
        Command::CacheMemory(options) => fetch::memory::run(&options),
        Command::Bare { listen } => fetch::bare::serve(listen),
        Command::Train(options) => train::run(&options),
        Command::FlatMemory(options) => flat::run(&options),
    }
}

fn origin(listen: SocketAddr) -> Result<()> {
    let server = Server::bind(listen)?;
    println!("the fake origin listens on http://{}", server.address()?);
    server.serve()
}

impl Load {
    fn run(&self) -> Result<()> {
        let address = loopback(&self.url)?;
        let plan = Plan::of(self.case, &address.to_string(), false);
        let limit = match self.requests {
            Some(count) => Limit::Requests(count),
            None => Limit::Time(Duration::try_from_secs_f64(self.seconds).context("--seconds")?),
        };
        let outcome = Generator::connect(address, self.connections, plan)?.run(limit)?.checked()?;
        println!("requests      {} ({} reconnects)", outcome.requests, outcome.reconnects);
        println!("per second    {:.0}", outcome.per_second());
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            println!("{name:<13} {:.0} µs", outcome.quantile_us(share));
        }
        Ok(())
    }
}

/// The address of a URL on this machine. Others are refused: a load generator must not hit strangers by a typing error.
fn loopback(url: &str) -> Result<SocketAddr> {
    let authority = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    let address = authority
        .to_socket_addrs()
        .with_context(|| format!("--url {url}: expected http://HOST:PORT"))?
        .next()
        .context("--url: the host has no address")?;
    ensure!(address.ip().is_loopback(), "--url: {address} is not on this machine");
    Ok(address)
}
