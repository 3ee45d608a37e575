//! Many documents in one answer, of which no more is held at once than is about to be sent.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    failure::Failure,
    origin::OriginReader,
    place::Place,
    read::Origin,
    request::Fetch,
    window::{Next, Window, Windows},
};
use crate::body::Held;

/// How much is read before the answer begins: until then a failure still has its own status.
pub const BEFORE_HEAD_BYTES: u64 = 1024 * 1024;
/// How long a fetch waits for room before its answer begins. After that it cannot be refused any more, and waits as long
/// as its caller.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// The answer to a fetch of many documents, as it comes.
pub struct Batch {
    /// What was asked for.
    pub fetch: Arc<Fetch>,
    ready: VecDeque<Window>,
    rest: Option<Box<Windows>>,
    from: Origin,
    /// When the origin was first asked, if it was.
    pub asked_origin: Option<Instant>,
    /// What is held until the answer has ended.
    pub held: Option<Held>,
}

impl Batch {
    /// Reads the beginning, or all where it is little.
    ///
    /// # Errors
    /// [`Failure`] where that much cannot be read, or there is no room for the first document.
    pub async fn begin(
        reader: OriginReader,
        place: Arc<Place>,
        fetch: Arc<Fetch>,
        until: Instant,
    ) -> Result<Self, Failure> {
        let windows = Windows::new(reader, place, Arc::clone(&fetch), until);
        let mut batch = Self {
            fetch,
            ready: VecDeque::new(),
            rest: Some(Box::new(windows)),
            from: Origin::Hit,
            asked_origin: None,
            held: None,
        };
        let mut read = 0;
        while read < BEFORE_HEAD_BYTES
            && let Some(rest) = &mut batch.rest
        {
            let window = match rest.next().await? {
                Next::Window(window) => window,
                // Who waits for room must hold nothing: what is here goes out first.
                Next::Full if !batch.ready.is_empty() => break,
                Next::Full => rest.patiently(Some(Instant::now() + PATIENCE)).await?,
                Next::End => {
                    batch.rest = None;
                    break;
                }
            };
            read += window.bytes();
            batch.from = batch.from.max(window.from);
            batch.asked_origin = batch.asked_origin.or(window.asked_origin);
            batch.ready.push_back(window);
        }
        Ok(batch)
    }

    /// Where it comes from. What is not read yet counts as a miss: `hit` promises that all of it was cached.
    pub fn from(&self) -> Origin {
        match self.rest {
            None => self.from,
            Some(_) => self.from.max(Origin::Miss),
        }
    }

    /// All of it is here, and it is little.
    pub fn is_small(&self) -> bool {
        self.rest.is_none() && self.ready.iter().map(Window::bytes).sum::<u64>() <= BEFORE_HEAD_BYTES
    }

    /// The next window. The caller must have dropped those before it: this may wait for room.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be read; the answer breaks off then.
    pub async fn next(&mut self) -> Result<Option<Window>, Failure> {
        if let Some(window) = self.ready.pop_front() {
            return Ok(Some(window));
        }
        let Some(rest) = &mut self.rest else { return Ok(None) };
        match rest.next().await? {
            Next::Window(window) => Ok(Some(window)),
            Next::Full => rest.patiently(None).await.map(Some),
            Next::End => {
                self.rest = None;
                Ok(None)
            }
        }
    }

    /// All windows that are here.
    pub fn take_ready(&mut self) -> VecDeque<Window> {
        std::mem::take(&mut self.ready)
    }
}

/// A batch on its way through an answer's extensions, to the gRPC front, which has its own form for it.
#[derive(Clone)]
pub struct Carried(Arc<Mutex<Option<Batch>>>);

impl Carried {
    /// Carries `batch`.
    pub fn new(batch: Batch) -> Self {
        Self(Arc::new(Mutex::new(Some(batch))))
    }

    /// Takes it out, once.
    pub fn take(&self) -> Option<Batch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Lets it hold what is held until the answer's end.
    pub fn hold(&self, held: Held) {
        if let Some(batch) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            batch.held = Some(held);
        }
    }
}
