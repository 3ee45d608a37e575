//! Changes: each is on the disk before it returns, and each is one step to whoever reads.

use std::{
    fs::{self, File},
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use super::{Layout, meta, parent};
use crate::{Condition, Error, Meta};

/// A directory may vanish between its making and its use, when the last object beside was deleted; that cannot go on for
/// ever, as each time some other delete was made.
const TRIES: usize = 100;

/// Puts the finished file `temporary` at `path`.
pub(super) fn publish(
    layout: &Layout,
    temporary: &Path,
    file: &File,
    path: &Path,
    condition: Condition<'_>,
) -> Result<Meta, Error> {
    file.set_modified(SystemTime::now())?;
    file.sync_all()?;
    let _lock = layout.lock(path)?;
    let current = match fs::metadata(path) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    check(condition, current.as_ref())?;
    if let Some(current) = current {
        grow_time(file, current.modified()?)?;
    }
    rename(layout, temporary, path, condition == Condition::Absent)?;
    meta(&file.metadata()?)
}

fn check(condition: Condition<'_>, current: Option<&fs::Metadata>) -> Result<(), Error> {
    let holds = match condition {
        Condition::Always => true,
        Condition::Absent => current.is_none(),
        Condition::Matches(etag) => {
            // S3 answers 404 to If-Match where there is nothing; to callers both mean that their version is gone.
            current.is_some_and(|current| meta(current).is_ok_and(|meta| meta.etag == etag))
        }
    };
    if holds { Ok(()) } else { Err(Error::Precondition) }
}

/// Makes the new version's time later than the old one's, also when the clock was set back.
fn grow_time(file: &File, old: SystemTime) -> io::Result<()> {
    if file.metadata()?.modified()? > old {
        return Ok(());
    }
    file.set_modified(old + Duration::from_nanos(1))?;
    file.sync_all()
}

fn rename(layout: &Layout, temporary: &Path, path: &Path, absent: bool) -> Result<(), Error> {
    for _ in 0..TRIES {
        make_directories(parent(path))?;
        let moved = match absent {
            true => fs::hard_link(temporary, path).and_then(|()| fs::remove_file(temporary)),
            false => fs::rename(temporary, path),
        };
        match moved {
            Ok(()) => return Ok(sync_up(parent(path), &layout.objects)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(Error::Precondition),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Unavailable("directories vanish as they are made".to_owned()))
}

/// Makes `directory` with all above it.
pub(super) fn make_directories(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

/// Flushes `directory` and those above it up to `root`: another writer may have made them and not have flushed them yet.
fn sync_up(directory: &Path, root: &Path) -> io::Result<()> {
    for directory in directory.ancestors() {
        File::open(directory)?.sync_all()?;
        if directory == root {
            break;
        }
    }
    Ok(())
}

/// Removes the object at `path`; there being none is as well.
pub(super) fn delete(layout: &Layout, path: &Path) -> Result<(), Error> {
    let _lock = layout.lock(path)?;
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    File::open(parent(path))?.sync_all()?;
    prune(parent(path), &layout.objects);
    Ok(())
}

/// Removes directories that became empty. One that is not, or that somebody else removed, ends it.
fn prune(directory: &Path, root: &Path) {
    for directory in directory.ancestors().take_while(|directory| *directory != root) {
        if fs::remove_dir(directory).is_err() {
            break;
        }
    }
}
