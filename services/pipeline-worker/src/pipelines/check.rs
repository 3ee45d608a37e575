//! Requests are checked whole before anything is done, against the limits that the contract states.

use std::collections::HashSet;

use layer_proto::pipeline::v1::{Chunk, ChunkRow, DocumentGuard, Holder, PipelineSpec, RetryPolicy, StagedDocument};
use layer_service::grpc::status;
use tonic::Status;
use tonic_types::FieldViolation;

use super::{Target, chunk_id};
use crate::state::{Guard, Held, Retry, Spec};

/// Bytes of a document's id.
const DOCUMENT_BYTES: usize = 256;
/// Bytes of a chunk's own id: it is the id of a row.
const CHUNK_BYTES: usize = 64;
/// Chunks of a document.
const CHUNKS_MAX: usize = 100_000;
/// Bytes of a worker's name.
const WORKER_BYTES: usize = 128;
/// The names that Layer keeps for itself.
const RESERVED: &str = "_hevlayer_";
/// What an empty distance metric is.
const DISTANCE_METRIC: &str = "cosine_distance";
const DISTANCE_METRICS: [&str; 2] = ["cosine_distance", "euclidean_squared"];
/// A lease's length in milliseconds, and what 0 is.
const LEASE_MS: std::ops::RangeInclusive<u64> = 1000..=86_400_000;
const LEASE_MS_DEFAULT: u64 = 900_000;
const DAY_MS: u64 = 86_400_000;

/// Collects what is wrong with a request.
#[derive(Default)]
pub(super) struct Check {
    violations: Vec<FieldViolation>,
}

impl Check {
    /// What was made of the request, if nothing is wrong with it.
    pub(super) fn done<T>(self, made: T) -> Result<T, Status> {
        if self.violations.is_empty() { Ok(made) } else { Err(status::invalid(self.violations)) }
    }

    pub(super) fn refuse(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.violations.push(FieldViolation::new(field, reason));
    }

    pub(super) fn pipeline_id(&mut self, id: &str) {
        let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !(1..=64).contains(&id.len()) || !plain {
            self.refuse("pipeline_id", "must be 1 to 64 letters, digits, `-`, `_` and `.`");
        }
    }

    pub(super) fn count(&mut self, field: &str, count: usize, max: usize) {
        if !(1..=max).contains(&count) {
            self.refuse(field, format!("must be 1 to {max}; there are {count}"));
        }
    }

    pub(super) fn document_id(&mut self, field: impl Fn() -> String, id: &str) {
        let plain = !id.chars().any(|c| c.is_control() || c == char::MAX);
        if !(1..=DOCUMENT_BYTES).contains(&id.len()) || !plain {
            self.refuse(field(), format!("must be 1 to {DOCUMENT_BYTES} bytes without control characters"));
        }
    }

    /// A pipeline's specification.
    pub(super) fn spec(&mut self, spec: Option<PipelineSpec>) -> Spec {
        let spec = spec.unwrap_or_else(|| {
            self.refuse("spec", "is required");
            PipelineSpec { target_namespace: "-".to_owned(), ..PipelineSpec::default() }
        });
        let namespace = spec.target_namespace;
        let plain = namespace.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !(1..=128).contains(&namespace.len()) || !plain {
            self.refuse("spec.target_namespace", "must be 1 to 128 letters, digits, `-`, `_` and `.`");
        }
        let mut distance_metric = spec.distance_metric;
        if distance_metric.is_empty() {
            distance_metric = DISTANCE_METRIC.to_owned();
        } else if !DISTANCE_METRICS.contains(&distance_metric.as_str()) {
            self.refuse("spec.distance_metric", format!("must be one of {}", DISTANCE_METRICS.join(", ")));
        }
        let target = Target { namespace, distance_metric };
        let default = Spec::default();
        Spec {
            stages: if spec.stages.is_empty() { default.stages } else { spec.stages },
            retry: self.retry(spec.retry.unwrap_or_default()),
            leased_max: spec.leased_max,
            keep_done_ms: spec.keep_done_ms,
            keep_failed_ms: if spec.keep_failed_ms == 0 { default.keep_failed_ms } else { spec.keep_failed_ms },
            rest: serde_json::json!(target).to_string(),
        }
    }

    fn retry(&mut self, asked: RetryPolicy) -> Retry {
        let default = Retry::default();
        let or = |asked: u64, default: u64| if asked == 0 { default } else { asked };
        let initial_backoff_ms = or(asked.initial_backoff_ms, default.initial_backoff_ms);
        let max_backoff_ms = or(asked.max_backoff_ms, default.max_backoff_ms.max(initial_backoff_ms.min(DAY_MS)));
        Retry {
            attempts_max: if asked.attempts_max == 0 { default.attempts_max } else { asked.attempts_max },
            leases_lost_max: if asked.leases_lost_max == 0 { default.leases_lost_max } else { asked.leases_lost_max },
            initial_backoff_ms,
            max_backoff_ms,
        }
    }

