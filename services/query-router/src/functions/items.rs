//! Items of a function: claimed with their inputs, and what became of them.

use std::{collections::BTreeMap, fmt, time::Duration};

use layer_proto::{
    function::v1::{
        ClaimRequest, ClaimedItem, CompleteRequest, CompletedItem, DeadLetter, FailRequest, FailedItem, FailureKind,
        FailureReason, HeartbeatRequest, ItemGuard, ItemResult, ItemStatus, ListDeadLettersRequest,
    },
    types::v1::{Id, id::Kind as IdKind},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    grpc::typed::write_values,
    pipelines::{Asked, Attributes, Kind, Number, Reply, answered, lease_ms, present, time, wait},
    refusal::Refusal,
};

/// A row's id: text, or an unsigned integer.
#[derive(Debug, PartialEq)]
struct ItemId(IdKind);

impl<'de> Deserialize<'de> for ItemId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;
        impl Visitor<'_> for Reads {
            type Value = ItemId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or an unsigned integer")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<ItemId, E> {
                Ok(ItemId(IdKind::UintValue(number)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ItemId, E> {
                Ok(ItemId(IdKind::StringValue(text.to_owned())))
            }
        }
        deserializer.deserialize_any(Reads)
    }
}

/// The published clients know ids as text alone.
fn id_text(id: Option<Id>) -> String {
    match id.and_then(|id| id.kind) {
        Some(IdKind::UintValue(number)) => number.to_string(),
        Some(IdKind::StringValue(text)) => text,
        None => String::new(),
    }
}

fn guard(namespace: String, id: ItemId, token: Option<u64>) -> ItemGuard {
    ItemGuard { namespace, id: Some(Id { kind: Some(id.0) }), token: token.unwrap_or(0) }
}

#[derive(Deserialize)]
struct Claim {
    worker_id: String,
    limit: Number,
    lease_seconds: Number,
    wait_ms: Option<u32>,
}

#[derive(Serialize)]
struct Claimed<'a> {
    udf_id: &'a str,
    worker_id: &'a str,
    items: Vec<ShownItem<'a>>,
    lease_ms: u64,
    version: String,
}

#[derive(Serialize)]
struct ShownItem<'a> {
    namespace: &'a str,
    id: String,
    input: BTreeMap<&'a str, Box<RawValue>>,
    token: u64,
    attempt: u32,
}

impl<'a> ShownItem<'a> {
    fn of(item: &'a ClaimedItem) -> Self {
        Self {
            namespace: &item.namespace,
            id: id_text(item.id.clone()),
            input: write_values(&item.input),
            token: item.token,
            attempt: item.attempt,
        }
    }
}

/// POST …/claim
pub(super) async fn claim(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    let body: Claim = asked.read()?;
    let (wait_ms, longer) = wait(body.wait_ms)?;
    let message = ClaimRequest {
        function_id: function_id.clone(),
        limit: present("limit", body.limit)?,
        worker_id: body.worker_id.clone(),
        lease_ms: lease_ms(body.lease_seconds)?,
        wait_ms,
    };
    let answer = answered(asked.functions(longer).claim(asked.request(message)).await)?;
    Reply::of(&Claimed {
        udf_id: &function_id,
        worker_id: &body.worker_id,
        items: answer.items.iter().map(ShownItem::of).collect(),
        lease_ms: answer.lease_ms,
        version: answer.version,
    })
}

/// What became of items.
#[derive(Serialize)]
struct Moved {
    udf_id: String,
    updated: usize,
    results: Vec<ShownResult>,
}

#[derive(Serialize)]
struct ShownResult {
    namespace: String,
    id: String,
    status: String,
}

fn moved(udf_id: String, results: Vec<ItemResult>) -> Result<Reply, Refusal> {
    let updated = results.iter().filter(|result| result.status() == ItemStatus::Done).count();
    let shown = results.into_iter().map(|result| {
        let status = result.status().as_str_name();
        ShownResult {
            status: status.strip_prefix("ITEM_STATUS_").unwrap_or(status).to_ascii_lowercase(),
            namespace: result.namespace,
            id: id_text(result.id),
        }
    });
    Reply::of(&Moved { udf_id, updated, results: shown.collect() })
}

#[derive(Deserialize)]
struct Heartbeat {
    worker_id: String,
    items: Vec<ItemRef>,
    lease_seconds: Number,
}

#[derive(Deserialize)]
struct ItemRef {
    namespace: String,
    id: ItemId,
    token: Option<u64>,
}

