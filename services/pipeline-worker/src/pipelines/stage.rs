//! Staging, and reading what was staged.

use std::time::Instant;

use layer_proto::pipeline::v1::{Chunk, GetChunksResponse, StageResult, StagedDocument};
use prost::Message as _;

use super::{Pipelines, Target, chunk_id, vanished::Restaged};
use crate::{
    bodies::{Packed, Place},
    failure::Failure,
    points,
    state::{Body, ItemView, Kind, Queue, Staged, Staging},
};

/// Bytes of chunks in one message of an answer, unless a single one is larger.
const PIECE_BYTES: usize = 1024 * 1024;

impl Pipelines {
    /// Stages documents of a pipeline: body, state, cache.
    pub(super) async fn stage(
        &self,
        pipeline: &str,
        documents: Vec<StagedDocument>,
    ) -> Result<Vec<StageResult>, Failure> {
        let queue = self.state.get(Kind::Pipeline, pipeline).await?;
        let target = Target::of(&queue)?;
        let ids: Vec<_> = documents.iter().map(|document| document.document_id.clone()).collect();
        let before = self.state.items(Kind::Pipeline, pipeline, &ids).await?;
        let minted_ms = self.state.now_ms().await?;
        let place = |document| Place { queue: queue.id, stage: None, document };
        let packed = documents.iter().map(|d| (place(&d.document_id), Packed::new(&d.chunks, minted_ms)));
        let mut packed: Vec<_> = packed.collect();
        points::reach("stage.bodies.before");
        self.bodies.put(&mut packed).await?;
        points::reach("stage.bodies.after");
        let staging = documents.iter().zip(&packed).map(|(document, (_, packed))| Staging {
            item: document.document_id.clone(),
            body: Some(packed.body),
            priority: u8::try_from(document.priority).unwrap_or(u8::MAX),
            version_floor: 0,
        });
        let staged = self.state.stage(Kind::Pipeline, pipeline, &staging.collect::<Vec<_>>()).await?;
        self.wakes.wake(pipeline);
        // What a repeated call brought is nobody's.
        let mut unchanged = staged.iter().map(|staged| staged.unchanged);
        packed.retain(|_| !unchanged.next().unwrap_or_default());
        points::reach("stage.copy.before");
        self.bodies.copy(&target.namespace, &packed).await;
        points::reach("stage.copy.after");
        self.forget_vanished(&queue, &target, &documents, &staged, &before);
        let stage = &queue.spec.stages[0];
        Ok(documents.iter().zip(staged).map(|(document, staged)| result(document, staged, stage)).collect())
    }

    /// Deletes, in the background, rows of chunks that documents no longer have.
    fn forget_vanished(
        &self,
        queue: &Queue,
        target: &Target,
        documents: &[StagedDocument],
        staged: &[Staged],
        before: &[ItemView],
    ) {
        let old = |id: &str| -> Option<Body> {
            let found = before.binary_search_by(|item| item.item.as_str().cmp(id)).ok()?;
            before[found].body
        };
        let restaged = documents.iter().zip(staged).filter(|(_, staged)| staged.restaged && !staged.unchanged);
        let restaged = restaged.filter_map(|(document, staged)| {
            let chunks = document.chunks.iter().map(|chunk| chunk.chunk_id.clone()).collect();
            let old = old(&document.document_id)?;
            Some(Restaged { document: document.document_id.clone(), version: staged.version, old, chunks })
        });
        let restaged: Vec<_> = restaged.collect();
        if !restaged.is_empty() {
            self.delete_vanished(queue.id, target.namespace.clone(), restaged);
        }
    }

    /// The chunks of a document, under the ids that are given out; or of what `stage` put out.
    pub(super) async fn chunks(
        &self,
        queue: &Queue,
        document: &str,
        stage: Option<&str>,
        until: Instant,
    ) -> Result<Option<(i64, Vec<Chunk>)>, Failure> {
        let Some(stored) = self.state.body(queue, document, stage).await? else { return Ok(None) };
        let Some(body) = stored.body else { return Ok(Some((stored.version, Vec::new()))) };
        let target = Target::of(queue)?;
        let place = Place { queue: queue.id, stage, document };
        let mut chunks = self.bodies.get(&target.namespace, &place, &body, until).await?;
        for chunk in &mut chunks {
            chunk.chunk_id = chunk_id::given_out(&chunk.chunk_id, stored.version);
        }
        Ok(Some((stored.version, chunks)))
    }
}

fn result(document: &StagedDocument, staged: Staged, stage: &str) -> StageResult {
    let ids = document.chunks.iter().map(|chunk| chunk_id::given_out(&chunk.chunk_id, staged.version));
    StageResult {
        chunk_count: u32::try_from(document.chunks.len()).unwrap_or(u32::MAX),
        chunk_ids: ids.collect(),
        document_id: staged.item,
        version: staged.version.unsigned_abs(),
        restaged: staged.restaged,
        stage: stage.to_owned(),
    }
}

/// Chunks as messages of bounded size, one at least.
pub(super) fn pieces(version: i64, chunks: Vec<Chunk>) -> Vec<GetChunksResponse> {
    let version = version.unsigned_abs();
    let (mut pieces, mut piece, mut bytes) = (Vec::new(), Vec::new(), 0);
    for chunk in chunks {
        let more = chunk.encoded_len();
        if bytes + more > PIECE_BYTES && !piece.is_empty() {
            pieces.push(GetChunksResponse { version, chunks: std::mem::take(&mut piece) });
            bytes = 0;
        }
        bytes += more;
        piece.push(chunk);
    }
    if !piece.is_empty() || pieces.is_empty() {
        pieces.push(GetChunksResponse { version, chunks: piece });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_bounded_and_together_everything() {
        let chunk = |bytes: usize| Chunk { text: Some("x".repeat(bytes)), ..Chunk::default() };
        let sizes =
            |chunks: Vec<Chunk>| -> Vec<usize> { pieces(7, chunks).iter().map(|piece| piece.chunks.len()).collect() };
        assert_eq!(sizes(Vec::new()), [0], "an answer without chunks tells the version");
        assert_eq!(sizes(vec![chunk(10), chunk(10)]), [2]);
        assert_eq!(sizes(vec![chunk(600_000), chunk(600_000), chunk(2_000_000), chunk(1)]), [1, 1, 1, 1]);
        assert!(pieces(7, vec![chunk(1)]).iter().all(|piece| piece.version == 7));
    }
}
