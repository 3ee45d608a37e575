//! Objects in a bucket of S3, or of a server that speaks its protocol.
//!
//! The SDK signs, retries and parses. What it is told here: our TLS, our deadlines, our retry budget, and to send
//! checksums only where the protocol demands them, because other servers than AWS's do not all know the newer ones; bodies
//! are covered by the signature's own hash (`x-amz-content-sha256`).

mod client;
mod error;
mod upload;

use aws_sdk_s3::{
    Client,
    operation::{get_object::builders::GetObjectFluentBuilder, put_object::builders::PutObjectFluentBuilder},
    primitives::{ByteStream, DateTime},
    types::{EncodingType, Object as ListedObject},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use layer_service::config::ConfigError;
use percent_encoding::percent_decode_str;
use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{ByteRange, Condition, Error, Listed, Meta, Object, ObjectBody, ObjectStoreSettings, Page};
use client::Connector;
use error::Limits;

pub(crate) use upload::Upload;

/// Keys that one call lists at the most: S3's own limit.
const LIST_MAX: usize = 1000;

/// A bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    connector: Connector,
    client: Client,
    bucket: String,
    prefix: String,
    part_bytes: usize,
    limits: Limits,
}

impl Bucket {
    /// Prepares to call the bucket; nothing is sent yet.
    ///
    /// # Errors
    /// [`ConfigError`] where the authorities cannot be read.
    pub(crate) async fn open(settings: &ObjectStoreSettings) -> Result<Self, ConfigError> {
        let bucket = settings.bucket.clone().ok_or_else(|| ConfigError::invalid("object_store.bucket", "is needed"))?;
        let connector = Connector::new(settings).await?;
        Ok(Self {
            client: connector.connect(),
            connector,
            bucket,
            prefix: settings.prefix.clone(),
            part_bytes: usize::try_from(settings.part_bytes).unwrap_or(usize::MAX),
            limits: Limits { operation: settings.operation_timeout(), stall: settings.stall_timeout() },
        })
    }

    /// The same bucket over connections of its own.
    pub(crate) fn reconnected(&self) -> Self {
        Self { client: self.connector.connect(), ..self.clone() }
    }

    fn key(&self, key: &str) -> String {
        [&self.prefix, key].concat()
    }

    pub(crate) async fn put(&self, key: &str, body: Bytes, condition: Condition<'_>) -> Result<Meta, Error> {
        let size = body.len() as u64;
        let call = self.client.put_object().bucket(&self.bucket).key(self.key(key)).body(ByteStream::from(body));
        let sent = conditional(call, condition).send().await;
        let stored = sent.map_err(|error| self.limits.error(error).of_put(condition))?;
        Ok(written(size, stored.e_tag()))
    }

    pub(crate) fn upload(self: &Arc<Self>, staging: &str) -> Upload {
        Upload::new(Arc::clone(self), self.key(staging))
    }

    pub(crate) async fn head(&self, key: &str) -> Result<Meta, Error> {
        let sent = self.client.head_object().bucket(&self.bucket).key(self.key(key)).send().await;
        let found = sent.map_err(|error| self.limits.error(error))?;
        Ok(meta(found.content_length(), found.e_tag(), found.last_modified()))
    }

