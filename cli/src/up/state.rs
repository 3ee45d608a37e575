//! What `layer up` leaves in its data directory for `layer down`: a lock while it runs, and who it is.
//!
//! A process that was killed leaves its page behind, and the next one holds the lock before it can clear that away. So
//! the page counts only with a mark that the holder of the lock wrote into the lock's own file, of a process that lives.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// How long a claim outwaits those who only look whether there is one.
const LOOKERS: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(10);

/// A running mesh, as written to `mesh.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Running {
    /// Its process.
    pub pid: i32,
    /// What the lock's file says while it runs.
    start: String,
    /// What it printed when it was ready.
    pub banner: String,
}

/// The mark of a running mesh: held as long as the value lives, and lost with the process however it ends.
#[derive(Debug)]
pub struct Claim {
    directory: PathBuf,
    start: String,
    _lock: File,
}

fn lock_page(directory: &Path) -> PathBuf {
    directory.join("mesh.lock")
}

fn lock_file(directory: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(lock_page(directory))
}

fn page(directory: &Path) -> PathBuf {
    directory.join("mesh.json")
}

impl Claim {
    /// Claims `directory` for this process.
    pub fn take(directory: &Path) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(format!("data directory {}: {error}; choose another with --data-dir", directory.display()))
        };
        std::fs::create_dir_all(directory).map_err(|error| failed(&error))?;
        let lock = lock_file(directory).map_err(|error| failed(&error))?;
        if !locked(&lock) {
            return Err(failed(&"a mesh runs on it already (stop it with `layer down`)"));
        }
        // What an earlier process wrote is not true any more.
        let _ = std::fs::remove_file(page(directory));
        let start = sign(&lock).map_err(|error| failed(&error))?;
        Ok(Self { directory: directory.to_owned(), start, _lock: lock })
    }

    /// Says that the mesh is ready.
    pub fn announce(&self, banner: &str) -> io::Result<()> {
        let pid = i32::try_from(std::process::id()).map_err(io::Error::other)?;
        let running = Running { pid, start: self.start.clone(), banner: banner.to_owned() };
        let draft = page(&self.directory).with_extension("draft");
        std::fs::write(&draft, serde_json::to_string(&running)?)?;
        std::fs::rename(draft, page(&self.directory))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Only tidiness: the lock is what counts.
        let _ = std::fs::remove_file(page(&self.directory));
    }
}

/// Locks `lock`; whoever only looks holds it for a moment.
fn locked(lock: &File) -> bool {
    let began = Instant::now();
    while lock.try_lock().is_err() {
        if began.elapsed() > LOOKERS {
            return false;
        }
        sleep(LOOK);
    }
    true
}

/// Writes into the lock's file what no other start writes.
fn sign(mut lock: &File) -> io::Result<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(io::Error::other)?;
    let start = format!("{} {}", std::process::id(), now.as_nanos());
    lock.set_len(0)?;
    lock.write_all(start.as_bytes())?;
    Ok(start)
}

/// The mesh that runs on `directory`, if it is ready.
pub fn running(directory: &Path) -> Option<Running> {
    if !is_claimed(directory) {
        return None;
    }
    let running: Running = serde_json::from_str(&std::fs::read_to_string(page(directory)).ok()?).ok()?;
    let start = std::fs::read_to_string(lock_page(directory)).ok()?;
    // A holder that has not signed yet leaves the mark and the page of one that was killed.
    let lives = test_kill_process(Pid::from_raw(running.pid)?).is_ok();
    (start == running.start && lives).then_some(running)
}

/// Whether a process runs on `directory`.
pub fn is_claimed(directory: &Path) -> bool {
    // Shared, so that those who look do not take each other for a mesh; `mesh.lock` is made by a claim only.
    File::open(lock_page(directory))
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("layer-state-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        directory
    }

    #[test]
    fn a_mesh_is_running_from_its_announcement_to_its_end() {
        let directory = directory("life");
        assert!(!is_claimed(&directory) && running(&directory).is_none());
        let claim = Claim::take(&directory).unwrap();
        assert!(is_claimed(&directory) && running(&directory).is_none());
        claim.announce("up").unwrap();
        let seen = running(&directory).unwrap();
        assert_eq!((seen.pid, seen.banner.as_str()), (std::process::id().cast_signed(), "up"));
        assert!(Claim::take(&directory).is_err());
        drop(claim);
        assert!(!is_claimed(&directory) && running(&directory).is_none());
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn the_page_of_one_that_was_killed_is_not_the_next_ones() {
        let directory = directory("stale");
        let first = Claim::take(&directory).unwrap();
        first.announce("first").unwrap();
        let stale = std::fs::read_to_string(page(&directory)).unwrap();
        drop(first);
        let _second = Claim::take(&directory).unwrap();
        std::fs::write(page(&directory), stale).unwrap();
        assert!(running(&directory).is_none());
        // Before the second has signed, the lock's file still has the mark of a process that is gone.
        let gone = Running { pid: i32::MAX, start: "mark".to_owned(), banner: String::new() };
        std::fs::write(lock_page(&directory), &gone.start).unwrap();
        std::fs::write(page(&directory), serde_json::to_string(&gone).unwrap()).unwrap();
        assert!(running(&directory).is_none());
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn those_who_look_do_not_keep_a_mesh_from_starting() {
        let directory = directory("look");
        drop(Claim::take(&directory).unwrap());
        let looker = File::open(lock_page(&directory)).unwrap();
        looker.lock_shared().unwrap();
        assert!(!is_claimed(&directory));
        let taken = std::thread::scope(|scope| {
            let taking = scope.spawn(|| Claim::take(&directory));
            sleep(LOOK);
            drop(looker);
            taking.join().unwrap()
        });
        assert!(taken.is_ok());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
