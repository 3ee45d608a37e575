//! Rows of documents: vectors as the published clients send them, and rows in bulk.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use http::StatusCode;
use layer_proto::{
    pipeline::v1::{
        ChunkRow, DocumentGuard, DocumentResult, DocumentRows, DocumentStatus, PutRowsRequest, PutRowsResponse,
    },
    types::v1::{DenseVector, Floats, MultiVector, Value, dense_vector::Elements, value::Kind},
};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{
    asked::{Asked, Reply, answered, promised},
    documents::{ShownResult, holder, no_document, shown, status_name},
    json::refuse,
};
use crate::{
    grpc::typed::read_value,
    refusal::{Refusal, Told},
};

/// Where a dense vector goes, and where several of one row go: an attribute named `vector` can only be one.
const VECTOR: &str = "vector";
const VECTORS: &str = "vectors";

/// The attributes of a row as callers send them, vectors apart.
pub(crate) struct Attributes {
    pub(crate) vector: Option<Vec<f32>>,
    pub(crate) vectors: Option<Vec<Vec<f32>>>,
    pub(crate) attributes: Option<BTreeMap<String, Box<RawValue>>>,
}

impl Attributes {
    /// All of them by name. `field`: the row, for refusals.
    pub(crate) fn values<F: Display>(self, field: impl Fn() -> F) -> Result<BTreeMap<String, Value>, Refusal> {
        let mut values = BTreeMap::new();
        for (name, raw) in self.attributes.unwrap_or_default() {
            let refused = |fault| refuse(format!("{}.attributes[{name:?}]", field()), fault);
            let value = read_value(&raw).map_err(refused)?;
            values.insert(name, value);
        }
        let vector = self.vector.map(|vector| (VECTOR, vec![vector]));
        let vectors = self.vectors.map(|vectors| (VECTORS, vectors));
        for (name, given) in [vector, vectors].into_iter().flatten() {
            let place = format!("{}.{name}", field());
            if values.contains_key(name) {
                return Err(refuse(place, format!("is given again in attributes[{name:?}]")));
            }
            values.insert(name.to_owned(), vector_value(name, given));
        }
        Ok(values)
    }
}

fn vector_value(name: &str, given: Vec<Vec<f32>>) -> Value {
    let dense = |values| DenseVector { elements: Some(Elements::Floats(Floats { values })) };
    let mut vectors: Vec<DenseVector> = given.into_iter().map(dense).collect();
    let kind = match name {
        VECTOR => vectors.pop().map(Kind::DenseVector),
        _ => Some(Kind::MultiVector(MultiVector { vectors })),
    };
    Value { kind }
}

/// A row as callers send it.
#[derive(Deserialize)]
struct RowIn {
    id: String,
    vector: Option<Vec<f32>>,
    vectors: Option<Vec<Vec<f32>>>,
    attributes: Option<BTreeMap<String, Box<RawValue>>>,
}

fn messages<F: Display>(rows: Vec<RowIn>, field: impl Fn() -> F) -> Result<Vec<ChunkRow>, Refusal> {
    let message = |(index, row): (usize, RowIn)| {
        let RowIn { id: chunk_id, vector, vectors, attributes } = row;
        let attributes = Attributes { vector, vectors, attributes };
        let attributes = attributes.values(|| format!("{}[{index}]", field()))?;
        Ok(ChunkRow { chunk_id, attributes })
    };
    rows.into_iter().enumerate().map(message).collect()
}

#[derive(Deserialize)]
struct PutVectors {
    vectors: Vec<RowIn>,
    token: Option<u64>,
    version: Option<u64>,
    stage: Option<String>,
    worker_id: Option<String>,
}

/// PUT …/documents/{doc}/vectors: all of the document's rows, which is done then.
pub(super) async fn vectors(asked: &Asked<'_>, pipeline: String, document_id: String) -> Result<Reply, Refusal> {
    let body: PutVectors = asked.read()?;
    let rows = messages(body.vectors, || "vectors")?;
    let (token, version) = (body.token.unwrap_or(0), body.version.unwrap_or(0));
    let guard = DocumentGuard { document_id, token, version };
    let document = DocumentRows { document: Some(guard), rows, complete: true };
    one(
        asked,
        PutRowsRequest { pipeline_id: pipeline, documents: vec![document], holder: holder(body.worker_id, body.stage) },
    )
    .await
}

