//! Rows of documents: written through the router under a condition that refuses what is late, and the documents that are
//! done with them.
//!
//! The state is asked before anything is written, so that most of what is late costs nothing; what becomes late after that
//! the origin refuses by the row's version (docs/adr/0005-pipelines.md, "What is late at the origin").

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Instant,
};

use layer_proto::{
    pipeline::v1::{ChunkRow, DocumentResult, DocumentRows, DocumentStatus, PutRowsResponse},
    router::v1::{QueryRequest, WriteRequest},
    types::v1::{
        AttributeNames, AttributeSchemaChange, Comparison, ComparisonOperator, DistanceMetric, Filter, FilterList, Id,
        Limit, OrderBy, OrderKey, Query, RankBy, Row, SortDirection, Value, attribute_schema_change, comparison,
        filter, id, query, rank_by, value,
    },
};
use prost::Message as _;

use super::{Pipelines, Target, chunk_id, convert};
use crate::{
    failure::Failure,
    points,
    state::{Completed, Guard, Held, Kind, Outcome, Queue, Refusal, Staging},
};

/// The document that a row is of.
pub(crate) const PARENT: &str = "_hevlayer_parent_id";
/// The version of what was staged that a row is of.
pub(crate) const VERSION: &str = "_hevlayer_staging_version";
/// Rows of one write at the most, and their bytes: several writes are as good, as each may be repeated.
const WRITE_ROWS: usize = 10_000;
const WRITE_BYTES: usize = 8 * 1024 * 1024;

/// A document whose rows may be written.
struct Admitted {
    document: String,
    version: i64,
    rows: Vec<ChunkRow>,
    complete: bool,
    held: Held,
}

impl Pipelines {
    /// Writes rows of documents, and completes those that say so.
    pub(super) async fn put_rows(
        &self,
        queue: &Queue,
        documents: Vec<DocumentRows>,
        held: Vec<Held>,
        guard: &Guard,
        until: Instant,
    ) -> Result<PutRowsResponse, Failure> {
        let target = Target::of(queue)?;
        points::reach("put_rows.check.before");
        let allowed = self.state.check(queue, &held, guard).await?;
        points::reach("put_rows.check.after");
        let mut results = Vec::with_capacity(documents.len());
        let mut admitted = Vec::new();
        for ((document, held), allowed) in documents.into_iter().zip(held).zip(allowed) {
            // The first such call has written the rows; its answer was lost.
            let repeated = allowed.repeated && document.complete;
            let verdict = if repeated { Ok(()) } else { allowed.verdict };
            let verdict = verdict.and_then(|()| versions(&document.rows, allowed.version));
            results.push(DocumentResult {
                document_id: held.item.clone(),
                status: convert::verdict(verdict).into(),
                stage: allowed.stage.unwrap_or_default(),
            });
            if verdict.is_ok() && !repeated {
                let (rows, complete) = (document.rows, document.complete);
                admitted.push(Admitted { document: held.item.clone(), version: allowed.version, rows, complete, held });
            }
        }
        let rows = admitted.iter().map(|admitted| admitted.rows.len()).sum::<usize>();
        let refused = self.write_rows(&target, &mut admitted, until).await?;
        let written = rows - refused.len();
        let behind = self.behind(queue, &target, &admitted, &refused, until).await?;
        admitted.retain(|admitted| !behind.contains(&admitted.document));
        let mut ended: HashMap<String, DocumentResult> =
            self.complete_written(queue, admitted, guard).await?.into_iter().collect();
        for result in &mut results {
            if behind.contains(&result.document_id) {
                result.status = DocumentStatus::StaleVersion.into();
            } else if let Some(end) = ended.remove(&result.document_id) {
                *result = end;
            }
        }
        self.wakes.wake(&queue.name);
        Ok(PutRowsResponse { results, rows_written: written as u64 })
    }

    /// Writes all rows; answers the ids of those that the origin refused, as it has newer ones.
    async fn write_rows(
        &self,
        target: &Target,
        admitted: &mut [Admitted],
        until: Instant,
    ) -> Result<HashSet<String>, Failure> {
        let mut refused = HashSet::new();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for admitted in admitted {
            for row in admitted.rows.drain(..) {
                let row = marked(row, &admitted.document, admitted.version);
                let more = row.encoded_len();
                if batch.len() >= WRITE_ROWS || (bytes + more > WRITE_BYTES && !batch.is_empty()) {
                    refused.extend(self.write_batch(target, std::mem::take(&mut batch), until).await?);
                    bytes = 0;
                }
                bytes += more;
                batch.push(row);
            }
        }
        if !batch.is_empty() {
            refused.extend(self.write_batch(target, batch, until).await?);
        }
        Ok(refused)
    }

