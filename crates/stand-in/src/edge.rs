//! The edge of the wire: what a caller sees that minifugu leaves out. One file per concern.
//!
//! A concern looks at a request's head, at a field of its body, or at an answer that is ready. It must never grow
//! into a search engine: whatever needs the rows stays a difference, listed in `docs/stand-in.md`.

mod asked;
mod body;
mod encryption;
mod errors;
mod metadata;
mod ref_new;
mod region;
mod shape;
mod usage;

use axum::{Router, body::Body, middleware::from_fn};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::SERVER};
use tower::service_fn;
use tower_http::{
    compression::{CompressionLayer, CompressionLevel, predicate::SizeAbove},
    decompression::RequestDecompressionLayer,
    set_header::SetResponseHeaderLayer,
};

use crate::engine::{Engine, too_many};
use asked::Asked;

/// Smaller answers are not worth compressing; the SDKs' own threshold for requests is the same.
const COMPRESS_FROM_BYTES: u64 = 1024;
const NAME: &str = concat!("layer-stand-in/", env!("CARGO_PKG_VERSION"), " (minifugu 0.2.1)");

/// Puts the edge around the engine. The first layer below is the innermost.
pub(crate) fn wrap(engine: Engine) -> Router {
    let serve = service_fn(move |request| {
        let engine = engine.clone();
        async move { Ok(serve(engine, request).await.map(Body::from)) }
    });
    Router::new()
        .fallback_service(serve)
        .layer(RequestDecompressionLayer::new())
        .layer(
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                .compress_when(SizeAbove::new(COMPRESS_FROM_BYTES)),
        )
        .layer(from_fn(region::strip))
        .layer(SetResponseHeaderLayer::overriding(SERVER, HeaderValue::from_static(NAME)))
}

/// The body is read whole before the request takes a turn, so a slow sender holds nobody up.
async fn serve(engine: Engine, request: Request<Body>) -> Response<Bytes> {
    let Some(_place) = engine.admit() else {
        return too_many();
    };
    match body::read(request).await {
        Ok(request) => {
            let asked = Asked::new(&request);
            engine.in_turn(move |engine| answer(engine, asked, request)).await
        }
        Err(refusal) => refusal,
    }
}

fn answer(engine: &Engine, mut asked: Asked, request: Request<Bytes>) -> Response<Bytes> {
    if let Some(refusal) = encryption::refuse_malformed_key(&asked) {
        return refusal;
    }
    asked.turn_began();
    let mut response = ref_new::call(engine, request);
    for edit in [errors::name_the_namespace, shape::say_what_was_expected, metadata::as_v2, usage::report] {
        edit(&asked, &mut response);
    }
    response
}