#[derive(Deserialize)]
struct PutDocumentRows {
    rows: Vec<RowIn>,
    complete: Option<bool>,
    token: Option<u64>,
    version: Option<u64>,
    stage: Option<String>,
    worker_id: Option<String>,
}

/// PUT …/documents/{doc}/rows: some of the document's rows, or the last of them.
pub(super) async fn document(asked: &Asked<'_>, pipeline: String, document_id: String) -> Result<Reply, Refusal> {
    let body: PutDocumentRows = asked.read()?;
    let rows = messages(body.rows, || "rows")?;
    let (token, version) = (body.token.unwrap_or(0), body.version.unwrap_or(0));
    let guard = DocumentGuard { document_id, token, version };
    let document = DocumentRows { document: Some(guard), rows, complete: body.complete.unwrap_or(true) };
    one(
        asked,
        PutRowsRequest { pipeline_id: pipeline, documents: vec![document], holder: holder(body.worker_id, body.stage) },
    )
    .await
}

/// Rows of one document: what became of it is what became of the call.
async fn one(asked: &Asked<'_>, message: PutRowsRequest) -> Result<Reply, Refusal> {
    let answer = put(asked, message).await?;
    let result = promised(answer.results.into_iter().next(), "results")?;
    match result.status() {
        DocumentStatus::Done => {
            let rows = answer.rows_written;
            Reply::of(&json!({"status": "ok", "rows_affected": rows, "rows_upserted": rows}))
        }
        DocumentStatus::NotFound => Err(no_document()),
        status => Err(not_taken(status, &result)),
    }
}

async fn put(asked: &Asked<'_>, message: PutRowsRequest) -> Result<PutRowsResponse, Refusal> {
    answered(asked.pipelines(Duration::ZERO).put_rows(asked.request(message)).await)
}

/// A document that somebody else has by now.
fn not_taken(status: DocumentStatus, result: &DocumentResult) -> Refusal {
    let why = match status {
        DocumentStatus::StaleToken => "somebody else has claimed or moved it since",
        DocumentStatus::StaleVersion => "it was staged again since",
        DocumentStatus::NotLeased => "its lease is over, or there was none",
        DocumentStatus::OtherWorker => "another worker has it",
        DocumentStatus::WrongStage => "it is in another stage",
        _ => "it was refused",
    };
    Refusal::Told(Box::new(Told {
        status: StatusCode::CONFLICT,
        code: "conflict",
        reason: status_name(status).to_owned(),
        message: format!("nothing was written for the document: {why} (now in stage `{}`)", result.stage),
        retry_after: None,
    }))
}

#[derive(Deserialize)]
struct PutRows {
    documents: Vec<RowsOf>,
    stage: Option<String>,
    worker_id: Option<String>,
}

#[derive(Deserialize)]
struct RowsOf {
    document_id: String,
    token: Option<u64>,
    version: Option<u64>,
    rows: Vec<RowIn>,
    complete: Option<bool>,
}

#[derive(Serialize)]
struct Written {
    pipeline_id: String,
    updated: usize,
    rows_written: u64,
    results: Vec<ShownResult>,
}

/// PUT …/rows: rows of several documents, each with its own result.
pub(super) async fn bulk(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let body: PutRows = asked.read()?;
    let mut documents = Vec::with_capacity(body.documents.len());
    for (index, RowsOf { document_id, token, version, rows, complete }) in body.documents.into_iter().enumerate() {
        let rows = messages(rows, || format!("documents[{index}].rows"))?;
        let guard = DocumentGuard { document_id, token: token.unwrap_or(0), version: version.unwrap_or(0) };
        documents.push(DocumentRows { document: Some(guard), rows, complete: complete.unwrap_or(true) });
    }
    let holder = holder(body.worker_id, body.stage);
    let answer = put(asked, PutRowsRequest { pipeline_id: pipeline_id.clone(), documents, holder }).await?;
    let (updated, results) = shown(answer.results);
    Reply::of(&Written { pipeline_id, updated, rows_written: answer.rows_written, results })
}
