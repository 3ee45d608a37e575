//! The store that services hold: one of the two backends behind one set of calls.

use std::sync::Arc;

use bytes::Bytes;
use layer_service::{
    config::ConfigError,
    metrics::Metrics,
    shed::{InFlight, Permit},
};

use crate::{
    Backend, ByteRange, Condition, Error, Meta, Object, ObjectStoreSettings, Page,
    directory::{self, Directory},
    key,
    observe::{Observe, Uploading},
    s3::{self, Bucket},
};

/// An object store; clones share it.
#[derive(Debug, Clone)]
pub struct ObjectStore {
    backend: Kept,
    uploads: InFlight,
    observe: Observe,
}

#[derive(Debug, Clone)]
enum Kept {
    Directory(Directory),
    S3(Arc<Bucket>),
}

impl ObjectStore {
    /// Opens the store that `settings` name, or `None` where they name none. A bucket is not called yet: one that is away
    /// keeps no service from starting.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting that cannot be used.
    pub async fn open(settings: &ObjectStoreSettings, metrics: &Metrics) -> Result<Option<Self>, ConfigError> {
        settings.validate()?;
        let backend = match settings.backend {
            Backend::None => return Ok(None),
            Backend::Directory => Kept::Directory(Directory::open(settings)?),
            Backend::S3 => Kept::S3(Arc::new(Bucket::open(settings).await?)),
        };
        let uploads = InFlight::new(settings.uploads_max);
        Ok(Some(Self { backend, uploads, observe: Observe::new(metrics) }))
    }

    /// The same store over connections of its own: for each runtime, as a connection dies with the runtime that made it.
    #[must_use]
    pub fn reconnected(&self) -> Self {
        let backend = match &self.backend {
            Kept::Directory(directory) => Kept::Directory(directory.clone()),
            Kept::S3(bucket) => Kept::S3(Arc::new(bucket.reconnected())),
        };
        Self { backend, ..self.clone() }
    }

    /// Writes an object whole. It is durable when this returns.
    ///
    /// # Errors
    /// [`Error::Precondition`] where `condition` does not hold, else any but [`Error::NotFound`].
    pub async fn put(&self, key: &str, body: Bytes, condition: Condition<'_>) -> Result<Meta, Error> {
        key::check(key)?;
        self.observe
            .timed("put", async {
                match &self.backend {
                    Kept::Directory(directory) => directory.put(key, body, condition).await,
                    Kept::S3(bucket) => bucket.put(key, body, condition).await,
                }
            })
            .await
    }

    /// Begins to write an object in pieces. `staging` is the key under which a bucket gathers the parts: the object's own,
    /// or any other where that is not known yet.
    ///
    /// # Errors
    /// [`Error::Saturated`] where too many uploads are in flight, [`Error::Key`].
    pub fn upload(&self, staging: &str) -> Result<Upload, Error> {
        key::check(staging)?;
        let permit = self.uploads.enter().ok_or(Error::Saturated { max: self.uploads.limit() })?;
        let sink = match &self.backend {
            Kept::Directory(directory) => Sink::Directory(directory.upload()),
            Kept::S3(bucket) => Sink::S3(Box::new(bucket.upload(staging))),
        };
        Ok(Upload { sink, observe: self.observe.clone(), held: (permit, self.observe.uploading()) })
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// [`Error::NotFound`], or as the store's.
    pub async fn head(&self, key: &str) -> Result<Meta, Error> {
        key::check(key)?;
        self.observe
            .timed("head", async {
                match &self.backend {
                    Kept::Directory(directory) => directory.head(key).await,
                    Kept::S3(bucket) => bucket.head(key).await,
                }
            })
            .await
    }

    /// Opens an object, or a part of it, for reading.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Range`] where the part is empty, or as the store's.
    pub async fn get(&self, key: &str, range: Option<ByteRange>) -> Result<Object, Error> {
        key::check(key)?;
        self.observe
            .timed("get", async {
                match &self.backend {
                    Kept::Directory(directory) => directory.get(key, range).await,
                    Kept::S3(bucket) => bucket.get(key, range).await,
                }
            })
            .await
    }

    /// Removes an object; there being none is as well.
    ///
    /// # Errors
    /// As the store's.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        key::check(key)?;
        self.observe
            .timed("delete", async {
                match &self.backend {
                    Kept::Directory(directory) => directory.delete(key).await,
                    Kept::S3(bucket) => bucket.delete(key).await,
                }
            })
            .await
    }

    /// Lists the objects whose keys begin with `prefix` and come behind `after`, in the order of the keys' bytes: at most
    /// `limit` of them, and no more than 1,000. The next page is asked for with the last key as `after`. (Some servers
    /// that speak S3's protocol order the parts between slashes instead; paging works with them too.)
    ///
    /// # Errors
    /// As the store's.
    pub async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, Error> {
        key::check_prefix(prefix)?;
        after.map_or(Ok(()), key::check_prefix)?;
        let limit = limit.clamp(1, LIST_MAX);
        self.observe
            .timed("list", async {
                match &self.backend {
                    Kept::Directory(directory) => directory.list(prefix, after, limit).await,
                    Kept::S3(bucket) => bucket.list(prefix, after, limit).await,
                }
            })
            .await
    }
}

/// Objects of a page at the most: S3's own limit.
const LIST_MAX: usize = 1000;

/// An object in the course of being written. Dropped without [`Upload::finish`], nothing of it stays.
#[derive(Debug)]
pub struct Upload {
    sink: Sink,
    observe: Observe,
    /// Its place among the uploads in flight.
    held: (Permit, Uploading),
}

#[derive(Debug)]
enum Sink {
    Directory(directory::Upload),
    S3(Box<s3::Upload>),
}

impl Upload {
    /// Takes the next bytes; waits where the store is slower than the writer. After an error the upload can only be
    /// dropped.
    ///
    /// # Errors
    /// As the store's.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        match &mut self.sink {
            Sink::Directory(upload) => upload.write(bytes).await,
            Sink::S3(upload) => upload.write(bytes).await,
        }
    }

    /// Makes what was written the object at `key`. It is durable when this returns.
    ///
    /// # Errors
    /// As of [`ObjectStore::put`]; [`Error::TooLarge`] where a bucket's object of more than 5 GiB gathered under another
    /// key.
    pub async fn finish(self, key: &str, condition: Condition<'_>) -> Result<Meta, Error> {
        key::check(key)?;
        let Self { sink, observe, held } = self;
        let finished = observe.timed("upload", async {
            match sink {
                Sink::Directory(upload) => upload.finish(key, condition).await,
                Sink::S3(upload) => upload.finish(key, condition).await,
            }
        });
        let outcome = finished.await;
        drop(held);
        outcome
    }
}
