//! A PostgreSQL server of the tests' own: on a socket in a directory of its own, gone with the test process.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};

/// How long the server may take to start.
const START: Duration = Duration::from_secs(60);

/// A running server.
pub struct Cluster {
    directory: PathBuf,
    databases: AtomicU32,
    /// Its standard input is a pipe that closes when this process ends, however it ends: then the server stops.
    _server: Child,
}

/// The server of this test process.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

impl Cluster {
    fn start() -> Self {
        let programs = programs();
        // Not beside the build's output: the server's user need not be able to go there.
        let directory = tempfile::tempdir().unwrap().keep();
        let user = server_user();
        if let Some((uid, gid)) = user {
            chown(&directory, Some(uid), Some(gid)).unwrap();
        }
        let data = directory.join("data");
        let mut initdb = as_user(Command::new(programs.join("initdb")), user, &directory);
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "-D"]).arg(&data);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        // `read` ends when the pipe does.
        let script = r#""$0" -D "$1" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=200 2>&1 &
            read -r _; kill -QUIT $!; wait; rm -rf "$2""#;
        let mut shell = as_user(Command::new("sh"), user, &directory);
        shell.arg("-c").arg(script).arg(programs.join("postgres")).arg(&data).arg(&directory);
        let mut server = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        wait_until_ready(server.stdout.take().unwrap());
        Self { _server: server, directory, databases: AtomicU32::new(0) }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?user=postgres&host={}", self.directory.display())
    }

    /// The URL of a new, empty database.
    pub async fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Relaxed));
        let mut connection = AnyConnection::connect(&self.url("postgres")).await.unwrap();
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        self.url(&name)
    }
}

/// Reads what the server says until it takes connections, and goes on reading, so that it never waits for a reader.
fn wait_until_ready(output: ChildStdout) {
    let (sender, said) = mpsc::channel();
    std::thread::spawn(move || {
        // After the start nobody listens any more.
        BufReader::new(output).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
    });
    let (late, mut log) = (Instant::now() + START, Vec::new());
    while !log.last().is_some_and(|line: &String| line.contains("ready to accept connections")) {
        match said.recv_timeout(late.saturating_duration_since(Instant::now())) {
            Ok(line) => log.push(line),
            Err(error) => panic!("PostgreSQL does not start ({error}):\n{}", log.join("\n")),
        }
    }
}

/// Where Debian's package, or the path, has the server's programs; installs the package where neither has.
fn programs() -> PathBuf {
    found().unwrap_or_else(|| {
        let need = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/need");
        let _ = Command::new(need).arg("postgresql").status();
        found().expect("PostgreSQL is installed: the Debian package postgresql")
    })
}

fn found() -> Option<PathBuf> {
    let debian =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).collect::<Vec<_>>();
    let mut places: Vec<_> = debian.collect();
    places.sort();
    places
        .into_iter()
        .rev()
        .chain(on_path)
        .find(|place| place.join("initdb").exists() && place.join("postgres").exists())
}

/// The server refuses to run as root: then it runs as the user that the package made.
fn server_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let user = ["postgres", "nobody"].iter().find_map(|name| Some((id(&["-u", name])?, id(&["-g", name])?)));
    Some(user.expect("there is a user `postgres` or `nobody`"))
}

fn as_user(mut command: Command, user: Option<(u32, u32)>, directory: &Path) -> Command {
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command.current_dir(directory).env("LC_ALL", "C");
    command
}
