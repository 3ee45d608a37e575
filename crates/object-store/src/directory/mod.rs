//! Objects in a local directory: the embedded default, for one machine.
//!
//! An object is a file, complete or absent: it is written beside, flushed to the disk, then renamed (or linked, where it
//! must not exist yet), and its directories are flushed before the call returns, unless they are known to have been. Changes of one key are ordered by a file
//! lock, which also holds between processes. A version's etag is its time of change and size; times of one key only ever
//! grow. Reads take no lock: a file that is open stays the version that it was.

mod known;
mod list;
mod lock;
mod path;
mod read;
mod upload;
mod write;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use layer_service::config::ConfigError;

use crate::{ByteRange, Condition, Error, Meta, Object, ObjectStoreSettings, Page};

pub(crate) use upload::Upload;

/// The setting that errors name.
const SETTING: &str = "object_store.directory";

/// How long a writer may take from making a file to locking it.
const SWEEP_AGE: Duration = Duration::from_secs(60);

/// A directory of objects; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    layout: Arc<Layout>,
}

/// Where things are.
#[derive(Debug)]
struct Layout {
    /// Objects.
    objects: PathBuf,
    /// Files that are being written; each is locked by its writer.
    temporary: PathBuf,
    /// Lock files.
    locks: PathBuf,
    /// Directories that need no flush for their own sake.
    known: known::Known,
    operation_timeout: Duration,
    stall_timeout: Duration,
}

impl Directory {
    /// Opens or makes the directory, and removes what writers that died left behind.
    ///
    /// # Errors
    /// [`ConfigError`] where it cannot be written, or its file system keeps no exact times.
    pub(crate) fn open(settings: &ObjectStoreSettings) -> Result<Self, ConfigError> {
        let root = settings.directory.as_deref().ok_or_else(|| ConfigError::invalid(SETTING, "is needed"))?;
        let layout = Layout {
            objects: root.join("objects"),
            temporary: root.join(".tmp"),
            locks: root.join(".locks"),
            known: known::Known::default(),
            operation_timeout: settings.operation_timeout(),
            stall_timeout: settings.stall_timeout(),
        };
        let unusable = |error: io::Error| ConfigError::invalid(SETTING, format!("{}: {error}", root.display()));
        layout.prepare().map_err(unusable)?;
        Ok(Self { layout: Arc::new(layout) })
    }

    pub(crate) async fn put(&self, key: &str, body: Bytes, condition: Condition<'_>) -> Result<Meta, Error> {
        upload::put(&self.layout, body, key, condition).await
    }

    pub(crate) fn upload(&self) -> Upload {
        Upload::new(Arc::clone(&self.layout))
    }

    pub(crate) async fn head(&self, key: &str) -> Result<Meta, Error> {
        let path = self.layout.path(key);
        self.layout.run(move |_| meta(&fs::metadata(path)?)).await
    }

    pub(crate) async fn get(&self, key: &str, range: Option<ByteRange>) -> Result<Object, Error> {
        read::get(&self.layout, key, range).await
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        let path = self.layout.path(key);
        self.layout.run(move |layout| write::delete(layout, &path)).await
    }

    pub(crate) async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, Error> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.layout.run(move |layout| list::list(&layout.objects, &prefix, after.as_deref(), limit)).await
    }
}

impl Layout {
    fn path(&self, key: &str) -> PathBuf {
        path::of_key(&self.objects, key)
    }

    /// Waits for the right to change the object at `path`.
    fn lock(&self, path: &Path) -> io::Result<File> {
        // Below the root, as other processes may know the root by another path.
        lock::lock(&self.locks, path.strip_prefix(&self.objects).unwrap_or(path))
    }

    fn prepare(&self) -> io::Result<()> {
        for directory in [&self.objects, &self.temporary, &self.locks] {
            write::make_directories(directory)?;
        }
        self.sweep()?;
        self.check_times()
    }

    /// A file that nobody holds locked is one whose writer died, unless it was made just now.
    fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.temporary)? {
            let path = entry?.path();
            if let Ok(file) = File::open(&path)
                && file.metadata()?.modified()?.elapsed().is_ok_and(|age| age > SWEEP_AGE)
                && file.try_lock().is_ok()
            {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Etags are times of change: a file system that rounds them could give two versions the same.
    fn check_times(&self) -> io::Result<()> {
        let wanted = UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
        let (probe, file) = upload::temporary(self)?;
        file.set_modified(wanted)?;
        let kept = file.metadata()?.modified()? == wanted;
        fs::remove_file(probe)?;
        if kept { Ok(()) } else { Err(io::Error::other("its file system does not keep times to the nanosecond")) }
    }

    /// Runs work that blocks, under the deadline of a call. Work whose deadline has passed still ends, unheard.
    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (layout, limit) = (Arc::clone(self), self.operation_timeout);
        let work = tokio::task::spawn_blocking(move || work(&layout));
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(done)) => done,
            Ok(Err(stopped)) => Err(Error::Unavailable(stopped.to_string())),
            Err(_) => Err(Error::Timeout { limit }),
        }
    }
}

/// What the file system knows of an object.
fn meta(file: &fs::Metadata) -> Result<Meta, Error> {
    if !file.is_file() {
        return Err(Error::NotFound);
    }
    let modified = file.modified()?;
    let nanos = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    Ok(Meta { size: file.len(), etag: format!("{nanos:x}-{:x}", file.len()), modified: whole_seconds(modified) })
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

/// The directory that `path` is in.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

impl From<io::Error> for Error {
    /// Of a call on the directory. The error's own text names no path.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A part of the path may be a file of somebody else's making.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Denied(error.to_string()),
            io::ErrorKind::InvalidFilename => Self::Refused(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