    async fn write_batch(&self, target: &Target, rows: Vec<Row>, until: Instant) -> Result<HashSet<String>, Failure> {
        let ids: Vec<_> = rows.iter().filter_map(|row| text(row.id.as_ref())).collect();
        points::reach("put_rows.write.before");
        let answer = self.router.write(write(target, rows), until).await?;
        points::reach("put_rows.write.after");
        if answer.rows_upserted == ids.len() as u64 {
            return Ok(HashSet::new());
        }
        let taken: HashSet<_> = answer.upserted_ids.iter().filter_map(|id| text(Some(id))).collect();
        Ok(ids.into_iter().filter(|id| !taken.contains(id)).collect())
    }

    /// The documents of which the origin has newer rows than were written. Where the state knows of no newer version it is
    /// the state that is behind (a restored backup): the document is staged anew, above what the origin has.
    async fn behind(
        &self,
        queue: &Queue,
        target: &Target,
        admitted: &[Admitted],
        refused: &HashSet<String>,
        until: Instant,
    ) -> Result<HashSet<String>, Failure> {
        let mut behind = HashSet::new();
        if refused.is_empty() {
            return Ok(behind);
        }
        for admitted in admitted {
            let Some(newest) = self.newest(target, admitted, until).await? else { continue };
            behind.insert(admitted.document.clone());
            let items = self.state.items(Kind::Pipeline, &queue.name, std::slice::from_ref(&admitted.document)).await?;
            let Some(item) = items.into_iter().find(|item| item.version == admitted.version) else { continue };
            tracing::warn!(
                pipeline = queue.name,
                "the origin has newer rows of a document than the state store knows of (was it restored?): it is staged anew"
            );
            let (body, priority) = (item.body, item.priority);
            let anew = Staging { item: item.item, body, priority, version_floor: newest.saturating_add(1) };
            self.state.stage(Kind::Pipeline, &queue.name, &[anew]).await?;
        }
        Ok(behind)
    }

    /// The newest version that the origin has rows of, if it is newer than what was written.
    async fn newest(&self, target: &Target, admitted: &Admitted, until: Instant) -> Result<Option<i64>, Failure> {
        let newer = compared(VERSION, ComparisonOperator::Gt, uint(admitted.version));
        let of = compared(PARENT, ComparisonOperator::Eq, string(&admitted.document));
        let query = Query {
            rank_by: Some(RankBy {
                kind: Some(rank_by::Kind::OrderBy(OrderBy {
                    keys: vec![OrderKey { attribute: VERSION.to_owned(), direction: SortDirection::Desc.into() }],
                })),
            }),
            filters: Some(all_of(vec![of, newer])),
            limit: Some(Limit { total: 1, per: None }),
            include: Some(query::Include::IncludeAttributes(AttributeNames { names: vec![VERSION.to_owned()] })),
            ..Query::default()
        };
        let request =
            QueryRequest { namespace: target.namespace.clone(), query: Some(query), ..QueryRequest::default() };
        let answer = self.router.query(request, until).await?;
        let row = answer.result.and_then(|result| result.rows.into_iter().next());
        Ok(row.and_then(|mut row| integer(&row.attributes.remove(VERSION)?)))
    }

    /// Completes the documents whose rows are all there: they go to the last stage. Those whose workers name neither a token
    /// nor themselves are moved by their version alone.
    async fn complete_written(
        &self,
        queue: &Queue,
        admitted: Vec<Admitted>,
        guard: &Guard,
    ) -> Result<Vec<(String, DocumentResult)>, Failure> {
        let held = admitted
            .into_iter()
            .filter(|admitted| admitted.complete)
            .map(|admitted| Held { version: Some(admitted.version), ..admitted.held });
        let held: Vec<_> = held.collect();
        let Some(last) = queue.spec.stages.last().filter(|_| !held.is_empty()) else { return Ok(Vec::new()) };
        let completed: Vec<_> = held.into_iter().map(|held| Completed { held, output: None }).collect();
        points::reach("put_rows.complete.before");
        let outcomes = self.state.complete(Kind::Pipeline, &queue.name, &completed, guard, Some(last)).await?;
        points::reach("put_rows.complete.after");
        Ok(outcomes.into_iter().map(|outcome: Outcome| (outcome.item.clone(), convert::result(outcome))).collect())
    }
}

