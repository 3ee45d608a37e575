//! Processes that the benchmark starts, and that must not outlive it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::case::Case;
use crate::load::{Generator, Limit, Plan};

/// How long a process may take to answer its first request, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a process that starts or ends is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A running process; dropping it ends it.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with `arguments`, its output going to a file in `directory`.
    ///
    /// It is started by way of `setpriv`, so that the kernel ends it when this process dies in whatever manner.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &'static str, program: &Path, arguments: &[String], directory: &Path) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("starting setpriv (Debian: util-linux)")?;
        Ok(Self { name, child, log })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a request through `address` gets the right answer.
    ///
    /// # Errors
    /// When the process ends or the answer is still wrong after ten seconds; with the end of its output.
    pub fn wait_until_it_answers(&mut self, address: SocketAddr) -> Result<()> {
        self.wait_until(|| probe(address))
    }

    /// Waits until `ready` succeeds.
    ///
    /// # Errors
    /// When the process ends or `ready` still fails after ten seconds; with the end of its output.
    pub fn wait_until(&mut self, ready: impl Fn() -> Result<()>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Err(error) = ready() else {
                return Ok(());
            };
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}: {}", self.name, self.last_words());
            }
            if Instant::now() > deadline {
                bail!("{} is not ready: {error:#}: {}", self.name, self.last_words());
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Kills it at once, without a chance to end well.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| self.name)?;
        self.child.wait().with_context(|| self.name)?;
        Ok(())
    }

    /// The last lines of its output.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    fn end(&mut self) -> Option<()> {
        if self.child.try_wait().ok()?.is_some() {
            return Some(());
        }
        // TERM first: nginx's workers end only when their master tells them.
        kill_process(Pid::from_child(&self.child), Signal::TERM).ok()?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.child.try_wait().ok()?.is_some() {
                return Some(());
            }
            thread::sleep(LOOK_EVERY);
        }
        self.child.kill().ok()?;
        self.child.wait().ok().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.end().is_none() {
            eprintln!("{}: process {} could not be ended", self.name, self.pid());
        }
    }
}

fn probe(address: SocketAddr) -> Result<()> {
    let plan = Plan::of(Case::Namespaces, &address.to_string(), false);
    Generator::connect(address, 1, plan)?.run(Limit::Requests(1))?.checked().map(drop)
}

/// A loopback address that was free a moment ago.
///
/// # Errors
/// When no port is free.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a free port")?;
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ends_early_is_reported_with_its_output() {
        let directory = tempfile::tempdir().unwrap();
        let arguments = ["-c", "echo no such flag >&2; exit 3"].map(str::to_owned);
        let mut process = Process::start("broken", Path::new("sh"), &arguments, directory.path()).unwrap();
        let error = process.wait_until_it_answers(free_address().unwrap()).unwrap_err().to_string();
        assert!(error.contains("broken ended") && error.contains("no such flag"), "{error}");
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let process = Process::start("cat", Path::new("sleep"), &["1000".to_owned()], directory.path()).unwrap();
        let proc = PathBuf::from(format!("/proc/{}", process.pid()));
        assert!(proc.exists());
        drop(process);
        assert!(!proc.exists());
    }
}
