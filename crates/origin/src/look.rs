//! A last look at a request before its bytes leave.
//!
//! A request may wait: for its turn, for a connection, in a process that was suspended. What may no longer be sent by then
//! must be found as late as possible: each time bytes are about to be written to the connection.

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::BoxError;

/// Says whether a request may leave. It is asked before each write, so it may say no after a part has left; then the
/// connection is broken off, and the origin never gets the rest.
#[derive(Clone)]
pub struct LastLook(Arc<dyn Fn() -> Result<(), BoxError> + Send + Sync>);

impl LastLook {
    /// Asks `may_leave`.
    pub fn new(may_leave: impl Fn() -> Result<(), BoxError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(may_leave))
    }

    pub(crate) fn pass(&self) -> io::Result<()> {
        (self.0)().map_err(io::Error::other)
    }
}

impl fmt::Debug for LastLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastLook")
    }
}

/// The look of the request that is on a connection. The lock is only ever taken by one worker's thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Looks(Arc<Mutex<Option<LastLook>>>);

impl Looks {
    /// The next request's.
    pub(crate) fn set(&self, look: Option<LastLook>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = look;
    }

    fn pass(&self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(Ok(()), LastLook::pass)
    }
}

/// A connection that asks before it writes.
#[derive(Debug)]
pub(crate) struct Looked<S> {
    inner: S,
    looks: Looks,
}

impl<S> Looked<S> {
    pub(crate) fn new(inner: S, looks: Looks) -> Self {
        Self { inner, looks }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Looked<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Looked<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.looks.pass()?;
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.looks.pass()?;
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
