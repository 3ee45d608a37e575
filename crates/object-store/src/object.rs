//! What goes into an object store and comes out of it.

use std::{
    fmt,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream::BoxStream};
use tokio::time::{Sleep, sleep};

use crate::Error;

/// When a put takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Whatever is there.
    Always,
    /// Only where there is no such object (`If-None-Match: *`).
    Absent,
    /// Only where the object there has this etag (`If-Match`).
    Matches(&'a str),
}

/// What is known of an object without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Bytes of the whole object.
    pub size: u64,
    /// The version's name, opaque, without quotes; another one after every change.
    pub etag: String,
    /// When it was written, to the second.
    pub modified: SystemTime,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// What is known of it.
    pub meta: Meta,
}

/// A page of a listing, in the order of the keys' bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The objects.
    pub objects: Vec<Listed>,
    /// There are more behind the last one.
    pub more: bool,
}

/// A part of an object: `start` inclusive, `end` exclusive, or to the end of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// Byte behind the last one.
    pub end: Option<u64>,
}

impl ByteRange {
    /// What it covers of an object of `size` bytes.
    ///
    /// # Errors
    /// [`Error::Range`] where that is nothing.
    pub(crate) fn within(self, size: u64) -> Result<Range<u64>, Error> {
        let end = self.end.unwrap_or(size).min(size);
        if self.start < end { Ok(self.start..end) } else { Err(Error::Range { size }) }
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct Object {
    /// What is known of the whole object.
    pub meta: Meta,
    /// Which bytes of it `body` yields.
    pub range: Range<u64>,
    /// The bytes.
    pub body: ObjectBody,
}

/// The bytes of an object, as they come. Yields exactly as many as its object says, or an error.
pub struct ObjectBody {
    bytes: BoxStream<'static, Result<Bytes, Error>>,
    remaining: u64,
    stall: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl ObjectBody {
    /// Yields `remaining` bytes of `bytes`, which may stand still for `stall` at most.
    pub(crate) fn new(bytes: BoxStream<'static, Result<Bytes, Error>>, remaining: u64, stall: Duration) -> Self {
        Self { bytes, remaining, stall, timer: None }
    }

    /// Bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The rest, whole.
    ///
    /// # Errors
    /// [`Error::TooLarge`] where it is more than `max` bytes, else as the stream's.
    pub async fn collect(mut self, max: u64) -> Result<Bytes, Error> {
        if self.remaining > max {
            return Err(Error::TooLarge { max });
        }
        let mut whole = BytesMut::with_capacity(usize::try_from(self.remaining).unwrap_or_default());
        while let Some(bytes) = self.next().await {
            whole.extend_from_slice(&bytes?);
        }
        Ok(whole.freeze())
    }

    fn take(&mut self, bytes: Bytes) -> Option<Result<Bytes, Error>> {
        match self.remaining.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.remaining = left;
                Some(Ok(bytes))
            }
            None => Some(Err(Error::Unavailable("its answer is longer than it said".to_owned()))),
        }
    }
}

impl Stream for ObjectBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Poll::Ready(next) = this.bytes.poll_next_unpin(cx) else {
            let limit = this.stall;
            ready!(this.timer.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx));
            return Poll::Ready(Some(Err(Error::Timeout { limit })));
        };
        this.timer = None;
        Poll::Ready(match next {
            Some(Ok(bytes)) => this.take(bytes),
            None if this.remaining > 0 => Some(Err(Error::Truncated { missing: std::mem::take(&mut this.remaining) })),
            other => other,
        })
    }
}

impl fmt::Debug for ObjectBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBody").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn body(parts: &[&'static str], remaining: u64) -> ObjectBody {
        let parts: Vec<_> = parts.iter().map(|part| Ok(Bytes::from_static(part.as_bytes()))).collect();
        ObjectBody::new(stream::iter(parts).boxed(), remaining, Duration::from_secs(1))
    }

    #[tokio::test]
    async fn a_body_that_is_too_short_or_too_long_is_an_error() {
        assert_eq!(body(&["ab", "c"], 3).collect(3).await.unwrap(), "abc");
        assert!(matches!(body(&["ab"], 3).collect(3).await, Err(Error::Truncated { missing: 1 })));
        assert!(matches!(body(&["abcd"], 3).collect(3).await, Err(Error::Unavailable(_))));
        assert!(matches!(body(&["ab"], 2).collect(1).await, Err(Error::TooLarge { max: 1 })));
    }

    #[tokio::test]
    async fn a_body_that_stands_still_is_an_error() {
        let mut still = ObjectBody::new(stream::pending().boxed(), 1, Duration::from_millis(10));
        assert!(matches!(still.next().await, Some(Err(Error::Timeout { .. }))));
    }

    #[test]
    fn ranges_are_cut_to_the_object() {
        let range = |start, end| ByteRange { start, end }.within(10).ok();
        assert_eq!(range(0, None), Some(0..10));
        assert_eq!(range(3, Some(99)), Some(3..10));
        assert_eq!((range(10, None), range(4, Some(4)), range(5, Some(4))), (None, None, None));
    }
}
