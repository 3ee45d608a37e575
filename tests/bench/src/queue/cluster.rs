//! A PostgreSQL server of the run's own: Debian's programs with their own defaults, so that a commit is on the disk before
//! it is answered. Both sides have a database on it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::process::Process;

/// The one setting beside where it listens: both sides together need more connections than the default has.
const CONNECTIONS: u32 = 200;

/// A running server.
#[derive(Debug)]
pub(super) struct Cluster {
    process: Process,
    programs: PathBuf,
    directory: TempDir,
}

impl Cluster {
    /// Makes a cluster and starts its server.
    pub(super) fn start() -> Result<Self> {
        let programs = programs()?;
        let directory = TempDir::with_prefix("layer-bench-").context("a temporary directory")?;
        let account = account(directory.path())?;
        let data = directory.path().join("data");
        let text = |path: &Path| path.display().to_string();
        let mut initdb = account.clone();
        initdb.extend([text(&programs.join("initdb")), "--auth=trust".into(), "--username=postgres".into()]);
        initdb.extend(["--encoding=UTF8".into(), "-D".into(), text(&data)]);
        run("env", &initdb).context("initdb")?;
        let mut server = account;
        server.extend([text(&programs.join("postgres")), "-D".into(), text(&data), "-k".into()]);
        server.extend([text(directory.path()), "-c".into(), "listen_addresses=".into()]);
        server.extend(["-c".into(), format!("max_connections={CONNECTIONS}")]);
        let process = Process::start("postgres", Path::new("env"), &server, directory.path())?;
        let mut cluster = Self { process, programs, directory };
        let (programs, host) = (cluster.programs.clone(), text(cluster.directory.path()));
        cluster.process.wait_until(|| psql(&programs, &host, "postgres", "SELECT 1").map(drop))?;
        Ok(cluster)
    }

    /// Makes a database.
    pub(super) fn database(&self, name: &str) -> Result<()> {
        self.sql("postgres", &format!("CREATE DATABASE {name}")).map(drop)
    }

    /// What a statement answers, without decoration.
    pub(super) fn sql(&self, database: &str, statement: &str) -> Result<String> {
        psql(&self.programs, &self.directory.path().display().to_string(), database, statement)
    }

    /// The URL of a database, as both sqlx and node-postgres read it.
    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.directory.path().display())
    }

    /// The server's process id.
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What the server says of itself.
    pub(super) fn version(&self) -> Result<String> {
        self.sql("postgres", "SHOW server_version")
    }

    /// How long a commit's write takes on this disk: the median of flushes of 8 KiB, in ms.
    pub(super) fn flush_ms(&self) -> Result<f64> {
        let mut file = tempfile::tempfile_in(self.directory.path()).context("a file beside the cluster")?;
        let mut times = Vec::with_capacity(100);
        for _ in 0..100 {
            let begun = Instant::now();
            file.write_all(&[7; 8192])?;
            file.sync_data()?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        Ok(times.get(50).map_or(0.0, Duration::as_secs_f64) * 1e3)
    }
}

/// Where Debian's package, or the path, has the server's programs.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<_> = versions.map(|entry| entry.path().join("bin")).collect();
    places.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = places.into_iter().rev().chain(std::env::split_paths(&path));
    let mut found = found.filter(|place| place.join("initdb").exists() && place.join("postgres").exists());
    found.next().context("PostgreSQL is not installed: apt-get install -y --no-install-recommends postgresql")
}

/// The arguments of `env` that make a command run as a user whom the server accepts, who is given `directory`.
fn account(directory: &Path) -> Result<Vec<String>> {
    let mut arguments = vec!["LC_ALL=C".to_owned()];
    if rustix::process::geteuid().is_root() {
        // Changing the user forgets what is to happen when this process dies: it is said again.
        let user = ["setpriv", "--pdeathsig=INT", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
        arguments.extend(user.map(str::to_owned));
        let id = |flag: &str| run("id", &[flag.to_owned(), "postgres".to_owned()]);
        chown(directory, Some(id("-u")?.parse()?), Some(id("-g")?.parse()?)).context("the cluster's directory")?;
    }
    Ok(arguments)
}

fn psql(programs: &Path, host: &str, database: &str, statement: &str) -> Result<String> {
    let arguments = ["-h", host, "-U", "postgres", "-d", database, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement];
    run(&programs.join("psql").display().to_string(), &arguments.map(str::to_owned))
}

fn run(program: &str, arguments: &[String]) -> Result<String> {
    let output = Command::new(program).args(arguments).current_dir("/").output();
    let output = output.with_context(|| program.to_owned())?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    ensure!(text.len() < 1 << 20, "{program} says too much");
    Ok(text.trim().to_owned())
}
