//! GET and HEAD of a blob.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS},
};
use layer_cache::{GetOutcome, Kind, LeaseToken, Lookup, Scope};

use super::{
    name::{self, Hash},
    stream::{BlobBody, Counts, Filling},
};
use crate::{
    body::Source,
    core::{Call, Core, Relayable},
    headers,
    refusal::Refusal,
};

/// What a blob's bytes are said to be: whatever they are, a browser must not guess.
pub(super) const OCTETS: &str = "application/octet-stream";
/// Where the answer came from.
const CACHE: HeaderName = HeaderName::from_static("x-layer-cache");
/// A blob never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

/// What the cache said.
struct Looked {
    /// The blob, checked.
    found: Option<Bytes>,
    lease: Option<(Scope, LeaseToken)>,
    from: &'static str,
}

impl Core {
    /// GET and HEAD /v1/namespaces/{namespace}/blobs/{sha256}
    pub(crate) async fn get_blob(
        &self,
        namespace: &str,
        sha256: &str,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let started = call.measured.started();
        let answered = self.found_blob(namespace, sha256, call, &request).await;
        let from = answered.as_ref().map_or("error", |answer| came_from(answer.headers()));
        let duration = &self.shared.blobs.observe.duration;
        duration.with_label_values(&["get", from]).observe(started.elapsed().as_secs_f64());
        answered
    }

