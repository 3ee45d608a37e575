//! PUT of a blob.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use layer_object_store::{Condition, Error, ObjectStore, Upload};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::name::{self, Hash};
use crate::{
    body::{Share, Source},
    core::{Call, Core, Relayable},
    headers,
    refusal::Refusal,
    wait::within,
};

/// What came of a body that was read to its end.
struct Read {
    hash: Hash,
    size: u64,
    upload: Upload,
    copy: Option<Copy>,
}

/// A blob for the cache, as long as it is small enough.
struct Copy {
    bytes: BytesMut,
    share: Share,
}

impl Core {
    /// PUT /v1/namespaces/{namespace}/blobs
    pub(crate) async fn put_blob(
        &self,
        namespace: &str,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let started = call.measured.started();
        let answered = self.stored_blob(namespace, call, request).await;
        let result = match &answered {
            Ok(answer) if answer.status() == StatusCode::CREATED => "new",
            Ok(_) => "known",
            Err(_) => "error",
        };
        let duration = &self.shared.blobs.observe.duration;
        duration.with_label_values(&["put", result]).observe(started.elapsed().as_secs_f64());
        answered
    }

    async fn stored_blob(
        &self,
        namespace: &str,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        self.known_good(call.deadline, request.headers(), super::SEVERAL).await?;
        let namespace = name::namespace(namespace)?;
        let warm = wants_warm(request.uri().query())?;
        self.check_head(&request)?;
        let read = within(call.deadline, self.read_blob(request.into_body(), warm)).await??;
        let (hash, size) = (read.hash, read.size);
        let new = self.at_store(call.deadline, publish(self.store()?, &namespace, read.upload, hash, size)).await?;
        self.shared.blobs.observe.put_bytes.inc_by(size);
        if let Some(copy) = read.copy {
            // Makes room for the fill's own share.
            drop(copy.share);
            self.warm(&namespace, hash, &copy.bytes, call.deadline).await;
        }
        let status = if new { StatusCode::CREATED } else { StatusCode::OK };
        call.measured.served(status);
        let body = json!({"ref": hash.reference(), "sha256": hash.to_string(), "size": size}).to_string();
        let mut response = Response::new(Relayable::Whole(Bytes::from(body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers::served_by_layer(headers);
        headers::timing(headers, call.measured.started(), None);
        Ok(response)
    }

    /// What can be refused before the first byte is read.
    fn check_head(&self, request: &Request<Source>) -> Result<(), Refusal> {
        let encoding = request.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default().trim());
        if let Some(encoding) = encoding.filter(|name| !matches!(*name, "" | "identity")) {
            // A blob is the bytes that were sent; what they are is the caller's business.
            let reason = format!("header `content-encoding`: must not be set for a blob, and is `{encoding:.64}`");
            return Err(Refusal::Invalid(reason));
        }
        let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        self.check_size(length.unwrap_or_default())
    }

    fn check_size(&self, size: u64) -> Result<(), Refusal> {
        let limit = self.shared.settings.blobs.bytes_max;
        if size > limit { Err(Refusal::BlobTooLarge { limit }) } else { Ok(()) }
    }

    /// Reads a body into an upload that has no name yet. Whatever goes wrong, the upload goes.
    async fn read_blob(&self, mut source: Source, warm: bool) -> Result<Read, Refusal> {
        let mut upload = self.store()?.upload(&name::staging())?;
        let mut copy = warm.then(|| Copy { bytes: BytesMut::new(), share: self.shared.blobs.held.share() });
        let progress = source.progress();
        let (mut hasher, mut size) = (Sha256::new(), 0);
        while let Some(piece) = poll_fn(|cx| source.poll_piece(cx)).await {
            let piece = piece?;
            size += piece.len() as u64;
            self.check_size(size)?;
            hasher.update(&piece);
            copy = copy.and_then(|copy| self.copied(copy, &piece, size));
            upload.write(piece).await?;
        }
        match progress.fault() {
            Some(fault) => Err(fault.into()),
            None => Ok(Read { hash: Hash::of(hasher), size, upload, copy }),
        }
    }

    fn copied(&self, mut copy: Copy, piece: &[u8], size: u64) -> Option<Copy> {
        if size > self.shared.settings.blobs.cache_bytes_max || !copy.share.grow_to(size) {
            return None;
        }
        copy.bytes.extend_from_slice(piece);
        Some(copy)
    }
}

/// Gives an upload its name; false where the store has the blob already. One of another size is none: it is replaced.
async fn publish(store: &ObjectStore, namespace: &str, upload: Upload, hash: Hash, size: u64) -> Result<bool, Error> {
    let key = name::key(namespace, &hash);
    let condition = match store.head(&key).await {
        Ok(known) if known.size == size => return Ok(false),
        Ok(_) => Condition::Always,
        Err(Error::NotFound) => Condition::Absent,
        Err(error) => return Err(error),
    };
    match upload.finish(&key, condition).await {
        Ok(_) => Ok(true),
        // Somebody else put the same bytes meanwhile.
        Err(Error::Precondition) => Ok(false),
        Err(error) => Err(error),
    }
}

/// `?warm=true`
fn wants_warm(query: Option<&str>) -> Result<bool, Refusal> {
    let mut warm = false;
    for pair in query.unwrap_or_default().split('&') {
        warm = match pair.split_once('=').unwrap_or((pair, "true")) {
            ("warm", "true" | "1") => true,
            ("warm", "false" | "0") => false,
            ("warm", _) => return Err(Refusal::Invalid("warm: must be true or false".to_owned())),
            _ => warm,
        };
    }
    Ok(warm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_is_true_or_false() {
        for (query, warm) in
            [(None, false), (Some("warm=true"), true), (Some("a=1&warm"), true), (Some("warm=0"), false)]
        {
            assert_eq!(wants_warm(query).unwrap(), warm, "{query:?}");
        }
        assert!(wants_warm(Some("warm=yes")).unwrap_err().to_string().contains("warm"));
    }
}
