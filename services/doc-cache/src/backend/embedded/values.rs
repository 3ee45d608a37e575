//! The values: foyer's hybrid cache, by numbers that are used once.
//!
//! foyer removes from its disk in the background, and a value that is being loaded while it is removed can come back. So
//! nothing here is ever overwritten, and nothing removed is ever asked for again: whether a value counts is decided by the
//! record that knows its number, and a number is random. What foyer still has under a forgotten number is only
//! room that it will reuse. The directory is never read back at a start.

use std::{
    hash::{BuildHasherDefault, Hasher},
    io::{Read, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use foyer::{
    BlockEngineConfig, Code, DeviceBuilder as _, Event, EventListener, FsDeviceBuilder, HybridCache,
    HybridCacheBuilder, RecoverMode, S3FifoConfig,
};

use crate::backend::Body;

/// foyer's own share of a value in memory: its record, its index, and what the allocator adds to both and to the body.
/// `tests/embedded_memory.rs` measures that it is enough.
pub(super) const VALUE_OVERHEAD_BYTES: usize = 320;
/// What foyer's index of the disk takes of memory for a value.
pub(super) const DISK_INDEX_BYTES: usize = 96;
/// Parts of foyer's memory, each with its own lock and its share of the bytes.
pub(super) const MEMORY_SHARDS: usize = 8;
/// What foyer calls its files.
const FILE_PREFIX: &[u8] = b"foyer-storage-";
/// What a value takes of its place on disk beside its body: header, alignment, the block's own index.
const BLOCK_ROOM_BYTES: usize = 1024 * 1024;

/// A value as foyer keeps it.
pub(super) struct Stored {
    data: Bytes,
    content_type: Box<str>,
    compression: i32,
}

impl Stored {
    /// Copies `body`: it may be a slice of a whole message, which must not stay in memory for it.
    fn copy(body: &Body) -> Self {
        Self {
            data: Bytes::copy_from_slice(&body.data),
            content_type: body.content_type.as_str().into(),
            compression: body.compression,
        }
    }

    fn body(&self) -> Body {
        Body {
            data: self.data.clone(),
            content_type: self.content_type.as_ref().to_owned(),
            compression: self.compression,
        }
    }
}

impl Code for Stored {
    fn encode(&self, writer: &mut impl Write) -> foyer::Result<()> {
        let content_type = self.content_type.as_bytes();
        let sizes = [self.data.len() as u64, content_type.len() as u64];
        let parts =
            [&sizes[0].to_le_bytes()[..], &sizes[1].to_le_bytes(), &self.compression.to_le_bytes(), content_type];
        parts
            .into_iter()
            .chain([&*self.data])
            .try_for_each(|part| writer.write_all(part))
            .map_err(foyer::Error::io_error)
    }

    fn decode(reader: &mut impl Read) -> foyer::Result<Self> {
        let mut stored = || -> std::io::Result<Self> {
            let (data_bytes, type_bytes) = (number(reader)?, number(reader)?);
            let mut compression = [0; 4];
            reader.read_exact(&mut compression)?;
            let content_type = String::from_utf8(exactly(reader, type_bytes)?).map_err(std::io::Error::other)?;
            Ok(Self {
                data: exactly(reader, data_bytes)?.into(),
                content_type: content_type.into(),
                compression: i32::from_le_bytes(compression),
            })
        };
        stored().map_err(foyer::Error::io_error)
    }

    fn estimated_size(&self) -> usize {
        20 + self.content_type.len() + self.data.len()
    }
}

/// Makes the directory, and removes what an earlier process left there: it would never be read, and a smaller bound would
/// leave part of it lying for ever. foyer itself panics where it cannot make the directory.
fn empty(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(FILE_PREFIX) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn number(reader: &mut impl Read) -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Reads `count` bytes. The count may be damaged: nothing is set aside for what is not there.
fn exactly(reader: &mut impl Read, count: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.take(count).read_to_end(&mut bytes)?;
    if read as u64 == count { Ok(bytes) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

/// Counts values that leave memory to make room.
#[derive(Debug, Default)]
struct Evictions(AtomicU64);

impl EventListener for Evictions {
    type Key = u64;
    type Value = Stored;

    fn on_leave(&self, reason: Event, _number: &u64, _value: &Stored) {
        if reason == Event::Evict {
            self.0.fetch_add(1, Relaxed);
        }
    }
}

/// A number is its own hash: it is random already, and so its last bits say in which part of the memory its value is.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The value store.
pub(super) struct Values {
    cache: HybridCache<u64, Stored, BuildHasherDefault<Itself>>,
    /// Values that were stored, ever.
    stored: AtomicU64,
    evictions: Arc<Evictions>,
    disk_bytes: u64,
}

impl Values {
    /// Opens the store; `disk` is a directory and how many bytes it may take.
    pub(super) async fn open(
        memory_bytes: usize,
        disk: Option<(&Path, u64)>,
        value_bytes_max: usize,
    ) -> foyer::Result<Self> {
        let evictions = Arc::new(Evictions::default());
        let builder = HybridCacheBuilder::new()
            .with_event_listener(Arc::clone(&evictions) as _)
            // What is on the disk is never read again.
            .with_flush_on_close(false)
            .memory(memory_bytes)
            .with_shards(MEMORY_SHARDS)
            // Of values that left, only few are remembered: the list of them is memory that nobody counts.
            .with_eviction_config(S3FifoConfig { ghost_queue_capacity_ratio: 0.1, ..S3FifoConfig::default() })
            .with_hash_builder(BuildHasherDefault::default())
            .with_weighter(|_, stored: &Stored| stored.data.len() + stored.content_type.len() + VALUE_OVERHEAD_BYTES)
            .storage();
        let builder = match disk {
            None => builder,
            Some((directory, bytes)) => {
                empty(directory).map_err(foyer::Error::io_error)?;
                let capacity = usize::try_from(bytes).unwrap_or(usize::MAX);
                let device = FsDeviceBuilder::new(directory).with_capacity(capacity).build()?;
                let block_bytes = value_bytes_max + BLOCK_ROOM_BYTES;
                let engine = BlockEngineConfig::new(device).with_block_size(block_bytes);
                builder.with_engine_config(engine).with_recover_mode(RecoverMode::None)
            }
        };
        let disk_bytes = disk.map_or(0, |(_, bytes)| bytes);
        Ok(Self { cache: builder.build().await?, stored: AtomicU64::new(0), evictions, disk_bytes })
    }

    /// Stores a copy of `body` and gives its number.
    ///
    /// The parts of the memory get values in turn. By chance some would be full, and forget values, while others are not:
    /// of a million values that just fit, six hundred were lost so.
    pub(super) fn insert(&self, body: &Body) -> u64 {
        const PARTS: u64 = MEMORY_SHARDS as u64;
        let part = self.stored.fetch_add(1, Relaxed) % PARTS;
        let number = rand::random::<u64>() / PARTS * PARTS + part;
        self.cache.insert(number, Stored::copy(body));
        number
    }

    /// The value in memory.
    pub(super) fn in_memory(&self, number: u64) -> Option<Body> {
        self.cache.memory().get(&number).map(|entry| entry.value().body())
    }

    /// The value, from the disk if need be. A disk that fails has nothing.
    pub(super) async fn get(&self, number: u64) -> Option<Body> {
        if !self.cache.is_hybrid() {
            return self.in_memory(number);
        }
        match self.cache.get(&number).await {
            Ok(entry) => entry.map(|entry| entry.value().body()),
            Err(error) => {
                tracing::debug!(%error, "a value cannot be read from the cache's directory");
                None
            }
        }
    }

    /// Gives a value's room back.
    pub(super) fn remove(&self, number: u64) {
        self.cache.remove(&number);
    }

    /// Whether values that leave memory go to a disk.
    pub(super) fn has_disk(&self) -> bool {
        self.cache.is_hybrid()
    }

    /// Values in memory.
    pub(super) fn entries(&self) -> u64 {
        self.cache.memory().entries() as u64
    }

    /// Values that left memory to make room.
    pub(super) fn evictions(&self) -> u64 {
        self.evictions.0.load(Relaxed)
    }

    /// Bytes in memory and on the disk, which is a ring: it is full once it was written through.
    pub(super) fn bytes(&self) -> u64 {
        let written = self.cache.statistics().disk_write_bytes() as u64;
        self.cache.memory().usage() as u64 + written.min(self.disk_bytes)
    }

    /// Stops writing to the directory.
    pub(super) async fn close(&self) {
        if let Err(error) = self.cache.close().await {
            tracing::warn!(%error, "the cache's directory was not closed in order; it starts empty all the same");
        }
    }
}
