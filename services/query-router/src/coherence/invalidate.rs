//! Documents that somebody wrote at the origin, past Layer.
//!
//! The SDKs do so while Layer cannot be reached, and say so before their first call back through it. It must never be
//! answered before everything that it names is cleared as a write's documents would be.

use http::{Request, Response, StatusCode};
use layer_cache::{Affects, Key, Outcome, Scope};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    body::Source,
    core::{Call, Core, Relayable},
    fetch::{BODY_BYTES_MAX, Failure, IDS_MAX, id},
    refusal::Refusal,
    warm::{NotWarmed, answer},
};

impl Core {
    /// POST /v2/namespaces/{namespace}/invalidate
    pub(crate) async fn invalidate(
        &self,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let namespace = call.namespace.unwrap_or_default();
        let place = self.place(namespace, request.headers());
        let (_, body) = self.whole_body(call, request, BODY_BYTES_MAX).await?;
        let keys = keys(&body)?;
        match self.readable(&place, call.deadline).await {
            Ok(()) => {}
            // What was written there may be gone again, and whoever asks must come to an end.
            Err(NotWarmed::Failed(Failure::Origin(told))) if told.status == StatusCode::NOT_FOUND => {}
            Err(not) => return not.into_answer(call),
        }
        if let Some(scope) = self.cached_scope(call.namespace) {
            self.clear(scope, keys, call).await?;
        }
        if let Some(name) = self.noted(call) {
            self.shared.triggers.note(&name, None, None);
        }
        Ok(answer(StatusCode::OK, call, &json!({"status": "OK"})))
    }

    /// Clears documents, or a whole namespace, as a write of them would.
    async fn clear(&self, scope: Scope, keys: Option<Vec<Key>>, call: &Call<'_>) -> Result<(), Refusal> {
        let (affects, outcome) = match keys {
            None => (Affects::Namespace, Outcome::ChangedUnknown),
            Some(keys) if keys.len() <= self.shared.settings.write.hold_keys_max => {
                (Affects::Keys(keys), Outcome::Changed(Vec::new()))
            }
            Some(keys) => (Affects::Namespace, Outcome::Changed(keys)),
        };
        Ok(self.hold(scope, affects, call).await?.finish(outcome).await?)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    ids: Option<Vec<&'a RawValue>>,
}

/// The keys of the documents that a body names; none where it means all. A string of digits may mean an integer.
fn keys(body: &[u8]) -> Result<Option<Vec<Key>>, Refusal> {
    let body: Body<'_> = serde_json::from_slice(body)
        .map_err(|error| Refusal::Invalid(format!("the body must be {{}} or {{\"ids\": [...]}}: {error}")))?;
    let Some(ids) = body.ids else { return Ok(None) };
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Err(Refusal::Invalid(format!("ids: must hold 1 to {IDS_MAX} ids, not {}", ids.len())));
    }
    let mut keys = Vec::with_capacity(ids.len());
    for (index, raw) in ids.iter().enumerate() {
        let asked = id::from_json(raw, None, || format!("ids[{index}]"))?;
        keys.extend(asked.candidates().map(|id| id.key()));
    }
    Ok(Some(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_and_what_may_be_two_is_both() {
        let found = |body: &str| keys(body.as_bytes()).unwrap();
        assert_eq!(found("{}"), None);
        assert_eq!(found(r#"{"ids":[1,"a"]}"#), Some(vec![Key::uint(1), Key::text("a")]));
        assert_eq!(found(r#"{"ids":["7"]}"#), Some(vec![Key::uint(7), Key::text("7")]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, part) in [
            ("", "the body must be"),
            (r#"{"id":[1]}"#, "unknown field `id`"),
            (r#"{"ids":[]}"#, "ids: must hold 1 to"),
            (r#"{"ids":[1,-1]}"#, "ids[1]"),
        ] {
            let refused = keys(body.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains(part), "{body}: {refused}");
        }
    }
}
