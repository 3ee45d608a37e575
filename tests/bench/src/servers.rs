//! How the servers of a run are started: the fake origin, nginx, the router, doc-cache, Redis, the bare tonic server.

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::case::API_KEY;
use crate::process::{Process, free_address};
use crate::usage::Family;

/// A running server and where it listens.
#[derive(Debug)]
pub struct Server {
    /// The process; it ends with this value.
    pub process: Process,
    /// Where it takes requests.
    pub address: SocketAddr,
}

impl Server {
    fn start(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        directory: &Path,
        address: SocketAddr,
    ) -> Result<Self> {
        let mut process = Process::start(name, program, arguments, directory)?;
        process.wait_until_it_answers(address)?;
        Ok(Self { process, address })
    }

    /// As `start`, of a server that does not speak HTTP: it is ready when it takes connections.
    fn start_listening(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        directory: &Path,
        address: SocketAddr,
    ) -> Result<Self> {
        let mut process = Process::start(name, program, arguments, directory)?;
        process.wait_until(|| TcpStream::connect(address).map(drop).context("connecting"))?;
        Ok(Self { process, address })
    }
}

/// Starts the fake origin as a process of its own, so that its CPU time can be told apart.
///
/// # Errors
/// When it does not answer.
pub fn origin(directory: &Path) -> Result<Server> {
    let address = free_address()?;
    let program = env::current_exe().context("the path of layer-bench")?;
    let arguments = ["origin".to_owned(), format!("--listen={address}")];
    Server::start("origin", &program, &arguments, directory, address)
}

/// Starts the router in front of `origin`.
///
/// # Errors
/// When it does not answer.
pub fn router(binary: &Path, directory: &Path, origin: SocketAddr) -> Result<Server> {
    router_with("router", binary, directory, origin, &[])
}

/// Starts the router with further flags, under a name of its own.
///
/// The only place that knows the router's flags.
///
/// # Errors
/// When it does not answer.
pub fn router_with(
    name: &'static str,
    binary: &Path,
    directory: &Path,
    origin: SocketAddr,
    more: &[String],
) -> Result<Server> {
    let (address, admin) = (free_address()?, free_address()?);
    let own = [
        format!("--listen-address={address}"),
        format!("--admin-address={admin}"),
        format!("--origin-url=http://{origin}"),
        format!("--origin-api-key={API_KEY}"),
    ];
    Server::start(name, binary, &[&own[..], more].concat(), directory, address)
}

/// Starts doc-cache with its embedded backend, in memory, and further flags.
///
/// # Errors
/// When it does not take connections.
pub fn doc_cache(binary: &Path, directory: &Path, more: &[String]) -> Result<Server> {
    let (address, admin) = (free_address()?, free_address()?);
    // There was no writer before: nothing has to settle.
    let own =
        [format!("--listen-address={address}"), format!("--admin-address={admin}"), "--proof-settle-ms=0".to_owned()];
    Server::start_listening("doc-cache", binary, &[&own[..], more].concat(), directory, address)
}

/// Starts the bare tonic server as a process of its own.
///
/// # Errors
/// When it does not take connections.
pub fn bare(directory: &Path) -> Result<Server> {
    let address = free_address()?;
    let program = env::current_exe().context("the path of layer-bench")?;
    let arguments = ["bare".to_owned(), format!("--listen={address}")];
    Server::start_listening("bare", &program, &arguments, directory, address)
}

/// Starts Redis in memory alone: nothing is saved.
///
/// # Errors
/// When it is not installed or does not take connections.
pub fn redis(directory: &Path) -> Result<Server> {
    redis_version()?;
    let address = free_address()?;
    let arguments = [
        ("--bind", address.ip().to_string()),
        ("--port", address.port().to_string()),
        ("--save", String::new()),
        ("--appendonly", "no".to_owned()),
        ("--dir", path(directory)),
    ];
    let arguments: Vec<String> = arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
    Server::start_listening("redis", Path::new("redis-server"), &arguments, directory, address)
}

/// What `redis-server --version` says.
///
/// # Errors
/// When Redis is not installed; says how to install it.
pub fn redis_version() -> Result<String> {
    let Ok(output) = Command::new("redis-server").arg("--version").output() else {
        bail!("Redis is not installed: apt-get install -y --no-install-recommends redis-server");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("of unknown version").to_owned())
}

/// Starts nginx in front of `origin`.
///
/// # Errors
/// When it is not installed or does not answer.
pub fn nginx(directory: &Path, origin: SocketAddr, workers: usize) -> Result<Server> {
    nginx_version()?;
    let address = free_address()?;
    let configuration = directory.join("nginx.conf");
    fs::write(&configuration, nginx_configuration(directory, address, origin, workers)).context("nginx.conf")?;
    let arguments = ["-e", "stderr", "-p", &path(directory), "-c", &path(&configuration)].map(str::to_owned);
    let mut server = Server::start("nginx", Path::new("nginx"), &arguments, directory, address)?;
    let pid = server.process.pid();
    // The first worker answers before the others are there, and all of them are to be measured.
    server.process.wait_until(|| {
        ensure!(Family::of(pid)?.len() == workers + 1, "its workers are not all there");
        Ok(())
    })?;
    Ok(server)
}

/// What `nginx -v` says.
///
/// # Errors
/// When nginx is not installed; says how to install it.
pub fn nginx_version() -> Result<String> {
    let Ok(output) = Command::new("nginx").arg("-v").output() else {
        bail!("nginx is not installed: apt-get install -y --no-install-recommends nginx");
    };
    let text = String::from_utf8_lossy(&output.stderr);
    Ok(text.trim().trim_start_matches("nginx version: ").to_owned())
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// nginx as a plain reverse proxy at its best: keepalive on both sides without end, no logs, bodies kept in memory.
fn nginx_configuration(directory: &Path, listen: SocketAddr, origin: SocketAddr, workers: usize) -> String {
    // Workers of a master that runs as root would otherwise be unable to reach the directory.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let directory = path(directory);
    format!(
        "{user}
daemon off;
worker_processes {workers};
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {directory}/client;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  client_body_buffer_size 1m;
  client_max_body_size 600m;
  keepalive_requests 1000000000;
  upstream origin {{ server {origin}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen {listen};
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
    }}
  }}
}}
"
    )
}
