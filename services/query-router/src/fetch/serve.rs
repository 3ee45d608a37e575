//! Fetches over HTTP.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::{
    Carried,
    batch::{Batch, PATIENCE},
    failure::Failure,
    held::SMALL_BYTES,
    json::{JsonBatch, keeping},
    observe::{Operation, Went},
    origin::OriginReader,
    place::Place,
    read::{Kept, Origin, Read, Room, Way},
    request::{BODY_BYTES_MAX, Fetch},
};
use crate::{
    body::Source,
    core::{Call, Core, Relayable},
    headers,
    refusal::Refusal,
    scale::Met,
    settings::AuthMode,
};

/// Where a fetched answer came from.
const CACHE: HeaderName = HeaderName::from_static("x-layer-cache");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A fetch in typed form, as an extension of a request: the gRPC front has read and checked it already.
#[derive(Debug, Clone)]
pub struct Typed(pub Arc<Fetch>, pub Operation);

impl Core {
    /// One document: GET /v2/namespaces/{namespace}/documents/{id}
    pub(crate) async fn fetch_one(
        &self,
        namespace: &str,
        id: &str,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let fetch = Fetch::one(id, request.uri().query())?;
        let place = self.place(namespace, request.headers());
        let went = self.begins(&place, Operation::Single, &fetch, call);
        let read = match self.read_single(&place, &fetch, self.until(call)).await {
            Ok(read) => read,
            Err(failure) => return self.fails(&place, went, call, failure),
        };
        self.ends(&place, went, fetch.strong, read.from);
        let found = read.found.into_iter().next().flatten();
        let (status, body) = match &found {
            Some(row) => (StatusCode::OK, kept(row.show(&fetch.include), read.kept)),
            None => (StatusCode::NOT_FOUND, absent(namespace)),
        };
        if read.from == Origin::Hit {
            self.verify(&place, &fetch.ids[0], found);
        }
        call.measured.served(status);
        Ok(answer(status, Relayable::Whole(body), read.from, call.measured.started(), read.asked_origin))
    }

    async fn read_single(&self, place: &Arc<Place>, fetch: &Fetch, until: Instant) -> Result<Read, Failure> {
        let (reader, held) = (self.reader(), &self.shared.fetch.held);
        let read = reader.read_within(place, &fetch.ids, fetch.strong, until, Room::single(held), Way::Joined).await;
        let Err(Failure::Held { wanted, .. }) = read else { return read };
        let patience = until.min(Instant::now() + PATIENCE);
        reader.read_patiently(place, &fetch.ids[0], fetch.strong, (until, patience), wanted).await
    }

    /// Many documents: POST /v2/namespaces/{namespace}/documents
    pub(crate) async fn fetch_many(
        &self,
        namespace: &str,
        call: &mut Call<'_>,
        mut request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let place = self.place(namespace, request.headers());
        let typed = request.extensions_mut().remove::<Typed>();
        let (fetch, operation, carry) = match typed {
            Some(Typed(fetch, operation)) => (fetch, operation, true),
            None => {
                let (_, body) = self.whole_body(call, request, BODY_BYTES_MAX).await?;
                (Arc::new(Fetch::many(&body)?), Operation::Batch, false)
            }
        };
        let went = self.begins(&place, operation, &fetch, call);
        let strong = fetch.strong;
        let batch = match Batch::begin(self.reader(), Arc::clone(&place), fetch, self.until(call)).await {
            Ok(batch) => batch,
            Err(failure) => return self.fails(&place, went, call, failure),
        };
        let (from, asked_origin) = (batch.from(), batch.asked_origin);
        self.ends(&place, went, strong, from);
        let body = match carry {
            true => Relayable::Carried(Carried::new(batch)),
            false if batch.is_small() => Relayable::Whole(JsonBatch::new(batch).whole()),
            false => Relayable::Batch(Box::new(JsonBatch::new(batch))),
        };
        call.measured.served(StatusCode::OK);
        Ok(answer(StatusCode::OK, body, from, call.measured.started(), asked_origin))
    }

