//! Documents on their way to a gRPC caller: in messages that default clients take.

use std::pin::Pin;

use futures_util::{Stream, stream};
use layer_proto::router::v1::{BatchFetchResponse, Document, FetchResponse};
use prost::Message as _;
use tonic::Status;

use super::call;
use super::decode::{self, Hints};
use super::errors;
use crate::fetch::{Batch, Window};

/// A message is sent when it is this large; one more document may come on top. Clients take 4 MiB by default.
const PIECE_BYTES: usize = 1024 * 1024;

/// The answer to a batch, as it comes.
pub(super) type Pieces = Pin<Box<dyn Stream<Item = Result<BatchFetchResponse, Status>> + Send>>;

/// What is left to send.
struct Sending {
    batch: Batch,
    hints: Hints,
    /// The window in hand, and how many of its ids are done.
    window: Option<(Window, usize)>,
}

/// The documents of a batch in messages of bounded size.
pub(super) fn pieces(batch: Batch, hints: Hints) -> Pieces {
    let sending = Sending { batch, hints, window: None };
    Box::pin(stream::try_unfold(sending, |mut sending| async move {
        let piece = sending.next().await?;
        Ok(piece.map(|piece| (piece, sending)))
    }))
}

/// The only document of a batch of one; none where it is not there.
pub(super) async fn only(mut batch: Batch, hints: &Hints) -> Result<Option<FetchResponse>, Status> {
    let window = batch.next().await.map_err(call::failed)?;
    let Some(row) = window.and_then(|window| window.found.into_iter().next().flatten()) else { return Ok(None) };
    let document = document(&row.show(&batch.fetch.include), hints)?;
    Ok(Some(FetchResponse { document: Some(document) }))
}

fn document(shown: &[u8], hints: &Hints) -> Result<Document, Status> {
    decode::document(shown, hints).map_err(|unreadable| errors::unreadable(&unreadable))
}

impl Sending {
    /// Documents of one window, so that a message never waits for the next one: to wait for room nothing may be held.
    async fn next(&mut self) -> Result<Option<BatchFetchResponse>, Status> {
        // The message before was encoded when this one is asked for.
        self.window.take_if(|(window, done)| *done == window.found.len());
        if self.window.is_none() {
            self.window = self.batch.next().await.map_err(call::failed)?.map(|window| (window, 0));
        }
        let Some((mut window, done)) = self.window.take() else { return Ok(None) };
        let mut piece = BatchFetchResponse::default();
        let done = self.fill(&mut piece, &mut window, done)?;
        self.window = Some((window, done));
        Ok(Some(piece))
    }

    /// Adds documents of a window until the message is large enough; how many of its ids are done then. Each goes out of the
    /// window when it is in the message: it would be there twice.
    fn fill(&self, piece: &mut BatchFetchResponse, window: &mut Window, mut done: usize) -> Result<usize, Status> {
        let mut bytes = 0;
        while done < window.found.len() && bytes < PIECE_BYTES {
            match window.found[done].take() {
                Some(row) => {
                    let document = document(&row.show(&self.batch.fetch.include), &self.hints)?;
                    bytes += document.encoded_len();
                    piece.documents.push(document);
                }
                None => {
                    let id = decode::asked(&self.batch.fetch.ids[window.ids.start + done]);
                    bytes += id.encoded_len();
                    piece.missing.push(id);
                }
            }
            done += 1;
        }
        Ok(done)
    }
}
