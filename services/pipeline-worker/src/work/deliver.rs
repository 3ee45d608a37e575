//! Handing in what became of documents: in batches, again where the service is away, one by one where it refuses a batch.

use std::time::Duration;

use layer_proto::pipeline::v1::{
    Chunk, ChunkRow, ClaimedDocument, CompletedDocument, DocumentGuard, DocumentResult, DocumentRows, FailedDocument,
    FailureKind,
};
use prost::Message as _;
use tonic::Status;

use super::{
    backoff,
    client::{Meaning, guard, is_done, meaning},
    observe::Ended,
    run::Worker,
};

/// Bytes of one request, unless a single document has more; the service's own limit is larger.
const BYTES_MAX: usize = 16 << 20;
/// Documents of one request: what the service takes.
const DOCUMENTS_MAX: usize = 1_000;
/// Attempts to hand something in before the documents are returned.
const ATTEMPTS_MAX: u32 = 8;
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(15);

/// What became of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// The stage puts these out.
    Chunks(Vec<Chunk>),
    /// The document has these rows.
    Rows(Vec<ChunkRow>),
    /// It failed.
    Failed {
        /// Another attempt is no use.
        permanent: bool,
        /// What happened, for operators.
        message: String,
    },
    /// It was not begun, or nothing can be done for the time being.
    Returned,
}

impl Verdict {
    /// A failure that stays one.
    pub(super) fn dead(error: impl std::fmt::Display) -> Self {
        Self::Failed { permanent: true, message: error.to_string() }
    }

    /// A failure that may not happen again.
    pub(super) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed { permanent: false, message: error.to_string() }
    }

    fn ended(&self) -> Ended {
        match self {
            Self::Chunks(_) | Self::Rows(_) => Ended::Done,
            Self::Failed { permanent: true, .. } => Ended::Dead,
            Self::Failed { .. } => Ended::Failed,
            Self::Returned => Ended::Returned,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Chunks(chunks) => chunks.iter().map(Chunk::encoded_len).sum(),
            Self::Rows(rows) => rows.iter().map(ChunkRow::encoded_len).sum(),
            Self::Failed { message, .. } => message.len(),
            Self::Returned => 0,
        }
    }
}

type Handing = (DocumentGuard, Verdict);

impl Worker {
    /// Hands in what became of documents. What was lost meanwhile is thrown away. It ends when the service took all, or when nothing more
    /// can be done.
    pub(super) async fn deliver(&self, verdicts: Vec<(ClaimedDocument, Verdict)>) {
        let handings = verdicts.into_iter().map(|(document, verdict)| (guard(&document), verdict));
        let held = handings.filter(|(document, _)| self.leases.is_held(document));
        let mut open = batches(held);
        // Batches are taken from the end.
        open.reverse();
        while let Some(batch) = open.pop() {
            let Some(status) = self.hand_in(&batch).await else { continue };
            match (meaning(&status), batch.len()) {
                (Meaning::Away, _) => self.give_up(batch).await,
                (_, 2..) => open.extend(batch.into_iter().map(|one| vec![one])),
                (Meaning::Gone, _) => self.end(&batch, Ended::Lost),
                (Meaning::Never, _) => self.refuse(batch, &status, &mut open),
            }
        }
    }

    /// Hands in a batch, again while the service is away. Answers what it said at last where it did not take it.
    async fn hand_in(&self, batch: &[Handing]) -> Option<Status> {
        let mut attempt = 1;
        loop {
            let status = match self.send(batch).await {
                Ok(results) => {
                    self.settle(batch, &results);
                    return None;
                }
                Err(status) => status,
            };
            if meaning(&status) != Meaning::Away || attempt == ATTEMPTS_MAX {
                return Some(status);
            }
            tokio::time::sleep(backoff(attempt, FIRST, LONGEST)).await;
            attempt += 1;
        }
    }

    /// One call. A batch has verdicts of one kind.
    async fn send(&self, batch: &[Handing]) -> Result<Vec<DocumentResult>, Status> {
        let to_stage = &self.settings.to_stage;
        let guards = || batch.iter().map(|(document, _)| document.clone());
        match batch.first().map(|(_, verdict)| verdict) {
            Some(Verdict::Chunks(_)) => self.client.complete(batch.iter().map(completed).collect(), to_stage).await,
            Some(Verdict::Rows(_)) if to_stage.is_empty() => {
                self.client.put_rows(batch.iter().map(|handing| rows(handing, true)).collect()).await
            }
            Some(Verdict::Rows(_)) => {
                let written = self.client.put_rows(batch.iter().map(|handing| rows(handing, false)).collect()).await?;
                self.complete_written(batch, written).await
            }
            Some(Verdict::Failed { .. }) => self.client.fail(batch.iter().filter_map(failed).collect()).await,
            Some(Verdict::Returned) => self.client.release(guards().collect()).await,
            None => Ok(Vec::new()),
        }
    }

