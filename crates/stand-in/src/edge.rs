//! The edge of the wire: what a caller sees that minifugu leaves out. One file per concern.
//!
//! Each concern looks at heads, or at an answer that is ready. It must never grow into a search engine: whatever
//! needs the rows stays a difference, listed in `docs/stand-in.md`.

mod region;

use axum::{Router, middleware::from_fn};
use http::{HeaderValue, header::SERVER};
use tower::service_fn;
use tower_http::{
    compression::{CompressionLayer, CompressionLevel, predicate::SizeAbove},
    decompression::RequestDecompressionLayer,
    set_header::SetResponseHeaderLayer,
};

use crate::engine::Engine;

/// Smaller answers are not worth compressing; the SDKs' own threshold for requests is the same.
const COMPRESS_FROM_BYTES: u64 = 1024;
const NAME: &str = concat!("layer-stand-in/", env!("CARGO_PKG_VERSION"), " (minifugu 0.2.1)");

/// Puts the edge around the engine. The first layer below is the innermost.
pub(crate) fn wrap(engine: Engine) -> Router {
    let answer = service_fn(move |request| {
        let engine = engine.clone();
        async move { Ok(engine.answer(request).await) }
    });
    Router::new()
        .fallback_service(answer)
        .layer(RequestDecompressionLayer::new().pass_through_unaccepted(false))
        .layer(compress())
        .layer(from_fn(region::strip))
        .layer(SetResponseHeaderLayer::overriding(SERVER, HeaderValue::from_static(NAME)))
}

fn compress() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(SizeAbove::new(COMPRESS_FROM_BYTES))
}