    /// Reads documents for whoever needs them: it takes leases from the cache, reads the origin and fills.
    pub(crate) fn reader(&self) -> OriginReader {
        OriginReader { shared: Arc::clone(&self.shared), client: self.client.clone(), cache: self.cache.clone() }
    }

    /// Where a caller's documents are. Keys of the cache are one tenant's, whoever asks: were there one tenant for each
    /// key that callers bring, a write with one of them would leave an old row for another. So where callers bring keys
    /// of their own, nothing is cached unless all of them are known to be of one organisation.
    pub(crate) fn place(&self, namespace: &str, headers: &HeaderMap) -> Arc<Place> {
        let settings = &self.shared.settings;
        let by_key = settings.auth.mode == AuthMode::PassThrough;
        let cached = settings.cache.enabled() && (!by_key || settings.auth.single_organisation);
        let name = percent_decode_str(namespace).decode_utf8();
        let name = name.ok().filter(|name| cached && is_name(name));
        let policy = name.as_ref().map(|name| self.shared.coherence.policy(name));
        let scope = name.filter(|_| policy.is_some_and(|policy| policy.enabled));
        Arc::new(Place {
            namespace: namespace.to_owned(),
            authorization: headers.get(AUTHORIZATION).cloned(),
            by_key,
            scope: scope.and_then(|name| self.cache.documents(&name).ok()),
            ttl: policy.and_then(|policy| policy.ttl),
        })
    }

    fn until(&self, call: &Call<'_>) -> Instant {
        let patience = Duration::from_millis(self.shared.settings.limits.request_timeout_ms);
        call.deadline.unwrap_or_else(|| call.measured.started() + patience)
    }

    fn begins(&self, place: &Place, operation: Operation, fetch: &Fetch, call: &Call<'_>) -> Went {
        if place.scope.is_some() && !fetch.strong {
            self.shared.scale.wanted(&place.namespace);
        }
        Went { operation, began: call.measured.started(), ids: fetch.ids.len(), cache_result: None }
    }

    fn ends(&self, place: &Arc<Place>, mut went: Went, strong: bool, from: Origin) {
        went.cache_result = Some(from.name());
        self.shared.fetch.observe.went(&place.namespace, went);
        if place.scope.is_some() && !strong {
            let met = match from {
                Origin::Hit => Met::Served,
                Origin::Miss => Met::Missed,
                Origin::MissOnError => Met::Away,
            };
            self.shared.scale.met(&place.namespace, true, met);
            if met == Met::Missed {
                self.shared.warm.missed(place);
            }
        }
    }

    /// The origin's own answer where it gave one, Layer's where not.
    fn fails(
        &self,
        place: &Place,
        went: Went,
        call: &mut Call<'_>,
        failure: Failure,
    ) -> Result<Response<Relayable>, Refusal> {
        self.shared.fetch.observe.went(&place.namespace, went);
        let told = failure.into_answer()?;
        call.measured.told(told.status());
        Ok(told.map(Relayable::Whole))
    }
}

/// A large document keeps its room until it was sent; a small one is as good as sent.
fn kept(shown: Bytes, kept: Kept) -> Bytes {
    if (shown.len() as u64) < SMALL_BYTES { shown } else { keeping(shown, kept) }
}

fn answer(
    status: StatusCode,
    body: Relayable,
    from: Origin,
    started: Instant,
    asked_origin: Option<Instant>,
) -> Response<Relayable> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE, HeaderValue::from_static(from.name()));
    headers::served_by_layer(headers);
    headers::timing(headers, started, asked_origin);
    response
}

/// What is said of a document that is not there.
pub fn absent(namespace: &str) -> Bytes {
    let name = percent_decode_str(namespace).decode_utf8_lossy();
    json!({"error": "not_found", "message": format!("namespace `{name}` has no document with this id")})
        .to_string()
        .into()
}

/// What the origin takes for a namespace's name; of others nothing is cached.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=layer_cache::NAMESPACE_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}