    /// Completes the documents whose rows were taken, to the stage that the settings name.
    async fn complete_written(
        &self,
        batch: &[Handing],
        written: Vec<DocumentResult>,
    ) -> Result<Vec<DocumentResult>, Status> {
        let taken = batch.iter().zip(&written).filter(|(_, result)| is_done(result));
        let done = |(document, _): &Handing| CompletedDocument { document: Some(document.clone()), output: Vec::new() };
        let done: Vec<_> = taken.map(|(handing, _)| done(handing)).collect();
        if done.is_empty() {
            return Ok(written);
        }
        let mut completed = self.client.complete(done, &self.settings.to_stage).await?.into_iter();
        let each = written.into_iter().map(|result| if is_done(&result) { completed.next() } else { Some(result) });
        Ok(each.flatten().collect())
    }

    /// Lets go of documents of which the service took what was said, and of those that were lost.
    fn settle(&self, batch: &[Handing], results: &[DocumentResult]) {
        for ((document, verdict), result) in batch.iter().zip(results) {
            let how = if is_done(result) { verdict.ended() } else { Ended::Lost };
            if self.leases.let_go(document) {
                self.observe.ended(how, 1);
            }
            if let (Verdict::Chunks(_) | Verdict::Rows(_), Ended::Done) = (verdict, how) {
                self.observe.chunks(verdict.count());
            }
        }
    }

    fn end(&self, batch: &[Handing], how: Ended) {
        let count = batch.iter().filter(|(document, _)| self.leases.let_go(document)).count();
        self.observe.ended(how, count);
    }

    /// The service will never take it: the document fails for good, with the service's words.
    fn refuse(&self, batch: Vec<Handing>, status: &Status, open: &mut Vec<Vec<Handing>>) {
        for (document, verdict) in batch {
            if matches!(verdict, Verdict::Chunks(_) | Verdict::Rows(_)) {
                open.push(vec![(document, Verdict::dead(status.message()))]);
            } else {
                self.end(&[(document, verdict)], Ended::Lost);
            }
        }
    }

    /// The service is away: the documents are returned, if only by the end of their leases.
    async fn give_up(&self, batch: Vec<Handing>) {
        self.outage.failed("the pipeline service is away");
        let documents = batch.iter().map(|(document, _)| document.clone()).collect();
        if let Err(status) = self.client.release(documents).await {
            tracing::debug!(code = ?status.code(), "documents return when their leases end");
        }
        self.end(&batch, Ended::Returned);
    }
}

impl Verdict {
    fn count(&self) -> usize {
        match self {
            Self::Chunks(chunks) => chunks.len(),
            Self::Rows(rows) => rows.len(),
            _ => 0,
        }
    }
}

/// Batches of one kind and of bounded size, in the order in which kinds first come.
fn batches(handings: impl Iterator<Item = Handing>) -> Vec<Vec<Handing>> {
    let mut batches: Vec<(usize, Vec<Handing>)> = Vec::new();
    for handing in handings {
        let size = handing.1.size();
        let kind = std::mem::discriminant(&handing.1);
        let fits = |(bytes, batch): &&mut (usize, Vec<Handing>)| {
            std::mem::discriminant(&batch[0].1) == kind && bytes + size <= BYTES_MAX && batch.len() < DOCUMENTS_MAX
        };
        match batches.iter_mut().find(fits) {
            Some((bytes, batch)) => {
                *bytes += size;
                batch.push(handing);
            }
            None => batches.push((size, vec![handing])),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

fn completed((document, verdict): &Handing) -> CompletedDocument {
    let output = if let Verdict::Chunks(chunks) = verdict { chunks.clone() } else { Vec::new() };
    CompletedDocument { document: Some(document.clone()), output }
}

fn rows((document, verdict): &Handing, complete: bool) -> DocumentRows {
    let rows = if let Verdict::Rows(rows) = verdict { rows.clone() } else { Vec::new() };
    DocumentRows { document: Some(document.clone()), rows, complete }
}

fn failed((document, verdict): &Handing) -> Option<FailedDocument> {
    let Verdict::Failed { permanent, message } = verdict else { return None };
    let kind = if *permanent { FailureKind::Permanent } else { FailureKind::Transient };
    Some(FailedDocument { document: Some(document.clone()), kind: kind.into(), message: message.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_have_one_kind_and_a_bounded_size() {
        let named = |id: &str, verdict| (DocumentGuard { document_id: id.to_owned(), ..Default::default() }, verdict);
        let large = |bytes: usize| Verdict::Chunks(vec![Chunk { text: Some("x".repeat(bytes)), ..Chunk::default() }]);
        let handings = [
            named("a", large(BYTES_MAX - 1_000)),
            named("b", Verdict::Returned),
            named("c", large(2_000)),
            named("d", large(100)),
            named("e", Verdict::failed("x")),
            named("f", Verdict::Returned),
        ];
        let batches = batches(handings.into_iter());
        let ids =
            |batch: &Vec<Handing>| batch.iter().map(|(document, _)| document.document_id.clone()).collect::<String>();
        assert_eq!(batches.iter().map(ids).collect::<Vec<_>>(), ["ad", "bf", "c", "e"]);
    }
}
