//! Sending a request to the origin.

use std::{sync::Arc, time::Duration};

use http::{Request, Response, Version, header::HOST, uri::PathAndQuery};
use hyper::{
    body::{Body, Incoming},
    client::conn::http2,
};
use rustls::ClientConfig;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use crate::{
    BoxError, Error, LastLook, OriginBody, Target,
    connect::{Stream, connect},
    h1::{H1, Unsent},
    h2::{self, streams_max},
    pool::{Pool, Pooled, sweep},
};

/// Which HTTP the origin is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, also over TLS.
    Http1,
    /// What the TLS handshake agrees on; HTTP/1.1 over plain text.
    Negotiated,
    /// HTTP/2, also over plain text (prior knowledge).
    Http2,
}

/// How the origin is reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it is.
    pub target: Target,
    /// Which HTTP it speaks.
    pub protocol: Protocol,
    /// For `https` targets; its ALPN list should agree with `protocol`.
    pub tls: Option<Arc<ClientConfig>>,
    /// HTTP/1.1 connections of this client at the most, in use and being opened; on HTTP/2, requests in flight.
    pub connections_max: usize,
    /// Time for name look-up, connect and TLS handshake.
    pub connect_timeout: Duration,
    /// Time to wait for a connection when all are in use.
    pub queue_timeout: Duration,
    /// Idle connections are closed after this time; below the origin's own, so that requests do not meet closed ones.
    pub idle_timeout: Duration,
}

/// A worker's client. Clones share the pool.
pub struct Client<B: Body + 'static> {
    pool: Arc<Pool<B>>,
    options: Arc<Options>,
}

impl<B: Body + 'static> Clone for Client<B> {
    fn clone(&self) -> Self {
        Self { pool: Arc::clone(&self.pool), options: Arc::clone(&self.options) }
    }
}

impl<B> Client<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// A client with an empty pool. Call it inside the runtime that will send.
    pub fn new(options: Arc<Options>) -> Self {
        let places = match options.protocol {
            Protocol::Http1 => options.connections_max,
            _ => options.connections_max.min(streams_max()),
        };
        let pool = Pool::new(places, options.idle_timeout);
        tokio::spawn(sweep(Arc::downgrade(&pool)));
        Self { pool, options }
    }

    /// Where it sends to.
    pub fn target(&self) -> &Target {
        &self.options.target
    }

    /// Sends `request`, whose URI is the path and query that came to the router, and returns when the answer's head is
    /// there. Sets `host`; everything else goes as it is. Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`Error`]; after any but [`Error::Broken`] nothing had been sent, so the origin cannot have acted on it.
    pub async fn send(&self, request: Request<B>) -> Result<Response<OriginBody<B>>, Error> {
        self.send_looked(request, None).await
    }

    /// The same for a request that may leave only as long as `look` allows it. On HTTP/2, where requests share what is
    /// written, it is asked once, before the head.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_looked(
        &self,
        mut request: Request<B>,
        look: Option<LastLook>,
    ) -> Result<Response<OriginBody<B>>, Error> {
        if let Some(uri) = self.options.target.local(request.uri()) {
            *request.uri_mut() = uri;
        }
        let permit = self.place().await?;
        if let Some(mut shared) = self.pool.shared()
            && shared.ready().await.is_ok()
        {
            return Box::pin(self.send_h2(shared, request, look, permit)).await;
        }
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().insert(HOST, self.options.target.authority.clone());
        while let Some(idle) = self.pool.take() {
            match self.send_h1(idle, request, look.clone()).await {
                Ok((response, connection)) => return Ok(self.lend(response, connection, permit)),
                Err(Unsent::Failed(error)) => return Err(error),
                Err(Unsent::Request(back)) => request = *back,
            }
        }
        // Boxed, since rare: the future of every call is as large as the largest of its branches.
        Box::pin(self.send_new(request, look, permit)).await
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        let places = Arc::clone(self.pool.places());
        if let Ok(permit) = Arc::clone(&places).try_acquire_owned() {
            return Ok(permit);
        }
        match timeout(self.options.queue_timeout, places.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::Saturated { limit: self.options.connections_max }),
        }
    }

    async fn send_new(
        &self,
        request: Request<B>,
        look: Option<LastLook>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response<OriginBody<B>>, Error> {
        let stream = connect(&self.options.target, self.options.tls.as_ref(), self.options.connect_timeout).await?;
        if self.speaks_h2(&stream) {
            let mut shared = h2::start(stream).await?;
            self.pool.share(shared.clone());
            shared.ready().await.map_err(Error::Broken)?;
            return self.send_h2(shared, request, look, permit).await;
        }
        match self.send_h1(H1::start(stream).await?, request, look).await {
            Ok((response, connection)) => Ok(self.lend(response, connection, permit)),
            Err(Unsent::Failed(error)) => Err(error),
            Err(Unsent::Request(_)) => Err(self.closed()),
        }
    }

    fn speaks_h2(&self, stream: &Stream) -> bool {
        match self.options.protocol {
            Protocol::Http1 => false,
            Protocol::Negotiated => stream.negotiated_h2(),
            Protocol::Http2 => true,
        }
    }

    fn closed(&self) -> Error {
        let reason = "it closed a new connection at once".to_owned();
        Error::Connect { address: self.options.target.address(), reason }
    }

    async fn send_h1(
        &self,
        mut connection: H1<B>,
        request: Request<B>,
        look: Option<LastLook>,
    ) -> Result<(Response<Incoming>, H1<B>), Unsent<B>> {
        let response = connection.send(request, look).await?;
        Ok((response, connection))
    }

    fn lend(
        &self,
        response: Response<Incoming>,
        connection: H1<B>,
        permit: OwnedSemaphorePermit,
    ) -> Response<OriginBody<B>> {
        let pool = Arc::clone(&self.pool);
        response.map(|incoming| OriginBody::lent(incoming, Pooled { connection, permit }, pool))
    }

    async fn send_h2(
        &self,
        mut shared: http2::SendRequest<B>,
        mut request: Request<B>,
        look: Option<LastLook>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response<OriginBody<B>>, Error> {
        look.map_or(Ok(()), |look| look.pass()).map_err(Error::Withheld)?;
        request.headers_mut().remove(HOST);
        *request.version_mut() = Version::HTTP_2;
        let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = self.options.target.absolute(path).map_err(|_| self.closed())?;
        let response = shared.send_request(request).await.map_err(Error::Broken)?;
        Ok(response.map(|incoming| OriginBody::shared(incoming, permit)))
    }
}
