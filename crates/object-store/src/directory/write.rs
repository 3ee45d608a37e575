//! Changes: each is on the disk before it returns, and each is one step to whoever reads.

use std::{
    fs::{self, File},
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use super::{Layout, known::Identity, meta, parent};
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
    flush(file)?;
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
    flush(file)
}

fn rename(layout: &Layout, temporary: &Path, path: &Path, absent: bool) -> Result<(), Error> {
    for _ in 0..TRIES {
        match make_directories(parent(path)) {
            // One vanished as the next was made, or as it was found to be there already.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => continue,
            made => made?,
        }
        let moved = match absent {
            true => fs::hard_link(temporary, path).and_then(|()| fs::remove_file(temporary)),
            false => fs::rename(temporary, path),
        };
        match moved {
            Ok(()) => return Ok(sync_up(layout, parent(path))?),
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

/// Flushes `directory`, in which a name is new, and those above it up to the first that is known to be on the disk: another
/// writer may have made them and not have flushed them yet.
fn sync_up(layout: &Layout, directory: &Path) -> io::Result<()> {
    let mut flushed = Vec::new();
    for directory in directory.ancestors() {
        let file = File::open(directory)?;
        flush(&file)?;
        let identity = Identity::of(&file);
        if directory == layout.objects || layout.known.has(identity) {
            break;
        }
        flushed.extend(identity);
    }
    layout.known.add(flushed);
    Ok(())
}

/// Makes what was changed outlive a loss of power.
fn flush(file: &File) -> io::Result<()> {
    #[cfg(test)]
    tests::flushed(file);
    file.sync_all()
}

/// Removes the object at `path`; there being none is as well.
pub(super) fn delete(layout: &Layout, path: &Path) -> Result<(), Error> {
    let _lock = layout.lock(path)?;
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    flush(&File::open(parent(path))?)?;
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

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, io::Write, os::unix::fs::MetadataExt, path::PathBuf};

    use super::super::known::Known;
    use super::*;

    thread_local! {
        /// What was flushed: inode and length.
        static FLUSHED: RefCell<Vec<(u64, u64)>> = const { RefCell::new(Vec::new()) };
    }

    /// A loss of power cannot be had in a test, but what was flushed when can be seen.
    pub(super) fn flushed(file: &File) {
        let meta = file.metadata().expect("an open file");
        FLUSHED.with_borrow_mut(|flushed| flushed.push((meta.ino(), meta.len())));
    }

    fn inode(path: &Path) -> u64 {
        fs::metadata(path).expect("it is there").ino()
    }

    fn inodes() -> Vec<u64> {
        FLUSHED.take().into_iter().map(|(inode, _)| inode).collect()
    }

    fn layout() -> (tempfile::TempDir, Layout, PathBuf) {
        let root = tempfile::TempDir::new().expect("a temporary directory");
        let at = |name: &str| root.path().join(name);
        let second = Duration::from_secs(1);
        let layout = Layout {
            objects: at("objects"),
            temporary: at(".tmp"),
            locks: at(".locks"),
            known: Known::default(),
            operation_timeout: second,
            stall_timeout: second,
        };
        layout.prepare().expect("a directory");
        let path = layout.objects.join("a+/b+/c");
        (root, layout, path)
    }

    fn put(layout: &Layout, path: &Path) -> Meta {
        let (temporary, mut file) = super::super::upload::temporary(layout).expect("a file");
        file.write_all(b"whole").expect("written");
        publish(layout, &temporary, &file, path, Condition::Always).expect("published")
    }

    #[test]
    fn an_object_is_flushed_before_its_name_and_every_directory_after() {
        let (_root, layout, path) = layout();
        put(&layout, &path);
        let directories = path.ancestors().skip(1).take(3).map(inode);
        let expected: Vec<u64> = std::iter::once(inode(&path)).chain(directories).collect();
        assert_eq!(FLUSHED.with_borrow(|flushed| flushed[0].1), 5, "all bytes are there when it is flushed");
        assert_eq!(inodes(), expected);
    }

    #[test]
    fn what_is_known_to_be_on_the_disk_is_not_flushed_again() {
        let (_root, layout, path) = layout();
        put(&layout, &path);
        FLUSHED.take();
        put(&layout, &path);
        assert_eq!(inodes(), [inode(&path), inode(parent(&path))], "the name is new");
        let beside = layout.objects.join("a+/d+/e");
        put(&layout, &beside);
        let directories = beside.ancestors().skip(1).take(2).map(inode);
        let expected: Vec<u64> = std::iter::once(inode(&beside)).chain(directories).collect();
        assert_eq!(inodes(), expected, "as far up as a directory is new");
    }

    #[test]
    fn a_directory_that_was_removed_and_made_again_is_flushed_again() {
        let (_root, layout, path) = layout();
        put(&layout, &path);
        delete(&layout, &path).expect("deleted");
        FLUSHED.take();
        put(&layout, &path);
        let directories = path.ancestors().skip(1).take(3).map(inode);
        let expected: Vec<u64> = std::iter::once(inode(&path)).chain(directories).collect();
        assert_eq!(inodes(), expected);
    }

    #[test]
    fn a_time_that_was_moved_is_flushed_again() {
        let (_root, layout, path) = layout();
        put(&layout, &path);
        let ahead = SystemTime::now() + Duration::from_secs(60);
        File::options().write(true).open(&path).expect("open").set_modified(ahead).expect("set");
        FLUSHED.take();
        put(&layout, &path);
        assert_eq!(inodes()[..2], [inode(&path); 2]);
    }

    #[test]
    fn a_directory_that_vanishes_is_made_again() {
        let (_root, layout, path) = layout();
        // Each may spoil a try for each of the two directories that it removes.
        let removals = TRIES / 2 - 1;
        for round in 0..100 {
            std::thread::scope(|scope| {
                scope.spawn(|| (0..removals).for_each(|_| prune(parent(&path), &layout.objects)));
                let (temporary, _file) = super::super::upload::temporary(&layout).expect("a file");
                let renamed = rename(&layout, &temporary, &path, false);
                assert!(renamed.is_ok(), "round {round}: {renamed:?}");
            });
            fs::remove_file(&path).expect("it is there");
        }
    }

    #[test]
    fn a_removal_waits_for_its_turn() {
        let (_root, layout, path) = layout();
        put(&layout, &path);
        let held = layout.lock(&path).expect("the lock");
        let (sender, deleted) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| sender.send(delete(&layout, &path)).expect("the test listens"));
            let early = deleted.recv_timeout(Duration::from_millis(100));
            drop(held);
            assert!(early.is_err(), "it did not wait: {early:?}");
            deleted.recv().expect("an end").expect("deleted");
        });
    }

    #[test]
    fn a_removal_is_flushed() {
        let (_root, layout, path) = layout();
        put(&layout, &path);
        let directory = inode(parent(&path));
        FLUSHED.take();
        delete(&layout, &path).expect("deleted");
        assert_eq!(inodes(), [directory]);
    }
}
