//! An object in the course of being written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use uuid::Uuid;

use super::{Layout, write};
use crate::{Condition, Error, Meta};

/// Small pieces are gathered to this size, so that a thread is not asked for every packet.
const GATHER_BYTES: usize = 1024 * 1024;

/// Puts an object of which everything is there: one piece of work for one thread.
pub(super) async fn put(layout: &Arc<Layout>, body: Bytes, key: &str, condition: Condition<'_>) -> Result<Meta, Error> {
    let (path, condition) = (layout.path(key), Owned::of(condition));
    let work = move |layout: &Layout| {
        let mut file = Temporary::new(layout)?;
        file.file.write_all(&body)?;
        write::publish(layout, &file.path, &file.file, &path, condition.as_condition())
    };
    layout.run(work).await
}

/// A condition that another thread can have.
enum Owned {
    Always,
    Absent,
    Matches(String),
}

impl Owned {
    fn of(condition: Condition<'_>) -> Self {
        match condition {
            Condition::Always => Self::Always,
            Condition::Absent => Self::Absent,
            Condition::Matches(etag) => Self::Matches(etag.to_owned()),
        }
    }

    fn as_condition(&self) -> Condition<'_> {
        match self {
            Self::Always => Condition::Always,
            Self::Absent => Condition::Absent,
            Self::Matches(etag) => Condition::Matches(etag),
        }
    }
}

/// A file beside the objects; it goes when this is dropped unfinished.
#[derive(Debug)]
pub(crate) struct Upload {
    layout: Arc<Layout>,
    gathered: BytesMut,
    file: Option<Temporary>,
}

/// A file that is removed when dropped, unless it was moved away.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn new(layout: &Layout) -> io::Result<Self> {
        let (path, file) = temporary(layout)?;
        Ok(Self { path, file })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Renamed away: there is none. Any other reason leaves a file that the next start sweeps.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes a file under a name of its own and locks it, so that no sweep takes it.
pub(super) fn temporary(layout: &Layout) -> io::Result<(PathBuf, File)> {
    let path = layout.temporary.join(Uuid::new_v4().to_string());
    let file = OpenOptions::new().create_new(true).write(true).open(&path)?;
    file.lock()?;
    Ok((path, file))
}

impl Upload {
    pub(super) fn new(layout: Arc<Layout>) -> Self {
        Self { layout, gathered: BytesMut::new(), file: None }
    }

    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        if self.gathered.len() + bytes.len() < GATHER_BYTES {
            self.gathered.extend_from_slice(&bytes);
            return Ok(());
        }
        let gathered = self.gathered.split().freeze();
        self.append(vec![gathered, bytes]).await
    }

    async fn append(&mut self, pieces: Vec<Bytes>) -> Result<(), Error> {
        let file = self.file.take();
        let written = self.layout.run(move |layout| {
            let mut file = match file {
                Some(file) => file,
                None => Temporary::new(layout)?,
            };
            pieces.iter().try_for_each(|piece| file.file.write_all(piece))?;
            Ok(file)
        });
        self.file = Some(written.await?);
        Ok(())
    }

    pub(crate) async fn finish(mut self, key: &str, condition: Condition<'_>) -> Result<Meta, Error> {
        let rest = self.gathered.split().freeze();
        self.append(vec![rest]).await?;
        let Some(file) = self.file.take() else { return Err(Error::Unavailable("the file is gone".to_owned())) };
        let (path, condition) = (self.layout.path(key), Owned::of(condition));
        self.layout
            .run(move |layout| write::publish(layout, &file.path, &file.file, &path, condition.as_condition()))
            .await
    }
}
