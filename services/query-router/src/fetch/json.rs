//! A batch as JSON: `{"documents":[…],"missing":[…]}`, both in the order of the request.
//!
//! Small documents are gathered into pieces; a large one goes out as it lies, so that it is never there twice. A window is
//! kept until the piece after its last one is asked for: until then its bytes may still be on their way.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Stream, stream};

use super::{batch::Batch, failure::Failure, window::Window};
use crate::body::{BoxError, Held};

/// A piece is sent when it is this large.
const PIECE_BYTES: usize = 256 * 1024;
/// A document of this size is a piece of its own.
const LARGE_BYTES: usize = 32 * 1024;

/// Writes a batch as JSON.
pub struct JsonBatch {
    batch: Batch,
    /// The window in hand, and how many of its ids are done.
    window: Option<(Window, usize)>,
    /// A large document that comes next.
    large: Option<Bytes>,
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
        Self { batch, window: None, large: None, missing: Vec::new(), any: false, state: Writing::Begin }
    }

    /// All of a [small](Batch::is_small) batch at once; it keeps its room until it is dropped.
    pub fn whole(mut self) -> Bytes {
        let windows = self.batch.take_ready();
        let bytes = windows.iter().map(Window::bytes).sum::<u64>();
        let mut out = BytesMut::with_capacity(usize::try_from(bytes).unwrap_or(0) + windows.len() + 64);
        self.begin(&mut out);
        for window in &windows {
            for index in 0..window.found.len() {
                if let Some(shown) = self.document(&mut out, window, index) {
                    out.put_slice(&shown);
                }
            }
        }
        self.end(&mut out);
        keeping(out.freeze(), windows.into_iter().map(|window| window.kept).collect::<Vec<_>>())
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
        let mut out = BytesMut::new();
        while out.is_empty() {
            if self.large.is_some() || self.state == Writing::Ended {
                return Ok(self.large.take());
            }
            // What was sent of it is on its way, and to wait for the next one nothing may be held.
            self.window.take_if(|(window, done)| *done == window.found.len());
            if self.window.is_none() {
                self.window = self.batch.next().await?.map(|window| (window, 0));
            }
            self.begin(&mut out);
            match self.window.take() {
                Some((window, done)) => self.piece(&mut out, window, done),
                None => self.end(&mut out),
            }
        }
        Ok(Some(out.freeze()))
    }

    fn piece(&mut self, out: &mut BytesMut, window: Window, mut done: usize) {
        while done < window.found.len() && out.len() < PIECE_BYTES && self.large.is_none() {
            if let Some(shown) = self.document(out, &window, done) {
                match shown.len() < LARGE_BYTES {
                    true => out.put_slice(&shown),
                    false => self.large = Some(shown),
                }
            }
            done += 1;
        }
        self.window = Some((window, done));
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if self.state == Writing::Begin {
            out.put_slice(b"{\"documents\":[");
            self.state = Writing::Documents;
        }
    }

    /// The next document, with what stands before it written; none where it is missing.
    fn document(&mut self, out: &mut BytesMut, window: &Window, index: usize) -> Option<Bytes> {
        let Some(row) = &window.found[index] else {
            self.missing.push(window.ids.start + index);
            return None;
        };
        if std::mem::replace(&mut self.any, true) {
            out.put_u8(b',');
        }
        Some(row.show(&self.batch.fetch.include))
    }

    fn end(&mut self, out: &mut BytesMut) {
        out.put_slice(b"],\"missing\":[");
        let missing: Vec<String> = self.missing.iter().map(|id| self.batch.fetch.ids[*id].json()).collect();
        out.put_slice(missing.join(",").as_bytes());
        out.put_slice(b"]}");
        self.state = Writing::Ended;
    }
}

/// The same bytes, which keep something until the last of them is dropped.
pub fn keeping<T: Send + 'static>(bytes: Bytes, kept: T) -> Bytes {
    struct Keeping<T>(Bytes, #[allow(dead_code)] T);
    impl<T> AsRef<[u8]> for Keeping<T> {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Bytes::from_owner(Keeping(bytes, kept))
}