/// Whether all rows that were given out with a version name the present one.
fn versions(rows: &[ChunkRow], present: i64) -> Result<(), Refusal> {
    let stale = |row: &ChunkRow| chunk_id::read(&row.chunk_id).1.is_some_and(|version| version != present);
    if rows.iter().any(stale) { Err(Refusal::StaleVersion) } else { Ok(()) }
}

/// The row of a chunk, under its own id, with Layer's marks.
fn marked(row: ChunkRow, document: &str, version: i64) -> Row {
    let ChunkRow { chunk_id, mut attributes } = row;
    attributes.insert(PARENT.to_owned(), string(document));
    attributes.insert(VERSION.to_owned(), uint(version));
    let id = chunk_id::read(&chunk_id).0.to_owned();
    Row { id: Some(Id { kind: Some(id::Kind::StringValue(id)) }), attributes }
}

fn write(target: &Target, rows: Vec<Row>) -> WriteRequest {
    let metric = match target.distance_metric.as_str() {
        "euclidean_squared" => DistanceMetric::EuclideanSquared,
        _ => DistanceMetric::CosineDistance,
    };
    let typed =
        |name: &str| AttributeSchemaChange { kind: Some(attribute_schema_change::Kind::TypeOnly(name.to_owned())) };
    let vectors = rows.iter().any(|row| row.attributes.values().any(is_vector));
    WriteRequest {
        namespace: target.namespace.clone(),
        upsert_rows: rows,
        // What has no version yet sorts below every version.
        upsert_condition: Some(Filter {
            kind: Some(filter::Kind::Comparison(Comparison {
                attribute: VERSION.to_owned(),
                op: ComparisonOperator::Lte.into(),
                operand: Some(comparison::Operand::RefNew(VERSION.to_owned())),
            })),
        }),
        schema: BTreeMap::from([(PARENT.to_owned(), typed("string")), (VERSION.to_owned(), typed("uint"))]),
        distance_metric: if vectors { metric.into() } else { DistanceMetric::Unspecified.into() },
        return_affected_ids: Some(true),
        ..WriteRequest::default()
    }
}

fn is_vector(value: &Value) -> bool {
    matches!(value.kind, Some(value::Kind::DenseVector(_) | value::Kind::MultiVector(_) | value::Kind::SparseVector(_)))
}

/// Rows of a document that are of an older version than `version`.
pub(crate) fn older_than(document: &str, version: i64) -> Filter {
    let of = compared(PARENT, ComparisonOperator::Eq, string(document));
    all_of(vec![of, compared(VERSION, ComparisonOperator::Lt, uint(version))])
}

fn compared(attribute: &str, op: ComparisonOperator, value: Value) -> Filter {
    let operand = Some(comparison::Operand::Value(value));
    let comparison = Comparison { attribute: attribute.to_owned(), op: op.into(), operand };
    Filter { kind: Some(filter::Kind::Comparison(comparison)) }
}

fn all_of(filters: Vec<Filter>) -> Filter {
    Filter { kind: Some(filter::Kind::AllOf(FilterList { filters })) }
}

fn string(text: &str) -> Value {
    Value { kind: Some(value::Kind::StringValue(text.to_owned())) }
}

fn uint(number: i64) -> Value {
    Value { kind: Some(value::Kind::UintValue(number.unsigned_abs())) }
}

fn integer(value: &Value) -> Option<i64> {
    match value.kind {
        Some(value::Kind::IntValue(number)) => Some(number),
        Some(value::Kind::UintValue(number)) => i64::try_from(number).ok(),
        _ => None,
    }
}

fn text(id: Option<&Id>) -> Option<String> {
    match id?.kind.as_ref()? {
        id::Kind::StringValue(text) => Some(text.clone()),
        id::Kind::UintValue(number) => Some(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(chunk_id: &str) -> ChunkRow {
        ChunkRow { chunk_id: chunk_id.to_owned(), ..ChunkRow::default() }
    }

    #[test]
    fn a_row_keeps_the_clients_id_and_gains_layers_marks() {
        let row = marked(row("a~1z"), "doc", 71);
        assert_eq!(text(row.id.as_ref()).as_deref(), Some("a"));
        assert_eq!((&row.attributes[PARENT], &row.attributes[VERSION]), (&string("doc"), &uint(71)));
    }

    #[test]
    fn rows_of_another_version_are_stale_and_rows_without_one_are_not() {
        assert_eq!(versions(&[row("a~1z"), row("b")], 71), Ok(()));
        assert_eq!(versions(&[row("b"), row("a~1y")], 71), Err(Refusal::StaleVersion));
    }
}
