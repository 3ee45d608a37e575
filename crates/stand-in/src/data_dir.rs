//! One owner per data directory.
//!
//! minifugu appends to its log at an offset that it keeps in memory, so two processes on one directory overwrite
//! each other's acknowledged writes without a word. This module exists to refuse the second one. The lock is the
//! operating system's, on a file of our own, so it ends with the process, also under kill -9: it must never be a mere
//! marker file that a crash leaves behind.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

const LOCK_FILE: &str = "stand-in.lock";

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process serves from this directory.
    #[error("the data directory {} is in use by {holder}; stop it, or name another directory", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who holds it, as far as the lock file tells, such as `process 4711`.
        holder: String,
    },
    /// The directory cannot be made, read or locked.
    #[error("the data directory {} cannot be used: {source}; make it writable, or name another directory", .path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The directory holds something that cannot be loaded.
    #[error("the data in {} cannot be loaded: {source}; move its namespaces.* files aside, or name another directory", .path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// What minifugu said.
        source: io::Error,
    },
}

/// A directory that this process alone owns, for as long as the value lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Held for its lock, which closing the file ends.
    _lock: File,
}

impl DataDir {
    pub(crate) fn lock(path: &Path) -> Result<Self, Error> {
        let unusable = |source| Error::Unusable { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(unusable)?;
        let mut file = open_lock_file(path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse { path: path.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        write_holder(&mut file).map_err(unusable)?;
        Ok(Self { path: path.to_owned(), _lock: file })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn open_lock_file(directory: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(directory.join(LOCK_FILE))
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    write!(file, "{}", std::process::id())
}

/// Only for the message: the lock decides, and the text may be of a holder that is just starting.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(32).read_to_string(&mut text));
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!("process {pid}"),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_by_name_until_the_first_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = DataDir::lock(directory.path()).unwrap();
        let refused = DataDir::lock(directory.path()).unwrap_err().to_string();
        assert!(refused.contains(&directory.path().display().to_string()), "{refused}");
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(first);
        DataDir::lock(directory.path()).unwrap();
    }

    #[test]
    fn a_file_in_the_directorys_place_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        std::fs::write(&path, "").unwrap();
        let refused = DataDir::lock(&path).unwrap_err();
        assert!(matches!(refused, Error::Unusable { .. }));
        assert!(refused.to_string().contains("taken"), "{refused}");
    }
}
