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
                None => {
                    let (path, file) = temporary(layout)?;
                    Temporary { path, file }
                }
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
        let path = self.layout.path(key);
        let matches = match condition {
            Condition::Matches(etag) => Some(etag.to_owned()),
            _ => None,
        };
        let absent = condition == Condition::Absent;
        self.layout
            .run(move |layout| {
                let condition = match &matches {
                    Some(etag) => Condition::Matches(etag),
                    None if absent => Condition::Absent,
                    None => Condition::Always,
                };
                write::publish(layout, &file.path, &file.file, &path, condition)
            })
            .await
    }
}
