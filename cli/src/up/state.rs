//! What `layer up` leaves in its data directory for `layer down`: a lock while it runs, and who it is.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// A running mesh, as written to `mesh.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Running {
    /// Its process.
    pub pid: i32,
    /// What it printed when it was ready.
    pub banner: String,
}

/// The mark of a running mesh: held as long as the value lives, and lost with the process however it ends.
#[derive(Debug)]
pub struct Claim {
    directory: PathBuf,
    _lock: File,
}

fn lock_file(directory: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(directory.join("mesh.lock"))
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
        if lock.try_lock().is_err() {
            return Err(failed(&"a mesh runs on it already (stop it with `layer down`)"));
        }
        // What an earlier process wrote is not true any more.
        let _ = std::fs::remove_file(page(directory));
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    /// Says that the mesh is ready.
    pub fn announce(&self, banner: &str) -> io::Result<()> {
        let pid = i32::try_from(std::process::id()).map_err(io::Error::other)?;
        let text = serde_json::to_string(&Running { pid, banner: banner.to_owned() })?;
        let draft = page(&self.directory).with_extension("draft");
        std::fs::write(&draft, text)?;
        std::fs::rename(draft, page(&self.directory))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Only tidiness: the lock is what counts.
        let _ = std::fs::remove_file(page(&self.directory));
    }
}

/// The mesh that runs on `directory`, if it is ready.
pub fn running(directory: &Path) -> Option<Running> {
    let text = std::fs::read_to_string(page(directory)).ok()?;
    is_claimed(directory).then(|| serde_json::from_str(&text).ok()).flatten()
}

/// Whether a process runs on `directory`.
pub fn is_claimed(directory: &Path) -> bool {
    lock_file(directory).is_ok_and(|lock| lock.try_lock().is_err())
}
