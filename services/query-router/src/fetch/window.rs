//! The windows of a batch: which of its ids are read together, and how many windows ahead of the one that is next.
//!
//! A window is as many ids as make a few MiB, as far as the sizes of the namespace's rows are known; the first one where
//! they are not is small. Those ahead are read only while there is room for as many bytes as they probably have. Where a
//! window turns out larger than there is room for, its first documents are handed on, what was read ahead is dropped, and
//! the rest is read again from there; where not even one document came of it, the batch waits, as [`held`](super::held) says.
//!
//! Each window is read in a task of its own. A batch goes on only when its caller takes some of it, which may be never, and a
//! read that stands still keeps from others what they share: turns at the cache and at the bound, and what a connection has
//! received and nobody takes off it. A read that has ended keeps nothing but its room.

use std::{collections::VecDeque, ops::Range, sync::Arc, time::Instant};

use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{
    coalesce::Found,
    failure::Failure,
    held::Share,
    origin::{OriginReader, measured},
    place::Place,
    read::{Kept, Origin, Read, Room, Way},
    request::Fetch,
};

/// Ids of a window at the most.
const IDS_MAX: usize = 1000;
/// Ids of the first window where nothing is known of the rows.
const IDS_FIRST: usize = 64;
/// Windows that are read at once.
const AHEAD: usize = 4;
/// What one batch reads ahead, beyond the window that is next: such a part of the bound at the most.
const AHEAD_PART: u64 = 8;

/// Some of the documents, in the order of the request.
pub struct Window {
    /// Which of the ids.
    pub ids: Range<usize>,
    /// What was found of each.
    pub found: Vec<Found>,
    /// Where it came from.
    pub from: Origin,
    /// When the origin was asked, if it was.
    pub asked_origin: Option<Instant>,
    /// The room that it takes.
    pub kept: Kept,
}

impl Window {
    /// Bytes of its documents.
    pub fn bytes(&self) -> u64 {
        measured(&self.found).1
    }
}

/// What comes next.
pub enum Next {
    /// A window.
    Window(Window),
    /// All ids are read.
    End,
    /// There is no room for the next document; [`Windows::patiently`] waits for it.
    Full,
}

/// A window that is being read, or is read.
struct Reading {
    ids: Range<usize>,
    /// It was the next one when it was sent.
    was_next: bool,
    task: Task,
}

/// What reads, until it is dropped.
type Task = AbortOnDropHandle<Result<Read, Failure>>;

/// The windows of one batch.
pub struct Windows {
    reader: OriginReader,
    place: Arc<Place>,
    fetch: Arc<Fetch>,
    until: Instant,
    /// The first id that no window in flight is for.
    start: usize,
    flying: VecDeque<Reading>,
    /// How much room the next document wants, where there was none for it.
    wanted: u64,
}

impl Windows {
    /// Nothing is read yet.
    pub fn new(reader: OriginReader, place: Arc<Place>, fetch: Arc<Fetch>, until: Instant) -> Self {
        Self { reader, place, fetch, until, start: 0, flying: VecDeque::new(), wanted: 0 }
    }

