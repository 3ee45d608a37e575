//! Reading rows from the origin by their ids.
//!
//! Always strongly, whatever the callers asked for: what is read here may fill the cache. All attributes are asked for,
//! since the cache keeps whole rows, and exactly the ids that were wanted: what is not among the rows of a complete answer
//! is absent. What is received takes room of the bound on what fetches hold as it comes; see [`held`](super::held).

use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
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
    coalesce::{Asker, Found, Landing, Query, Wanted},
    failure::{Failure, Told},
    held::Share,
    place::Place,
    row::Row,
};
use crate::{
    body::{RequestBody, Source, Watched},
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
    async fn ask(&self, query: Query) -> Result<Landing, Failure> {
        let mut share = self.shared.fetch.held.share();
        let (found, wanted) = self.read_filling(&query, &mut share).await?;
        Ok(Landing { found, share, wanted })
    }
}

/// A body that was read, or why it was not.
pub(super) type Received = Result<Bytes, TooMuch>;

/// Why a body was not read.
pub(super) enum TooMuch {
    /// It is longer than it may be. How many bytes it has, or more.
    TooLarge(u64),
    /// There is no room for it. How much it would have taken, or more.
    NoRoom(u64),
}

/// What came of the ids of a query: of each what was found, `None` where there was no room for it; and how much room the
/// first of those would have taken.
pub(super) type Parts = (Vec<Option<Found>>, u64);

impl OriginReader {
    /// Reads what a query asks for, and fills the cache with it.
    pub(super) async fn read_filling(&self, query: &Query, share: &mut Share) -> Result<Parts, Failure> {
        let span = match self.shared.traces {
            true => query.span.in_scope(|| client_span("origin")),
            false => tracing::Span::none(),
        };
        let parts = self.read_parts(query, share, &span).instrument(span.clone()).await?;
        self.fill(query, &parts.0);
        Ok(parts)
    }

    /// Reads in one query, or where the answer is too large in smaller ones, as long as there is room.
    pub(super) async fn read_parts(
        &self,
        query: &Query,
        share: &mut Share,
        span: &tracing::Span,
    ) -> Result<Parts, Failure> {
        let mut found = Vec::with_capacity(query.wanted.len());
        let mut ids_max = self.part_ids(&query.place);
        while found.len() < query.wanted.len() {
            let rest = &query.wanted[found.len()..];
            let part = &rest[..rest.len().min(ids_max)];
            match self.read_part(query, part, share, span).await? {
                Ok(rows) => {
                    found.extend(rows.into_iter().map(Some));
                    ids_max = self.part_ids(&query.place);
                }
                Err(TooMuch::NoRoom(wanted)) if part.len() == 1 || !found.is_empty() => {
                    found.resize(query.wanted.len(), None);
                    return Ok((found, wanted));
                }
                Err(_) if part.len() == 1 => return Err(unusable("is too large")),
                Err(TooMuch::NoRoom(wanted)) => ids_max = fewer(part.len(), wanted, share.spare()),
                Err(TooMuch::TooLarge(bytes)) => {
                    ids_max = fewer(part.len(), bytes, self.shared.settings.fetch.query_bytes_max as u64);
                }
            }
        }
        Ok((found, 0))
    }

    /// How many ids of a place one query asks for.
    fn part_ids(&self, place: &Arc<Place>) -> usize {
        let size = self.shared.fetch.sizes.of(place).unwrap_or(0).max(1);
        let ids = self.shared.settings.fetch.query_bytes_max as u64 / size;
        usize::try_from(ids).unwrap_or(usize::MAX).max(1)
    }

    /// One query, or why nothing of it could be kept.
    async fn read_part(
        &self,
        query: &Query,
        part: &[Wanted],
        share: &mut Share,
        span: &tracing::Span,
    ) -> Result<Result<Vec<Found>, TooMuch>, Failure> {
        self.shared.fetch.observe.queried(part.len());
        let path = format!("/v2/namespaces/{}/query", query.place.namespace);
        let request = self.request(&query.place, Method::POST, &path, query_body(part).into(), query.until.into());
        let limit = if part.len() == 1 { ONE_BYTES_MAX } else { self.shared.settings.fetch.query_bytes_max };
        let before = share.used();
        match self.exchange(&query.place, request, limit, share, span).await? {
            Ok(body) => {
                let found = rows(&body, part)?;
                drop(body);
                let (count, bytes) = measured(&found);
                share.shrink_to(before + bytes);
                self.shared.fetch.sizes.learn(&query.place, count, bytes);
                Ok(Ok(found))
            }
            Err(too_much) => {
                share.shrink_to(before);
                Ok(Err(too_much))
            }
        }
    }

