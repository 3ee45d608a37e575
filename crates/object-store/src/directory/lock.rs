//! A lock per key, across threads and processes.

use std::{
    fs::{File, OpenOptions},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::Path,
};

/// Lock files: keys share them, which only makes unrelated changes wait for each other now and then.
const LOCKS: u64 = 256;

/// Waits for the right to change the object at `path`, below the objects' directory; it ends when the file is dropped.
pub(super) fn lock(locks: &Path, path: &Path) -> io::Result<File> {
    // Unkeyed, because every process must come to the same file.
    let mut hasher = DefaultHasher::new();
    path.as_os_str().as_encoded_bytes().hash(&mut hasher);
    let name = format!("{:02x}", hasher.finish() % LOCKS);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(locks.join(name))?;
    file.lock()?;
    Ok(file)
}
