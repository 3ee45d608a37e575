//! An acknowledged write survives kill -9: a real process, killed in a loop of writes, started again.
//!
//! This program is both sides. Started with [`SERVE`] in its environment it is the stand-in, on a port that it
//! prints; else it is the test. So it needs no other binary, and what is killed is a process of its own.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use layer_stand_in::{Options, open};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

/// Names the data directory to serve from.
const SERVE: &str = "LAYER_STAND_IN_TEST_SERVE";
const ROUNDS: u64 = 3;
const WRITERS: u64 = 4;
const ACKNOWLEDGED_BEFORE_KILL: usize = 150;

type Http = Client<HttpConnector, Full<Bytes>>;

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(directory) = std::env::var_os(SERVE) {
        return serve(Path::new(&directory)).await;
    }
    a_second_process_is_refused();
    acknowledged_writes_survive_a_kill().await;
    println!("2 passed, 0 failed");
    ExitCode::SUCCESS
}

async fn serve(directory: &Path) -> ExitCode {
    let router = match open(Options { data_dir: directory.to_owned() }) {
        Ok(router) => router,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("http://{}", listener.local_addr().expect("an address"));
    axum::serve(listener, router).await.expect("to serve until killed");
    ExitCode::SUCCESS
}

/// The stand-in as a process; killed when the test ends in whatever way.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    fn start(directory: &Path) -> Self {
        let process = Self::spawn(directory);
        assert!(process.url.starts_with("http://"), "the stand-in did not start");
        process
    }

    /// Its URL is empty when it ended without serving.
    fn spawn(directory: &Path) -> Self {
        let mut child = command(directory).spawn().unwrap();
        let mut url = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        Self { child, url }
    }

    /// SIGKILL, and waits until the process is gone.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(SERVE, directory).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn a_second_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = Process::start(directory.path());
    let mut second = Process::spawn(directory.path());
    assert_eq!(second.url, "", "a second process serves from the same directory");
    assert!(!second.child.wait().unwrap().success());
    let mut said = String::new();
    let mut stderr = second.child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    for part in [format!("process {}", first.child.id()), directory.path().display().to_string()] {
        assert!(said.contains(&part), "{said}");
    }
}

async fn acknowledged_writes_survive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut process = Process::start(directory.path());
        acknowledged.extend(write_until_killed(&mut process, round).await);
        let restarted = Process::start(directory.path());
        let present = present(&restarted.url).await;
        let lost: Vec<_> = acknowledged.difference(&present).collect();
        assert!(lost.is_empty(), "round {round}: {} acknowledged rows are gone: {lost:?}", lost.len());
        println!("round {round}: {} acknowledged, {} present", acknowledged.len(), present.len());
    }
}

/// Several writers at once, each with ids of its own; the process is killed while they write.
async fn write_until_killed(process: &mut Process, round: u64) -> BTreeSet<u64> {
    let (acknowledge, mut acknowledgements) = mpsc::channel(1024);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let first = (round * WRITERS + writer) * 1_000_000;
        writers.spawn(write_rows(process.url.clone(), first, acknowledge.clone()));
    }
    drop(acknowledge);
    let mut acknowledged = BTreeSet::new();
    while let Some(id) = acknowledgements.recv().await {
        acknowledged.insert(id);
        if acknowledged.len() == ACKNOWLEDGED_BEFORE_KILL {
            process.kill();
        }
    }
    writers.join_all().await;
    assert!(acknowledged.len() >= ACKNOWLEDGED_BEFORE_KILL, "the writers stopped early");
    acknowledged
}

/// Writes one row after the other until the connection breaks.
async fn write_rows(url: String, first: u64, acknowledge: mpsc::Sender<u64>) {
    let http = Client::builder(TokioExecutor::new()).build_http();
    for id in first.. {
        let body = json!({"upsert_rows": [{"id": id, "text": format!("row {id}")}]});
        match post(&http, &format!("{url}/v2/namespaces/kill"), &body).await {
            Ok((StatusCode::OK, _)) => acknowledge.send(id).await.unwrap(),
            Ok((status, answer)) => panic!("{status} {answer}"),
            Err(_) => return,
        }
    }
}

async fn present(url: &str) -> BTreeSet<u64> {
    let http = Client::builder(TokioExecutor::new()).build_http();
    let query = json!({"rank_by": ["id", "asc"], "limit": 10_000});
    let (status, answer) = post(&http, &format!("{url}/v2/namespaces/kill/query"), &query).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{answer}");
    let rows = answer["rows"].as_array().unwrap();
    assert!(rows.len() < 10_000, "the query's limit hides rows");
    rows.iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

async fn post(
    http: &Http,
    url: &str,
    body: &Value,
) -> Result<(StatusCode, Value), Box<dyn std::error::Error + Send + Sync>> {
    let request = Request::post(url).header("authorization", "Bearer test");
    let response = http.request(request.body(Full::from(body.to_string()))?).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, serde_json::from_slice(&body)?))
}
