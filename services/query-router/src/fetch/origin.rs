//! Reading rows from the origin by their ids.
//!
//! Always strongly, whatever the callers asked for: what is read here may fill the cache. All attributes are asked for,
//! since the cache keeps whole rows, and exactly the ids that were wanted: what is not among the rows of a complete answer
//! is absent.

use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use layer_cache::{Body, Cache, Fill};
use layer_origin::{Client, OriginBody};
use layer_service::{
    deadline::{REQUEST_TIMEOUT_MS, remaining_ms},
    telemetry::{client_span, propagate},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::Instrument;

use super::{
    coalesce::{Asker, Found, Query, Wanted},
    failure::{Failure, Told},
    place::Place,
    row::Row,
};
use crate::{
    body::{RequestBody, Source},
    core::Shared,
    headers::{self, SERVED_BY},
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The largest answer about one document: the origin keeps 64 MiB, which JSON may double.
const ONE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The largest error of the origin that is kept for its callers.
const ERROR_BYTES_MAX: usize = 1024 * 1024;

/// One worker's reader.
#[derive(Clone)]
pub struct OriginReader {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// This worker's client.
    pub client: Client<RequestBody>,
    /// This worker's handle to the cache.
    pub cache: Cache,
}

impl Asker for OriginReader {
    async fn ask(&self, query: Query) -> Result<Vec<Found>, Failure> {
        let span = match self.shared.traces {
            true => query.span.in_scope(|| client_span("origin")),
            false => tracing::Span::none(),
        };
        let found = self.read_parts(&query, &span).instrument(span.clone()).await?;
        self.fill(&query, &found);
        Ok(found)
    }
}

impl OriginReader {
    /// Reads in one query, or where the answer is too large in ever smaller ones.
    pub(super) async fn read_parts(&self, query: &Query, span: &tracing::Span) -> Result<Vec<Found>, Failure> {
        let mut found = Vec::with_capacity(query.wanted.len());
        let mut parts = vec![query.wanted.as_slice()];
        while let Some(part) = parts.pop() {
            match self.read_part(query, part, span).await? {
                Some(rows) => found.extend(rows),
                None => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
        Ok(found)
    }

    /// One query; `None` where its answer is too large for more than one id.
    async fn read_part(
        &self,
        query: &Query,
        part: &[Wanted],
        span: &tracing::Span,
    ) -> Result<Option<Vec<Found>>, Failure> {
        self.shared.fetch.observe.queried(part.len());
        let path = format!("/v2/namespaces/{}/query", query.place.namespace);
        let request = self.request(&query.place, Method::POST, &path, query_body(part).into(), query.until.into());
        let limit = if part.len() == 1 { ONE_BYTES_MAX } else { self.shared.settings.fetch.query_bytes_max };
        match self.exchange(&query.place, request, limit, span).await? {
            Some(body) => rows(&body, part).map(Some),
            None if part.len() > 1 => Ok(None),
            None => Err(unusable("is too large")),
        }
    }

    /// Sends a call about a place and reads its good answer; `None` where that is longer than `limit` bytes.
    pub(super) async fn exchange(
        &self,
        place: &Place,
        mut request: Request<RequestBody>,
        limit: usize,
        span: &tracing::Span,
    ) -> Result<Option<Bytes>, Failure> {
        let _in_flight = self.shared.observe.at_origin();
        if self.shared.traces {
            propagate(span, request.headers_mut());
        }
        let answer = pin!(self.client.send(request)).await?;
        span.record("http.response.status_code", answer.status().as_u16());
        if answer.headers().contains_key(SERVED_BY) {
            return Err(Failure::Upstream("the origin is Layer itself (setting origin.url): a loop".to_owned()));
        }
        self.shared.fetch.reached(place, answer.status());
        if answer.status() != StatusCode::OK {
            return Err(self.told(answer).await);
        }
        if answer.headers().contains_key(CONTENT_ENCODING) {
            return Err(unusable("is compressed, which was not asked for"));
        }
        match Limited::new(self.watched(answer.into_body()), limit).collect().await {
            Ok(body) => Ok(Some(body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Ok(None),
            Err(error) => Err(unusable(&format!("broke off: {error}"))),
        }
    }

    /// A call about a place, with its key.
    pub(super) fn request(
        &self,
        place: &Place,
        method: Method,
        path: &str,
        body: Bytes,
        until: Instant,
    ) -> Request<RequestBody> {
        let length = body.len();
        let stall = Duration::from_millis(self.shared.settings.limits.body_stall_timeout_ms);
        let mut request = Request::new(RequestBody::Direct(Source::whole(body, length as u64, stall)));
        *request.method_mut() = method;
        // A namespace comes from a path that was parsed, or from a name that was checked.
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        if let Some(authorization) = &place.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        headers.insert(ACCEPT, JSON);
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(CONTENT_LENGTH, length.into());
        // Read here and now, mostly from a network that is faster than gzip.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(REQUEST_TIMEOUT_MS, remaining_ms(until));
        request
    }

    /// An answer that is no success, kept for everybody who waits.
    async fn told(&self, answer: Response<OriginBody<RequestBody>>) -> Failure {
        let (mut head, body) = answer.into_parts();
        headers::strip_hop_by_hop(&mut head.headers);
        headers::served_by_origin(&mut head.headers);
        headers::localize(&mut head.headers, self.client.target());
        head.headers.remove(CONTENT_LENGTH);
        match Limited::new(self.watched(body), ERROR_BYTES_MAX).collect().await {
            Ok(body) => {
                let body = body.to_bytes();
                Failure::Origin(Box::new(Told { status: head.status, headers: head.headers, body }))
            }
            Err(error) => unusable(&format!("broke off: {error}")),
        }
    }

    fn watched(&self, body: OriginBody<RequestBody>) -> crate::body::Watched {
        let stall = Duration::from_millis(self.shared.settings.origin.body_stall_timeout_ms);
        crate::body::Watched::new(body, stall)
    }

    /// Fills the cache with what was read.
    fn fill(&self, query: &Query, found: &[Found]) {
        let Some(scope) = &query.place.scope else { return };
        let fills = fills(query, found);
        if !fills.is_empty() {
            self.cache.fill(scope, fills);
        }
    }
}

/// What the cache is told of the answers to a query, under the leases that were taken before it was sent.
pub(super) fn fills(query: &Query, found: &[Found]) -> Vec<Fill> {
    let leased = query.wanted.iter().zip(found).filter_map(|(one, found)| Some((one, one.lease.clone()?, found)));
    let fills = leased.map(|(one, lease, found)| Fill {
        key: one.id.key(),
        lease,
        body: found.as_ref().map_or_else(|| Body::absent(one.id.json()), Row::to_cache),
        // That a row is absent is remembered for a short time anyhow.
        ttl: found.as_ref().and(query.place.ttl),
    });
    fills.collect()
}

/// The query for these ids and nothing else. Ordering by id needs no vector and no text index.
fn query_body(part: &[Wanted]) -> String {
    let ids: Vec<String> = part.iter().map(|one| one.id.json()).collect();
    format!(
        r#"{{"filters":["id","In",[{}]],"rank_by":["id","asc"],"limit":{},"include_attributes":true,"consistency":{{"level":"strong"}}}}"#,
        ids.join(","),
        part.len()
    )
}

pub(super) fn unusable(reason: &str) -> Failure {
    Failure::Upstream(format!("the origin's answer to a query by id {reason}"))
}

#[derive(Deserialize)]
struct Rows<'a> {
    #[serde(borrow)]
    rows: Vec<&'a RawValue>,
}

/// What a complete answer says of each id. A row that nobody asked for means that the answer is to another question, and
/// then what is not in it is not known to be absent.
fn rows(body: &[u8], part: &[Wanted]) -> Result<Vec<Found>, Failure> {
    let answer: Rows<'_> = serde_json::from_slice(body).map_err(|_| unusable("has no rows"))?;
    let places: HashMap<_, usize> = part.iter().enumerate().map(|(place, one)| (one.id.key(), place)).collect();
    let mut found = vec![None; part.len()];
    for raw in answer.rows {
        let (id, row) = Row::of_origin(raw).ok_or_else(|| unusable("has a row without an id"))?;
        let place = places.get(&id.key()).filter(|place| part[**place].id.is(&id));
        let place = place.ok_or_else(|| unusable("has a row that was not asked for"))?;
        if found[*place].replace(row).is_some() {
            return Err(unusable("has a row twice"));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{super::id::DocId, *};

    fn wanted(ids: &[DocId]) -> Vec<Wanted> {
        ids.iter().map(|id| Wanted { id: id.clone(), lease: None }).collect()
    }

    fn text(text: &str) -> DocId {
        DocId::Text(text.into())
    }

    fn found(body: &str, ids: &[DocId]) -> Result<Vec<bool>, String> {
        let found = rows(body.as_bytes(), &wanted(ids)).map_err(|failure| failure.refusal().to_string())?;
        Ok(found.iter().map(Option::is_some).collect())
    }

    #[test]
    fn the_query_asks_for_these_ids_strongly_and_for_all_attributes() {
        let body = query_body(&wanted(&[text("a\"b"), text("ü")]));
        let expected = serde_json::json!({"filters": ["id", "In", ["a\"b", "ü"]], "rank_by": ["id", "asc"], "limit": 2,
            "include_attributes": true, "consistency": {"level": "strong"}});
        assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap(), expected);
        assert!(query_body(&wanted(&[DocId::Uint(u64::MAX)])).contains("[18446744073709551615]"));
    }

    #[test]
    fn what_is_not_among_the_rows_is_absent() {
        let ids = [DocId::Uint(1), DocId::Uint(2), DocId::Uint(3)];
        assert_eq!(found(r#"{"rows":[{"id":3},{"id":1}]}"#, &ids), Ok(vec![true, false, true]));
        assert_eq!(found(r#"{"rows":[],"billing":{}}"#, &ids), Ok(vec![false; 3]));
    }

    #[test]
    fn a_uuid_is_answered_in_another_spelling() {
        let upper = text("67E55044-10B1-426F-9247-BB680E5FE0C8");
        assert_eq!(found(r#"{"rows":[{"id":"67e55044-10b1-426f-9247-bb680e5fe0c8"}]}"#, &[upper]), Ok(vec![true]));
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        for body in [
            "{}",
            "[]",
            r#"{"rows":[{"id":2}]}"#,
            r#"{"rows":[{"id":"1"}]}"#,
            r#"{"rows":[{"id":1},{"id":1}]}"#,
            r#"{"rows":[{"x":1}]}"#,
            r#"{"rows":[{"id":1}]"#,
            r#"{"rows":[{"id":-1}]}"#,
        ] {
            assert!(found(body, &[DocId::Uint(1)]).is_err(), "{body}");
        }
    }
}
