//! A connection that sends together what is written one after the other.
//!
//! h2 sends a request's head as soon as its connection's task runs, and the body when the request's own task has run: two
//! system calls here, and often two wakes of the replica, for a few dozen bytes. A [`Cork`] keeps small writes, and at the
//! first flush lets the other tasks of this thread run once: what they add goes along.
//!
//! It must never keep anything back for longer: the second flush sends, and what is large is never kept.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is kept at the most. More than that fills packets of its own.
const KEPT_MAX: usize = 16 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Cork<I> {
    inner: I,
    kept: BytesMut,
    /// The others have had their turn since the last byte was sent.
    yielded: bool,
}

impl<I> Cork<I> {
    pub(crate) fn new(inner: I) -> Self {
        Self { inner, kept: BytesMut::new(), yielded: false }
    }
}

impl<I: AsyncWrite + Unpin> Cork<I> {
    /// Sends what is kept.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.kept.has_remaining() {
            let sent = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.kept))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.kept.advance(sent);
        }
        self.yielded = false;
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Cork<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Cork<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        if self.kept.len() + bytes <= KEPT_MAX {
            pieces.iter().for_each(|piece| self.kept.extend_from_slice(piece));
            return Poll::Ready(Ok(bytes));
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.inner).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.kept.has_remaining() && !self.yielded {
            self.yielded = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin};

    use futures_util::poll;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    fn corked() -> (Cork<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(1024 * 1024);
        (Cork::new(near), far)
    }

    async fn arrived(far: &mut DuplexStream) -> Vec<u8> {
        let mut read = vec![0; 100 * 1024];
        let count = match poll!(pin!(far.read(&mut read))) {
            Poll::Ready(count) => count.unwrap(),
            Poll::Pending => 0,
        };
        read.truncate(count);
        read
    }

    #[tokio::test]
    async fn what_is_written_while_others_have_their_turn_goes_along() {
        let (mut near, mut far) = corked();
        near.write_all(b"head").await.unwrap();
        assert!(poll!(pin!(near.flush())).is_pending());
        assert_eq!(arrived(&mut far).await, b"");
        near.write_all(b", body").await.unwrap();
        assert!(poll!(pin!(near.flush())).is_ready());
        assert_eq!(arrived(&mut far).await, b"head, body");
        near.write_all(b"next").await.unwrap();
        assert!(poll!(pin!(near.flush())).is_pending(), "the next has its own turn");
        near.flush().await.unwrap();
        assert_eq!(arrived(&mut far).await, b"next");
    }

    #[tokio::test]
    async fn nothing_overtakes_and_what_is_large_is_not_kept() {
        let (mut near, mut far) = corked();
        near.write_all(b"small").await.unwrap();
        near.write_all(&vec![b'x'; KEPT_MAX]).await.unwrap();
        assert_eq!(arrived(&mut far).await, [b"small".as_slice(), &vec![b'x'; KEPT_MAX]].concat());
        poll_fn(|cx| {
            let pieces = [IoSlice::new(b"a"), IoSlice::new(b"b")];
            Pin::new(&mut near).poll_write_vectored(cx, &pieces)
        })
        .await
        .unwrap();
        near.shutdown().await.unwrap();
        assert_eq!(arrived(&mut far).await, b"ab");
    }

    /// A full socket takes part of it: the rest follows, and once.
    #[tokio::test]
    async fn what_the_socket_does_not_take_at_once_follows() {
        let (near, mut far) = duplex(10);
        let mut near = Cork::new(near);
        near.write_all(b"twenty-five bytes of text").await.unwrap();
        let mut read = [0; 25];
        let (flushed, all) = tokio::join!(near.flush(), far.read_exact(&mut read));
        assert!(flushed.is_ok() && all.is_ok());
        assert_eq!(&read, b"twenty-five bytes of text");
    }

    #[tokio::test]
    async fn a_socket_that_is_gone_is_an_error() {
        let (mut near, far) = corked();
        drop(far);
        near.write_all(b"x").await.unwrap();
        assert!(near.flush().await.is_err());
    }
}