    /// The next window. Never waits for room.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be read.
    pub async fn next(&mut self) -> Result<Next, Failure> {
        loop {
            if !self.launch() {
                return Ok(Next::Full);
            }
            let Some(first) = self.flying.front_mut() else { return Ok(Next::End) };
            let (ids, was_next, read) = (first.ids.clone(), first.was_next, ended(&mut first.task).await);
            self.flying.pop_front();
            match read {
                Ok(read) => return Ok(Next::Window(self.window(ids, read).await)),
                Err(Failure::Held { wanted, .. }) => {
                    self.back_to(ids.start).await;
                    self.wanted = wanted;
                    // There may be room now for what there was none for when it was ahead.
                    if was_next {
                        return Ok(Next::Full);
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The next document as a window of its own, after [`Next::Full`]. Waits for room until `patience` has come; the caller
    /// must not hold a window meanwhile.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be read, or there is still no room.
    pub async fn patiently(&mut self, patience: Option<Instant>) -> Result<Window, Failure> {
        let ids = self.start..self.start + 1;
        let patience = patience.map_or(self.until, |patience| patience.min(self.until));
        let (reader, place, fetch) = (self.reader.clone(), Arc::clone(&self.place), Arc::clone(&self.fetch));
        let (until, wanted) = (self.until, self.wanted);
        let mut task = spawn(async move {
            let id = &fetch.ids[ids.start];
            reader.read_patiently(&place, id, fetch.strong, (until, patience), wanted).await
        });
        let read = ended(&mut task).await?;
        let ids = self.start..self.start + 1;
        self.start = ids.end;
        Ok(self.window(ids, read).await)
    }

    /// Sends as many windows as there is room for. Whether the next one is among them, if there is one.
    fn launch(&mut self) -> bool {
        while self.flying.len() < AHEAD && self.start < self.fetch.ids.len() {
            let size = self.reader.shared.fetch.sizes.of(&self.place);
            let first = self.flying.is_empty();
            if !first && size.is_none() {
                break;
            }
            let held = &self.reader.shared.fetch.held;
            if self.fetch.ids.len() == 1 {
                self.read(0..1, true, Room::single(held));
                break;
            }
            let (mut share, mut count) = (held.share(), self.count(size).min(self.fetch.ids.len() - self.start));
            // A row that comes from the origin takes twice its bytes at first.
            let row = size.unwrap_or(0).saturating_mul(2);
            let room = |share: &mut Share, count| share.reserve(row.saturating_mul(count as u64));
            // A few readers that are slow must not take all room by what is ahead of them.
            let ahead = row.saturating_mul((count * self.flying.len()) as u64);
            if !first && ahead > held.limit / AHEAD_PART {
                break;
            }
            while first && count > 1 && !room(&mut share, count) {
                count /= 2;
            }
            if !room(&mut share, count) {
                self.wanted = row;
                return !first;
            }
            let room = Room::new(share, held.window_bytes());
            self.read(self.start..self.start + count, first, room);
        }
        true
    }

    /// How many ids make a window.
    fn count(&self, size: Option<u64>) -> usize {
        let Some(size) = size else { return IDS_FIRST };
        let count = self.reader.shared.fetch.held.window_bytes() / size.max(1);
        usize::try_from(count).unwrap_or(IDS_MAX).clamp(1, IDS_MAX)
    }

    /// Sends a window.
    fn read(&mut self, ids: Range<usize>, was_next: bool, room: Room) {
        let (reader, place, fetch, until) =
            (self.reader.clone(), Arc::clone(&self.place), Arc::clone(&self.fetch), self.until);
        let asked = ids.clone();
        let task = spawn(async move {
            reader.read_within(&place, &fetch.ids[asked], fetch.strong, until, room, Way::Joined).await
        });
        self.start = ids.end;
        self.flying.push_back(Reading { ids, was_next, task });
    }

    async fn window(&mut self, ids: Range<usize>, read: Read) -> Window {
        let read_ids = ids.start..ids.start + read.found.len();
        if read_ids.end < ids.end {
            self.back_to(read_ids.end).await;
        }
        let (rows, bytes) = measured(&read.found);
        self.reader.shared.fetch.sizes.learn(&self.place, rows, bytes);
        let Read { found, from, asked_origin, kept } = read;
        Window { ids: read_ids, found, from, asked_origin, kept }
    }

    /// Drops what is read ahead, and waits until it is gone: what comes next needs its room.
    async fn back_to(&mut self, start: usize) {
        self.start = start;
        self.flying.iter().for_each(|reading| reading.task.abort());
        while let Some(reading) = self.flying.front_mut() {
            let _ = ended(&mut reading.task).await;
            self.flying.pop_front();
        }
    }
}

fn spawn(read: impl Future<Output = Result<Read, Failure>> + Send + 'static) -> Task {
    AbortOnDropHandle::new(tokio::spawn(read.in_current_span()))
}

/// What came of a read.
async fn ended(task: &mut Task) -> Result<Read, Failure> {
    task.await.unwrap_or_else(|_| Err(Failure::Upstream("the read of the documents was broken off".to_owned())))
}
