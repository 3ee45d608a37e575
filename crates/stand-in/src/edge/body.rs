//! Reads a request's body, within Turbopuffer's documented limit.

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::engine::error;

/// The largest request, after decompression: 512 MiB.
const MAX_BYTES: usize = 512 << 20;

/// The request with its body in memory, or the answer to a body that is too large, cut off or no gzip.
pub(super) async fn read(request: Request<Body>) -> Result<Request<Bytes>, Response<Bytes>> {
    let (head, body) = request.into_parts();
    match Limited::new(body, MAX_BYTES).collect().await {
        Ok(body) => Ok(Request::from_parts(head, body.to_bytes())),
        Err(cause) if cause.is::<LengthLimitError>() => {
            Err(error(StatusCode::PAYLOAD_TOO_LARGE, "the request body is larger than 512 MiB"))
        }
        Err(_) => Err(error(
            StatusCode::BAD_REQUEST,
            "the request body could not be read: it was cut off, or is not what content-encoding says",
        )),
    }
}