/// POST …/items/heartbeat
pub(super) async fn heartbeat(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    let body: Heartbeat = asked.read()?;
    let items = body.items.into_iter().map(|ItemRef { namespace, id, token }| guard(namespace, id, token));
    let message = HeartbeatRequest {
        function_id: function_id.clone(),
        items: items.collect(),
        worker_id: body.worker_id,
        lease_ms: lease_ms(body.lease_seconds)?,
    };
    moved(function_id, answered(asked.functions(Duration::ZERO).heartbeat(asked.request(message)).await)?.results)
}

#[derive(Deserialize)]
struct Complete {
    worker_id: String,
    items: Vec<Completed>,
}

#[derive(Deserialize)]
struct Completed {
    namespace: String,
    id: ItemId,
    token: Option<u64>,
    vector: Option<Vec<f32>>,
    vectors: Option<Vec<Vec<f32>>>,
    attributes: Option<BTreeMap<String, Box<RawValue>>>,
}

/// POST …/items/complete
pub(super) async fn complete(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    let body: Complete = asked.read()?;
    let mut items = Vec::with_capacity(body.items.len());
    for (index, item) in body.items.into_iter().enumerate() {
        let Completed { namespace, id, token, vector, vectors, attributes } = item;
        let attributes = Attributes { vector, vectors, attributes }.values(|| format!("items[{index}]"))?;
        items.push(CompletedItem { item: Some(guard(namespace, id, token)), attributes });
    }
    let message = CompleteRequest { function_id: function_id.clone(), items, worker_id: body.worker_id };
    moved(function_id, answered(asked.functions(Duration::ZERO).complete(asked.request(message)).await)?.results)
}

#[derive(Deserialize)]
struct Fail {
    worker_id: String,
    items: Vec<Failed>,
}

#[derive(Deserialize)]
struct Failed {
    namespace: String,
    id: ItemId,
    token: Option<u64>,
    kind: Kind,
    message: Option<String>,
}

/// POST …/items/fail
pub(super) async fn fail(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    let body: Fail = asked.read()?;
    let items = body.items.into_iter().map(|Failed { namespace, id, token, kind, message }| FailedItem {
        item: Some(guard(namespace, id, token)),
        kind: kind.of(FailureKind::Transient, FailureKind::Permanent).into(),
        message: message.unwrap_or_default(),
    });
    let message = FailRequest { function_id: function_id.clone(), items: items.collect(), worker_id: body.worker_id };
    moved(function_id, answered(asked.functions(Duration::ZERO).fail(asked.request(message)).await)?.results)
}

#[derive(Serialize)]
struct DeadLetters {
    dead_letters: Vec<ShownLetter>,
    #[serde(skip_serializing_if = "String::is_empty")]
    next_page_token: String,
}

#[derive(Serialize)]
struct ShownLetter {
    namespace: String,
    id: String,
    reason: &'static str,
    message: String,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<String>,
}

impl ShownLetter {
    fn of(letter: DeadLetter) -> Self {
        Self {
            reason: match letter.reason() {
                FailureReason::Unspecified => "unknown",
                FailureReason::Permanent => "permanent",
                FailureReason::Attempts => "attempts",
                FailureReason::Leases => "leases",
            },
            failed_at: time(letter.failed_at.as_ref()),
            namespace: letter.namespace,
            id: id_text(letter.id),
            message: letter.message,
            attempts: letter.attempts,
        }
    }
}

/// GET …/dead-letters
pub(super) async fn dead_letters(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    let page = asked.page()?;
    let message = ListDeadLettersRequest { function_id, page_size: page.size, page_token: page.token };
    let answer = answered(asked.functions(Duration::ZERO).list_dead_letters(asked.request(message)).await)?;
    let dead_letters = answer.dead_letters.into_iter().map(ShownLetter::of).collect();
    Reply::of(&DeadLetters { dead_letters, next_page_token: answer.next_page_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_text_or_an_unsigned_integer() {
        let read = |text: &str| serde_json::from_str::<ItemId>(text);
        assert_eq!(read("18446744073709551615").unwrap(), ItemId(IdKind::UintValue(u64::MAX)));
        assert_eq!(read("\"7\"").unwrap(), ItemId(IdKind::StringValue("7".to_owned())));
        for wrong in ["-1", "1.5", "null", "[]"] {
            assert!(read(wrong).unwrap_err().to_string().contains("text or an unsigned integer"), "{wrong}");
        }
    }
}