    /// Sends a call about a place and reads its good answer, which may have `limit` bytes, as far as `share` has room for it.
    pub(super) async fn exchange(
        &self,
        place: &Place,
        mut request: Request<RequestBody>,
        limit: usize,
        share: &mut Share,
        span: &tracing::Span,
    ) -> Result<Received, Failure> {
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
        receive(self.watched(answer.into_body()), limit, share).await
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
        let mut request = Request::new(RequestBody::Direct(Source::whole(body, Instant::now(), length as u64, stall)));
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

    fn watched(&self, body: OriginBody<RequestBody>) -> Watched {
        let stall = Duration::from_millis(self.shared.settings.origin.body_stall_timeout_ms);
        Watched::new(body, stall)
    }

    /// Fills the cache with what was read.
    fn fill(&self, query: &Query, found: &[Option<Found>]) {
        let Some(scope) = &query.place.scope else { return };
        let fills = fills(query, found);
        if !fills.is_empty() {
            self.cache.fill(scope, fills);
        }
    }
}

/// Reads a body. It takes room for twice its bytes: for itself, and for what is made of it. What was taken for a body that
/// is given up is still taken.
async fn receive(mut body: Watched, limit: usize, share: &mut Share) -> Result<Received, Failure> {
    let before = share.used();
    let taken = |length: usize| before + 2 * length as u64;
    if let Some(length) = body.size_hint().exact().and_then(|length| usize::try_from(length).ok()) {
        if length > limit {
            return Ok(Err(TooMuch::TooLarge(length as u64)));
        }
        if !share.reserve(taken(length)) {
            return Ok(Err(TooMuch::NoRoom(taken(length))));
        }
    }
    let (mut pieces, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| unusable(&format!("broke off: {error}")))?;
        // Trailers have no meaning on this wire.
        let Ok(piece) = frame.into_data() else { continue };
        length += piece.len();
        if length > limit {
            return Ok(Err(TooMuch::TooLarge(length as u64)));
        }
        if !share.take(2 * piece.len() as u64) {
            return Ok(Err(TooMuch::NoRoom(taken(length))));
        }
        pieces.push(piece);
    }
    Ok(Ok(joined(pieces, length)))
}

fn joined(mut pieces: Vec<Bytes>, length: usize) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(length);
    pieces.into_iter().for_each(|piece| whole.extend_from_slice(&piece));
    whole.freeze()
}

/// How many of `count` ids to ask for again, all of which want `wanted` bytes or more where there is room for `room`: as many
/// as fit if all rows are alike, and half of them at the most, since they are not.
fn fewer(count: usize, wanted: u64, room: u64) -> usize {
    let fit = u128::from(room) * count as u128 / u128::from(wanted.max(1));
    usize::try_from(fit).unwrap_or(count).min(count / 2).max(1)
}

/// How many rows there are, and their bytes.
pub(super) fn measured<'a>(found: impl IntoIterator<Item = &'a Found>) -> (usize, u64) {
    found.into_iter().flatten().fold((0, 0), |(count, bytes), row| (count + 1, bytes + row.size()))
}

/// What the cache is told of the answers to a query, under the leases that were taken before it was sent.
pub(super) fn fills(query: &Query, found: &[Option<Found>]) -> Vec<Fill> {
    let read = query.wanted.iter().zip(found);
    let leased = read.filter_map(|(one, found)| Some((one, one.lease.clone()?, found.as_ref()?)));
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
    fn what_was_too_much_is_asked_for_in_parts_that_fit() {
        let asked =
            [(1000, 100, 10), (1000, 100, 99), (1000, 100, 0), (3, 100, 50), (2, 0, 7), (10_000, u64::MAX, u64::MAX)];
        let again = asked.map(|(count, wanted, room)| fewer(count, wanted, room));
        assert_eq!(again, [100, 500, 1, 1, 1, 5000]);
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