    /// A document to stage.
    pub(super) fn staged(&mut self, at: usize, document: &StagedDocument) {
        self.document_id(|| format!("documents[{at}].document_id"), &document.document_id);
        if document.priority > 9 {
            self.refuse(format!("documents[{at}].priority"), "must be 0 to 9");
        }
        self.chunks(&format!("documents[{at}].chunks"), &document.chunks);
    }

    /// Chunks of a document as a client names them.
    pub(super) fn chunks(&mut self, field: &str, chunks: &[Chunk]) {
        if chunks.len() > CHUNKS_MAX {
            return self.refuse(field, format!("has {} chunks; at most {CHUNKS_MAX}", chunks.len()));
        }
        let mut known = HashSet::with_capacity(chunks.len());
        for (at, chunk) in chunks.iter().enumerate() {
            let id = chunk.chunk_id.as_str();
            let plain = !id.chars().any(char::is_control);
            if !(1..=CHUNK_BYTES).contains(&id.len()) || !plain {
                self.refuse(format!("{field}[{at}].chunk_id"), "must be 1 to 64 bytes without control characters");
            } else if chunk_id::looks_given_out(id) {
                let reason = "must not end in `~` and lower-case letters or digits: such ids are Layer's own";
                self.refuse(format!("{field}[{at}].chunk_id"), reason);
            } else if !known.insert(id) {
                self.refuse(format!("{field}[{at}].chunk_id"), "must differ from those before it");
            }
            self.metadata(|| format!("{field}[{at}].metadata_json"), &chunk.metadata_json);
        }
    }

    fn metadata(&mut self, field: impl Fn() -> String, json: &str) {
        let object = || serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json);
        if !json.is_empty() && object().is_err() {
            self.refuse(field(), "must be the JSON text of an object");
        }
    }

    /// Documents of a call with their guards: each once.
    pub(super) fn guards(&mut self, field: &str, guards: &[DocumentGuard], max: usize) -> Vec<Held> {
        self.count(field, guards.len(), max);
        let mut known = HashSet::with_capacity(guards.len());
        guards.iter().enumerate().map(|(at, guard)| self.guard(&mut known, &format!("{field}[{at}]"), guard)).collect()
    }

    /// The guards of documents that are members of something else, as `field` of each.
    pub(super) fn members<'a>(
        &mut self,
        guards: impl ExactSizeIterator<Item = Option<&'a DocumentGuard>>,
        max: usize,
    ) -> Vec<Held> {
        self.count("documents", guards.len(), max);
        let mut known = HashSet::with_capacity(guards.len());
        let mut held = Vec::with_capacity(guards.len());
        for (at, guard) in guards.enumerate() {
            let field = format!("documents[{at}].document");
            match guard {
                Some(guard) => held.push(self.guard(&mut known, &field, guard)),
                None => self.refuse(field, "is required"),
            }
        }
        held
    }

    fn guard(&mut self, known: &mut HashSet<String>, field: &str, guard: &DocumentGuard) -> Held {
        self.document_id(|| format!("{field}.document_id"), &guard.document_id);
        if !known.insert(guard.document_id.clone()) {
            self.refuse(format!("{field}.document_id"), "must differ from those before it");
        }
        let number = |value: u64| (value != 0).then(|| i64::try_from(value).unwrap_or(i64::MAX));
        Held { item: guard.document_id.clone(), token: number(guard.token), version: number(guard.version) }
    }

    /// What must be true of every document of a call.
    pub(super) fn holder(&mut self, holder: Option<Holder>) -> Guard {
        let Holder { worker_id, stage } = holder.unwrap_or_default();
        if worker_id.len() > WORKER_BYTES {
            self.refuse("holder.worker_id", format!("must be at most {WORKER_BYTES} bytes"));
        }
        let named = |name: String| Some(name).filter(|name| !name.is_empty());
        Guard { worker: named(worker_id), stage: named(stage) }
    }

    /// Who claims.
    pub(super) fn worker(&mut self, worker_id: &str) {
        if !(1..=WORKER_BYTES).contains(&worker_id.len()) {
            self.refuse("worker_id", format!("must be 1 to {WORKER_BYTES} bytes"));
        }
    }

    /// A lease's length in milliseconds.
    pub(super) fn lease_ms(&mut self, asked: u64) -> u64 {
        let lease_ms = if asked == 0 { LEASE_MS_DEFAULT } else { asked };
        if !LEASE_MS.contains(&lease_ms) {
            self.refuse("lease_ms", format!("must be {} to {}", LEASE_MS.start(), LEASE_MS.end()));
        }
        lease_ms
    }

    /// A row of a chunk.
    pub(super) fn row(&mut self, field: &str, row: &ChunkRow) {
        let (own, _) = chunk_id::read(&row.chunk_id);
        if !(1..=CHUNK_BYTES).contains(&own.len()) || own.chars().any(char::is_control) {
            self.refuse(format!("{field}.chunk_id"), "must be 1 to 64 bytes without control characters");
        }
        for name in row.attributes.keys() {
            if name.starts_with(RESERVED) {
                self.refuse(format!("{field}.attributes"), format!("`{name}`: names with {RESERVED} are Layer's own"));
            } else if name.is_empty() || name == "id" {
                self.refuse(format!("{field}.attributes"), format!("`{name}` is no name for an attribute"));
            }
        }
    }
}
