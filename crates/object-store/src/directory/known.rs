//! Which directories outlive a loss of power.
//!
//! A flush of a directory that has not changed still waits for the disk. So what was once flushed with all above it is
//! remembered: a directory that exists keeps those above it from being removed, hence nothing above it has to be flushed again.

use std::{
    collections::HashSet,
    fs::File,
    os::unix::fs::MetadataExt as _,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

/// Directories that are remembered; when there are more, all are forgotten, which costs a flush of each.
const KNOWN_MAX: usize = 10_000;

/// One directory in all time: numbers of files are used again, but not with the same time of birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    born: SystemTime,
}

impl Identity {
    /// Of an open directory; `None` where its file system tells no time of birth.
    pub(super) fn of(directory: &File) -> Option<Self> {
        let meta = directory.metadata().ok()?;
        Some(Self { device: meta.dev(), inode: meta.ino(), born: meta.created().ok()? })
    }
}

/// Directories whose names, and those of all above them, are on the disk.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashSet<Identity>>);

impl Known {
    pub(super) fn has(&self, directory: Option<Identity>) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        directory.is_some_and(|directory| known.contains(&directory))
    }

    pub(super) fn add(&self, flushed: Vec<Identity>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + flushed.len() > KNOWN_MAX {
            known.clear();
        }
        known.extend(flushed);
    }
}