    async fn found_blob(
        &self,
        namespace: &str,
        sha256: &str,
        call: &mut Call<'_>,
        request: &Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        self.known_good(call.deadline, request.headers(), super::SEVERAL).await?;
        let (namespace, hash) = (name::namespace(namespace)?, Hash::parse(sha256)?);
        let looked = self.look_up(&namespace, &hash, call.deadline).await;
        let from = looked.from;
        let bodiless = *request.method() == Method::HEAD || names(request.headers(), &hash);
        let (size, body) = match &looked.found {
            Some(bytes) => (bytes.len() as u64, Relayable::Whole(bytes.clone())),
            None if bodiless => {
                let key = name::key(&namespace, &hash);
                let size = self.at_store(call.deadline, self.store()?.head(&key)).await?.size;
                (size, Relayable::Whole(Bytes::new()))
            }
            None => self.streamed(&namespace, hash, looked.lease, call.deadline).await?,
        };
        if looked.found.is_some() && !bodiless {
            self.shared.blobs.observe.got_bytes.inc_by(size);
        }
        let status = if names(request.headers(), &hash) { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        call.measured.served(status);
        let body = if bodiless { Relayable::Whole(Bytes::new()) } else { body };
        Ok(answer(status, body, size, &hash, from, call.measured.started()))
    }

    /// Asks the cache; what it says is checked like everything.
    async fn look_up(&self, namespace: &str, hash: &Hash, deadline: Option<Instant>) -> Looked {
        let none = |from| Looked { found: None, lease: None, from };
        let usable = self.shared.settings.cache.enabled() && self.shared.settings.blobs.cache_bytes_max > 0;
        let scope = self.cache.documents(namespace).ok().filter(|_| usable).map(|scope| scope.of_kind(Kind::Blob));
        let (Some(scope), Some(key)) = (scope, hash.cache_key()) else { return none("miss") };
        let mut gotten = self.cache.get(&scope, &[key], deadline).await;
        let from = match gotten.outcome {
            GetOutcome::Answered => "miss",
            GetOutcome::Away(_) => "miss-on-error",
        };
        match gotten.lookups.pop() {
            Some(Lookup::Hit(body)) if Hash::of_bytes(&body.data) == *hash => {
                Looked { found: Some(body.data), lease: None, from: "hit" }
            }
            Some(Lookup::Hit(_)) => {
                self.shared.blobs.observe.corrupt_in_cache.inc();
                tracing::error!("a blob in the document cache does not have the hash that is its name: not served");
                none("miss")
            }
            Some(Lookup::Miss(Some(lease))) => Looked { found: None, lease: Some((scope, lease)), from },
            _ => none(from),
        }
    }

    /// Opens a blob in the store; with a copy for the cache on the way, where it takes it.
    async fn streamed(
        &self,
        namespace: &str,
        hash: Hash,
        lease: Option<(Scope, LeaseToken)>,
        deadline: Option<Instant>,
    ) -> Result<(u64, Relayable), Refusal> {
        let key = name::key(namespace, &hash);
        let object = self.at_store(deadline, self.store()?.get(&key, None)).await?;
        let size = object.meta.size;
        let observe = &self.shared.blobs.observe;
        if size == 0 && hash != Hash::of_bytes(b"") {
            // Nothing could be broken off of it.
            observe.corrupt_in_store.inc();
            return Err(Refusal::Upstream("the blob's bytes in the object store do not have its hash".to_owned()));
        }
        let filling = lease.and_then(|(scope, lease)| self.filling(scope, hash, lease, size));
        let counts = Counts { got_bytes: observe.got_bytes.clone(), corrupt: observe.corrupt_in_store.clone() };
        Ok((size, Relayable::Blob(Box::new(BlobBody::new(object.body, hash, filling, counts)))))
    }

    /// Room for a copy of a blob that is to go into the cache, where there is some.
    pub(super) fn filling(&self, scope: Scope, hash: Hash, lease: LeaseToken, size: u64) -> Option<Filling> {
        let mut share = self.shared.blobs.held.share();
        if size == 0 || size > self.shared.settings.blobs.cache_bytes_max || !share.grow_to(size) {
            return None;
        }
        let copy = BytesMut::with_capacity(usize::try_from(size).ok()?);
        Some(Filling { cache: self.cache.clone(), scope, key: hash.cache_key()?, lease, copy, share })
    }

    /// Reads a blob that was just put back from `bytes` into the cache, under a lease.
    pub(super) async fn warm(&self, namespace: &str, hash: Hash, bytes: &[u8], deadline: Option<Instant>) {
        let looked = self.look_up(namespace, &hash, deadline).await;
        let filling = looked.lease.and_then(|(scope, lease)| self.filling(scope, hash, lease, bytes.len() as u64));
        if let Some(mut filling) = filling {
            filling.copy.extend_from_slice(bytes);
            filling.fill();
        }
    }
}

/// Whether the caller has the blob already (RFC 9110, section 13.1.2: weak comparison).
fn names(headers: &HeaderMap, hash: &Hash) -> bool {
    let wanted = format!("\"{hash}\"");
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = tags.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == wanted)
}

fn came_from(headers: &HeaderMap) -> &str {
    headers.get(CACHE).and_then(|value| value.to_str().ok()).unwrap_or("error")
}

fn answer(
    status: StatusCode,
    body: Relayable,
    size: u64,
    hash: &Hash,
    from: &'static str,
    started: Instant,
) -> Response<Relayable> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{hash}\"")) {
        headers.insert(ETAG, tag);
    }
    if status == StatusCode::OK {
        headers.insert(CONTENT_LENGTH, size.into());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(OCTETS));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // A part of a blob has no hash that could be checked.
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
    }
    headers.insert(CACHE_CONTROL, FOR_EVER);
    headers.insert(CACHE, HeaderValue::from_static(from));
    headers::served_by_layer(headers);
    headers::timing(headers, started, None);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_has_the_blob_says_so_by_its_hash() {
        let hash = Hash::of_bytes(b"x");
        let sent = |value: &str| names(&HeaderMap::from_iter([(IF_NONE_MATCH, value.parse().unwrap())]), &hash);
        assert!(sent(&format!("\"{hash}\"")) && sent("*") && sent(&format!("\"a\", W/\"{hash}\"")));
        assert!(!sent("\"a\"") && !sent(&hash.to_string()) && !names(&HeaderMap::new(), &hash));
    }
}
