//! The chunks of a document: staged, and read again.

use std::{fmt::Display, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use layer_proto::pipeline::v1::{Chunk, GetChunksRequest, GetChunksResponse, StageDocumentsRequest, StagedDocument};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tonic::Streaming;

use super::{
    asked::{Asked, Reply, answered, promised},
    json::{count, parameter, refuse},
    refused::refusal,
};
use crate::{body::BoxError, refusal::Refusal};

/// A chunk as callers send it.
#[derive(Deserialize)]
pub(super) struct ChunkIn {
    id: String,
    text: Option<String>,
    metadata: Option<Box<RawValue>>,
}

impl ChunkIn {
    /// Those of the list `field`.
    pub(super) fn messages<F: Display>(chunks: Vec<Self>, field: impl Fn() -> F) -> Result<Vec<Chunk>, Refusal> {
        let message = |(index, chunk): (usize, Self)| {
            let metadata_json = chunk.metadata.map(|raw| raw.get().to_owned()).unwrap_or_default();
            match metadata_json.is_empty() || metadata_json.starts_with('{') {
                true => Ok(Chunk { chunk_id: chunk.id, text: chunk.text, metadata_json }),
                false => Err(refuse(format!("{}[{index}].metadata", field()), "must be an object")),
            }
        };
        chunks.into_iter().enumerate().map(message).collect()
    }
}

#[derive(Deserialize)]
struct PutChunks {
    chunks: Vec<ChunkIn>,
    priority: Option<u32>,
}

#[derive(Serialize)]
struct Staged {
    pipeline_id: String,
    document_id: String,
    stage: String,
    chunk_count: u32,
    chunk_ids: Vec<String>,
    version: u64,
    restaged: bool,
}

/// PUT …/documents/{doc}
pub(super) async fn put(asked: &Asked<'_>, pipeline_id: String, document_id: String) -> Result<Reply, Refusal> {
    let body: PutChunks = asked.read()?;
    let chunks = ChunkIn::messages(body.chunks, || "chunks")?;
    let document = StagedDocument { document_id, chunks, priority: body.priority.unwrap_or(0) };
    let message = StageDocumentsRequest { pipeline_id: pipeline_id.clone(), documents: vec![document] };
    let answer = answered(asked.pipelines(Duration::ZERO).stage_documents(asked.request(message)).await)?;
    let result = promised(answer.results.into_iter().next(), "results")?;
    Reply::of(&Staged {
        pipeline_id,
        document_id: result.document_id,
        stage: result.stage,
        chunk_count: result.chunk_count,
        chunk_ids: result.chunk_ids,
        version: result.version,
        restaged: result.restaged,
    })
}

/// A chunk as callers get it.
#[derive(Serialize)]
struct ChunkOut<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
}

/// GET …/documents/{doc}/chunks: a JSON array, written as the chunks come.
pub(super) async fn get(asked: &Asked<'_>, pipeline_id: String, document_id: String) -> Result<Reply, Refusal> {
    let stage = parameter(asked.query(), "stage")?.unwrap_or_default();
    let message = GetChunksRequest { pipeline_id, document_id, stage, version: count(asked.query(), "version")? };
    let mut chunks = answered(asked.pipelines(Duration::ZERO).get_chunks(asked.request(message)).await)?;
    // What the service refuses is known with the first message: after it the answer's head is gone.
    let first = chunks.message().await.map_err(refusal)?;
    let writing = Writing { chunks, next: first, state: State::Begin };
    Ok(Reply::Pieces(Box::pin(stream::try_unfold(writing, |mut writing| async move {
        let piece = writing.piece().await?;
        Ok(piece.map(|piece| (piece, writing)))
    }))))
}

/// An array of chunks on its way.
struct Writing {
    chunks: Streaming<GetChunksResponse>,
    next: Option<GetChunksResponse>,
    state: State,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum State {
    Begin,
    Between,
    Ended,
}

impl Writing {
    /// The chunks of one message, with what stands before them; at last the bracket.
    async fn piece(&mut self) -> Result<Option<Bytes>, BoxError> {
        if self.state == State::Ended {
            return Ok(None);
        }
        let message = match self.next.take() {
            None if self.state == State::Between => self.chunks.message().await?,
            first => first,
        };
        let mut out = if self.state == State::Begin { vec![b'['] } else { Vec::new() };
        let Some(message) = message else {
            self.state = State::Ended;
            out.push(b']');
            return Ok(Some(out.into()));
        };
        self.state = State::Between;
        for chunk in &message.chunks {
            if out.last() != Some(&b'[') {
                out.push(b',');
            }
            write(&mut out, chunk)?;
        }
        Ok(Some(out.into()))
    }
}

fn write(out: &mut Vec<u8>, chunk: &Chunk) -> Result<(), BoxError> {
    let metadata = Some(chunk.metadata_json.as_str()).filter(|text| !text.is_empty());
    let metadata = metadata.map(serde_json::from_str).transpose()?;
    let shown = ChunkOut { id: &chunk.chunk_id, text: chunk.text.as_deref(), metadata };
    Ok(serde_json::to_writer(out, &shown)?)
}