    pub(crate) async fn get(&self, key: &str, range: Option<ByteRange>) -> Result<Object, Error> {
        if range.is_some_and(|range| range.end.is_some_and(|end| end <= range.start)) {
            // HTTP cannot ask for nothing; a server would give the whole.
            return Err(Error::Range { size: 0 });
        }
        let call = self.client.get_object().bucket(&self.bucket).key(self.key(key));
        let sent = ranged(call, range).send().await;
        let found = sent.map_err(|error| self.limits.error(error))?;
        let length = u64::try_from(found.content_length().unwrap_or_default()).unwrap_or_default();
        let (covered, size) = covered(found.content_range(), length);
        if covered.start != range.map_or(0, |range| range.start) {
            return Err(Error::Unavailable("it answered with another range".to_owned()));
        }
        let size_signed = i64::try_from(size).ok();
        let meta = meta(size_signed, found.e_tag(), found.last_modified());
        let bytes = stream::try_unfold(found.body, |mut body| async move {
            match body.next().await {
                Some(Ok(bytes)) => Ok(Some((bytes, body))),
                Some(Err(error)) => Err(Error::Unavailable(error::chain(&error))),
                None => Ok(None),
            }
        });
        Ok(Object { meta, range: covered, body: ObjectBody::new(bytes.boxed(), length, self.limits.stall) })
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        let sent = self.client.delete_object().bucket(&self.bucket).key(self.key(key)).send().await;
        match sent.map_err(|error| self.limits.error(error)) {
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, Error> {
        let limit = limit.min(LIST_MAX);
        let call = self.client.list_objects_v2().bucket(&self.bucket).prefix(self.key(prefix));
        // The answer is XML, which cannot hold every character.
        let call = call.encoding_type(EncodingType::Url).max_keys(i32::try_from(limit).unwrap_or(i32::MAX));
        let sent = call.set_start_after(after.map(|after| self.key(after))).send().await;
        let page = sent.map_err(|error| self.limits.error(error))?;
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        let objects = page.contents().iter().filter_map(|object| self.listed(object, encoded)).collect();
        Ok(Page { objects, more: page.is_truncated().unwrap_or_default() })
    }

    fn listed(&self, object: &ListedObject, encoded: bool) -> Option<Listed> {
        let key = match encoded {
            // S3 writes a space as plus, and a plus as %2B.
            true => percent_decode_str(&object.key()?.replace('+', "%20")).decode_utf8().ok()?.into_owned(),
            false => object.key()?.to_owned(),
        };
        let key = key.strip_prefix(&self.prefix)?.to_owned();
        Some(Listed { key, meta: meta(object.size(), object.e_tag(), object.last_modified()) })
    }
}

fn conditional(call: PutObjectFluentBuilder, condition: Condition<'_>) -> PutObjectFluentBuilder {
    let (if_match, if_none_match) = headers(condition);
    call.set_if_match(if_match).set_if_none_match(if_none_match)
}

/// `If-Match` and `If-None-Match`.
fn headers(condition: Condition<'_>) -> (Option<String>, Option<String>) {
    match condition {
        Condition::Always => (None, None),
        Condition::Absent => (None, Some("*".to_owned())),
        Condition::Matches(etag) => (Some(format!("\"{etag}\"")), None),
    }
}

fn ranged(call: GetObjectFluentBuilder, range: Option<ByteRange>) -> GetObjectFluentBuilder {
    match range {
        None => call,
        Some(ByteRange { start, end: None }) => call.range(format!("bytes={start}-")),
        Some(ByteRange { start, end: Some(end) }) => call.range(format!("bytes={start}-{}", end - 1)),
    }
}

/// What an answer of `length` bytes covers, and the whole object's size, by its `Content-Range`.
fn covered(header: Option<&str>, length: u64) -> (Range<u64>, u64) {
    let parsed = header.and_then(|header| {
        let (range, size) = header.strip_prefix("bytes ")?.split_once('/')?;
        Some((range.split_once('-')?.0.parse::<u64>().ok()?, size.parse::<u64>().ok()?))
    });
    parsed.map_or((0..length, length), |(start, size)| (start..start + length, size))
}

fn meta(size: Option<i64>, etag: Option<&str>, modified: Option<&DateTime>) -> Meta {
    let since = modified.and_then(|time| u64::try_from(time.secs()).ok()).unwrap_or_default();
    Meta {
        size: size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        etag: unquoted(etag),
        modified: SystemTime::UNIX_EPOCH + Duration::from_secs(since),
    }
}

/// Of an object that was written just now: the answer to a put does not tell its time.
fn written(size: u64, etag: Option<&str>) -> Meta {
    Meta { size, etag: unquoted(etag), modified: SystemTime::now() }
}

fn unquoted(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_range_is_read() {
        assert_eq!(covered(Some("bytes 2-4/10"), 3), (2..5, 10));
        assert_eq!(covered(None, 3), (0..3, 3));
        assert_eq!(covered(Some("garbage"), 3), (0..3, 3));
    }
}
