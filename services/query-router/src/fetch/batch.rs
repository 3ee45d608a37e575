//! Many documents in one answer, read in windows so that what is held is bounded however many there are.

use std::{
    collections::VecDeque,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

use super::{
    coalesce::Found, failure::Failure, origin::OriginReader, place::Place, read::Origin, request::Fetch, row::Row,
};
use crate::body::{BoxError, Held, Share};

/// Ids that are looked up together.
const WINDOW: usize = 1000;
/// Windows that are read at once.
const AHEAD: usize = 4;
/// How much is read before the answer begins: until then a failure still has its own status.
const BEFORE_HEAD_BYTES: u64 = 1024 * 1024;

/// Some of the documents, in the order of the request.
pub struct Window {
    /// Which of the ids.
    pub ids: Range<usize>,
    /// What was found of each.
    pub found: Vec<Found>,
    from: Origin,
    asked_origin: Option<Instant>,
    _share: Share,
}

type Windows = Pin<Box<dyn Stream<Item = Result<Window, Failure>> + Send>>;

/// The answer to a fetch of many documents, as it comes.
pub struct Batch {
    /// What was asked for.
    pub fetch: Arc<Fetch>,
    ready: VecDeque<Window>,
    rest: Option<Windows>,
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
    /// [`Failure`] where that much cannot be read.
    pub async fn begin(
        reader: OriginReader,
        place: Arc<Place>,
        fetch: Arc<Fetch>,
        until: Instant,
    ) -> Result<Self, Failure> {
        let windows = windows(reader, place, Arc::clone(&fetch), until);
        let mut batch = Self {
            fetch,
            ready: VecDeque::new(),
            rest: Some(Box::pin(windows)),
            from: Origin::Hit,
            asked_origin: None,
            held: None,
        };
        let mut read = 0;
        while read < BEFORE_HEAD_BYTES
            && let Some(rest) = &mut batch.rest
        {
            let Some(window) = rest.next().await.transpose()? else {
                batch.rest = None;
                break;
            };
            read += bytes(&window.found);
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

    /// All of it is here.
    pub fn is_whole(&self) -> bool {
        self.rest.is_none()
    }

    /// The next window.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be read; the answer breaks off then.
    pub async fn next(&mut self) -> Result<Option<Window>, Failure> {
        if let Some(window) = self.ready.pop_front() {
            return Ok(Some(window));
        }
        match &mut self.rest {
            Some(rest) => rest.next().await.transpose(),
            None => Ok(None),
        }
    }
}

fn windows(
    reader: OriginReader,
    place: Arc<Place>,
    fetch: Arc<Fetch>,
    until: Instant,
) -> impl Stream<Item = Result<Window, Failure>> {
    let count = fetch.ids.len();
    let starts = stream::iter((0..count).step_by(WINDOW));
    let read = move |start: usize| {
        let ids = start..count.min(start + WINDOW);
        read_window(reader.clone(), Arc::clone(&place), Arc::clone(&fetch), ids, until)
    };
    starts.map(read).buffered(AHEAD)
}

type Reading = Pin<Box<dyn Future<Output = Result<Window, Failure>> + Send>>;

fn read_window(
    reader: OriginReader,
    place: Arc<Place>,
    fetch: Arc<Fetch>,
    ids: Range<usize>,
    until: Instant,
) -> Reading {
    Box::pin(async move {
        let mut share = reader.shared.fetch.held.share();
        let read = reader.read(&place, &fetch.ids[ids.clone()], fetch.strong, until).await?;
        if !share.grow_to(bytes(&read.found)) {
            return Err(Failure::Held { limit: reader.shared.settings.fetch.held_bytes });
        }
        Ok(Window { ids, found: read.found, from: read.from, asked_origin: read.asked_origin, _share: share })
    })
}

fn bytes(found: &[Found]) -> u64 {
    found.iter().flatten().map(Row::size).sum()
}

/// Writes a batch as JSON: `{"documents":[…],"missing":[…]}`, both in the order of the request.
pub struct JsonBatch {
    batch: Batch,
    missing: Vec<usize>,
    /// A document was written.
    any: bool,
    state: Writing,
}

#[derive(PartialEq, Eq)]
enum Writing {
    Begin,
    Documents,
    Ended,
}

impl JsonBatch {
    /// Writes `batch`.
    pub fn new(batch: Batch) -> Self {
        Self { batch, missing: Vec::new(), any: false, state: Writing::Begin }
    }

    /// All of it at once.
    ///
    /// # Errors
    /// As [`Batch::next`]; none where all of it is here.
    pub async fn whole(mut self) -> Result<Bytes, Failure> {
        let mut out = BytesMut::new();
        while let Some(piece) = self.next().await? {
            out.put_slice(&piece);
        }
        Ok(out.freeze())
    }

    /// Piece by piece. It ends with an error where a window cannot be read.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes, BoxError>> + Send {
        stream::try_unfold(self, |mut writing| async move {
            let piece = writing.next().await.map_err(|failure| BoxError::from(failure.refusal()))?;
            Ok(piece.map(|piece| (piece, writing)))
        })
    }

    /// Takes what is held until the end.
    pub fn hold(&mut self, held: Held) {
        self.batch.held = Some(held);
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.state == Writing::Ended {
            return Ok(None);
        }
        let mut out = BytesMut::new();
        if self.state == Writing::Begin {
            out.put_slice(b"{\"documents\":[");
            self.state = Writing::Documents;
        }
        match self.batch.next().await? {
            Some(window) => self.documents(&mut out, &window),
            None => self.end(&mut out),
        }
        Ok(Some(out.freeze()))
    }

    fn documents(&mut self, out: &mut BytesMut, window: &Window) {
        for (id, found) in window.ids.clone().zip(&window.found) {
            let Some(row) = found else {
                self.missing.push(id);
                continue;
            };
            if std::mem::replace(&mut self.any, true) {
                out.put_u8(b',');
            }
            out.put_slice(&row.show(&self.batch.fetch.include));
        }
    }

    fn end(&mut self, out: &mut BytesMut) {
        out.put_slice(b"],\"missing\":[");
        let missing: Vec<String> = self.missing.iter().map(|id| self.batch.fetch.ids[*id].json()).collect();
        out.put_slice(missing.join(",").as_bytes());
        out.put_slice(b"]}");
        self.state = Writing::Ended;
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
