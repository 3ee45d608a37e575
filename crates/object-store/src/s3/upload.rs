//! An object in the course of being sent in parts.
//!
//! A part is sent while the next one gathers, so that an upload holds two of them. What fits one part is sent as a plain
//! put. An upload that ends without `finish` is aborted in the background; should that fail too, or the process die, the
//! bucket's lifecycle rule (`AbortIncompleteMultipartUpload`) is what clears the parts: the operations page asks for it.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::task::JoinHandle;

use super::{Bucket, headers, written};
use crate::{Condition, Error, Meta};

/// S3's own bound on parts.
const PARTS_MAX: i32 = 10_000;
/// The largest object that a server copies in one call.
const COPY_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// What a copy's source may hold unencoded.
const SOURCE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// An upload.
#[derive(Debug)]
pub(crate) struct Upload {
    bucket: Arc<Bucket>,
    /// Where the parts gather.
    staging: String,
    gathered: BytesMut,
    size: u64,
    begun: Option<Begun>,
}

/// A multipart upload that the server knows of; aborted when dropped, unless it was completed.
#[derive(Debug)]
struct Begun {
    bucket: Arc<Bucket>,
    staging: String,
    id: String,
    parts: Vec<CompletedPart>,
    sending: Option<JoinHandle<Result<CompletedPart, Error>>>,
    completed: bool,
}

impl Upload {
    pub(super) fn new(bucket: Arc<Bucket>, staging: String) -> Self {
        Self { bucket, staging, gathered: BytesMut::new(), size: 0, begun: None }
    }

    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = self.bucket.part_bytes - self.gathered.len();
            self.gathered.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            // The last part stays here, so that an object of one part needs no multipart upload.
            if self.gathered.len() == self.bucket.part_bytes && !bytes.is_empty() {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), Error> {
        // At its full size at once: growing would copy, and hold twice as much.
        let next = BytesMut::with_capacity(self.bucket.part_bytes);
        let part = std::mem::replace(&mut self.gathered, next).freeze();
        let begun = match &mut self.begun {
            Some(begun) => begun,
            None => self.begun.insert(Begun::new(&self.bucket, &self.staging).await?),
        };
        begun.send(part).await
    }

    pub(crate) async fn finish(mut self, key: &str, condition: Condition<'_>) -> Result<Meta, Error> {
        if self.begun.is_none() {
            return self.bucket.put(key, self.gathered.split().freeze(), condition).await;
        }
        self.send_part().await?;
        let Some(begun) = self.begun.take() else { return Err(Error::Unavailable("the upload is gone".to_owned())) };
        if self.bucket.key(key) == self.staging {
            return begun.complete(condition).await.map(|etag| written(self.size, etag.as_deref()));
        }
        if self.size > COPY_BYTES_MAX {
            return Err(Error::TooLarge { max: COPY_BYTES_MAX });
        }
        begun.complete(Condition::Always).await?;
        let copied = self.copy(key, condition).await;
        let staged = self.bucket.client.delete_object().bucket(&self.bucket.bucket).key(&self.staging).send().await;
        if let Err(error) = staged.map_err(|error| self.bucket.limits.error(error)) {
            tracing::warn!(%error, "an upload's staging object could not be removed; the bucket's lifecycle rule will");
        }
        copied.map(|etag| written(self.size, etag.as_deref()))
    }

    async fn copy(&self, key: &str, condition: Condition<'_>) -> Result<Option<String>, Error> {
        let bucket = &self.bucket;
        let source = format!("{}/{}", bucket.bucket, utf8_percent_encode(&self.staging, SOURCE));
        let (if_match, if_none_match) = headers(condition);
        let call = bucket.client.copy_object().bucket(&bucket.bucket).key(bucket.key(key)).copy_source(source);
        let sent = call.set_if_match(if_match).set_if_none_match(if_none_match).send().await;
        let copied = sent.map_err(|error| bucket.limits.error(error).of_put(condition))?;
        Ok(copied.copy_object_result().and_then(|result| result.e_tag()).map(str::to_owned))
    }
}

impl Begun {
    async fn new(bucket: &Arc<Bucket>, staging: &str) -> Result<Self, Error> {
        let sent = bucket.client.create_multipart_upload().bucket(&bucket.bucket).key(staging).send().await;
        let made = sent.map_err(|error| bucket.limits.error(error))?;
        let id = made.upload_id().ok_or_else(|| Error::Refused("it names no upload".to_owned()))?.to_owned();
        let (bucket, staging) = (Arc::clone(bucket), staging.to_owned());
        Ok(Self { bucket, staging, id, parts: Vec::new(), sending: None, completed: false })
    }

    /// Sends a part in the background, once the one before has arrived.
    async fn send(&mut self, part: Bytes) -> Result<(), Error> {
        self.arrived().await?;
        let number = i32::try_from(self.parts.len()).unwrap_or(i32::MAX).saturating_add(1);
        if number > PARTS_MAX {
            return Err(Error::TooLarge { max: u64::from(PARTS_MAX.unsigned_abs()) * self.bucket.part_bytes as u64 });
        }
        let call = self.bucket.client.upload_part().bucket(&self.bucket.bucket).key(&self.staging);
        let call = call.upload_id(&self.id).part_number(number).body(ByteStream::from(part));
        let limits = self.bucket.limits;
        self.sending = Some(tokio::spawn(async move {
            let sent = call.send().await.map_err(|error| limits.error(error))?;
            Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag().map(str::to_owned)).build())
        }));
        Ok(())
    }

    async fn arrived(&mut self) -> Result<(), Error> {
        if let Some(sending) = &mut self.sending {
            let sent = sending.await;
            self.sending = None;
            self.parts.push(sent.map_err(|stopped| Error::Unavailable(stopped.to_string()))??);
        }
        Ok(())
    }

    async fn complete(mut self, condition: Condition<'_>) -> Result<Option<String>, Error> {
        self.arrived().await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
        let (if_match, if_none_match) = headers(condition);
        let call = self.bucket.client.complete_multipart_upload().bucket(&self.bucket.bucket).key(&self.staging);
        let call = call.upload_id(&self.id).multipart_upload(parts);
        let sent = call.set_if_match(if_match).set_if_none_match(if_none_match).send().await;
        let stored = sent.map_err(|error| self.bucket.limits.error(error).of_put(condition))?;
        self.completed = true;
        Ok(stored.e_tag().map(str::to_owned))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(sending) = self.sending.take() {
            sending.abort();
        }
        let runtime = tokio::runtime::Handle::try_current();
        if let (false, Ok(runtime)) = (self.completed, runtime) {
            let call = self.bucket.client.abort_multipart_upload().bucket(&self.bucket.bucket);
            let (call, limits) = (call.key(&self.staging).upload_id(&self.id), self.bucket.limits);
            runtime.spawn(async move {
                if let Err(error) = call.send().await.map_err(|error| limits.error(error)) {
                    tracing::warn!(%error, "an upload could not be aborted; the bucket's lifecycle rule will");
                }
            });
        }
    }
}
