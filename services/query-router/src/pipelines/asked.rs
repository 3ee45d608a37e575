//! One call over HTTP on its way to pipeline-worker, and its answer on the way back.

use std::{
    future::poll_fn,
    pin::Pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::Stream;
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use layer_proto::{
    function::v1::function_service_client::FunctionServiceClient,
    pipeline::v1::pipeline_service_client::PipelineServiceClient,
};
use layer_replicas::{Calling, Part, Wait};
use prost_types::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tonic::{Status, metadata::MetadataMap};

use super::{json, refused::refusal};
use crate::{
    body::{BoxError, Share, Source, Streamed},
    core::{Call, Core, Relayable},
    headers,
    refusal::{Refusal, Told},
    request::{Encoding, encoding},
    wait::within,
};

/// Largest answer of one message: 1,000 claimed rows with their inputs.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What says to which trace a call belongs.
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// A call that was admitted, with its body.
pub(crate) struct Asked<'a> {
    part: &'a Part,
    method: &'static str,
    deadline: Option<Instant>,
    patience: Duration,
    trace: HeaderMap,
    query: Option<String>,
    body: Bytes,
    /// The body's part of what may be held.
    _share: Share,
}

impl Asked<'_> {
    /// The body.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        json::read(&self.body)
    }

    /// The query string.
    pub(crate) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// A client for this one call, to which the service may take `longer` than usual to answer.
    pub(crate) fn pipelines(&self, longer: Duration) -> PipelineServiceClient<Calling> {
        PipelineServiceClient::new(self.calling(longer)).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The same for functions.
    pub(crate) fn functions(&self, longer: Duration) -> FunctionServiceClient<Calling> {
        FunctionServiceClient::new(self.calling(longer)).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    fn calling(&self, longer: Duration) -> Calling {
        self.part.calling(Wait::new(self.deadline, self.patience + longer), self.method)
    }

    /// A message with what goes along.
    pub(crate) fn request<M>(&self, message: M) -> tonic::Request<M> {
        let metadata = MetadataMap::from_headers(self.trace.clone());
        tonic::Request::from_parts(metadata, tonic::Extensions::default(), message)
    }
}

/// A page of a list, as its query names it.
pub(crate) struct Page {
    /// Entries at most; 0: not said.
    pub(crate) size: u32,
    /// Where it begins.
    pub(crate) token: String,
}

impl Asked<'_> {
    /// `?page_size=&page_token=`
    pub(crate) fn page(&self) -> Result<Page, Refusal> {
        let token = json::parameter(self.query(), "page_token")?.unwrap_or_default();
        Ok(Page { size: json::count(self.query(), "page_size")?, token })
    }
}

/// The message of an answer, or what the service refuses.
pub(crate) fn answered<T>(answer: Result<tonic::Response<T>, Status>) -> Result<T, Refusal> {
    answer.map(tonic::Response::into_inner).map_err(refusal)
}

/// A part of an answer that the contract promises.
pub(crate) fn promised<T>(part: Option<T>, name: &str) -> Result<T, Refusal> {
    part.ok_or_else(|| {
        Refusal::Told(Box::new(Told {
            status: StatusCode::BAD_GATEWAY,
            code: "upstream_error",
            reason: String::new(),
            message: format!("{}: its answer has no `{name}`", super::PART),
            retry_after: None,
        }))
    })
}

/// A time as text.
pub(crate) fn time(time: Option<&Timestamp>) -> Option<String> {
    time.map(Timestamp::to_string)
}

/// Layer's own answer, made.
pub(crate) enum Reply {
    /// Whole.
    Json(Bytes),
    /// As it comes.
    Pieces(Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>),
}

impl Reply {
    /// A value as JSON.
    pub(crate) fn of<T: Serialize>(value: &T) -> Result<Self, Refusal> {
        let text = serde_json::to_vec(value);
        text.map(|text| Self::Json(text.into())).map_err(|error| Refusal::Upstream(error.to_string()))
    }

    pub(crate) fn into_answer(self, call: &mut Call<'_>) -> Response<Relayable> {
        call.measured.served(StatusCode::OK);
        let mut response = Response::new(match self {
            Self::Json(text) => Relayable::Whole(text),
            Self::Pieces(pieces) => Relayable::Streamed(Box::new(Streamed::new(pieces))),
        });
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        headers::served_by_layer(headers);
        response
    }
}

impl Core {
    /// Admits a call and reads its body, which may be compressed.
    pub(crate) async fn asked_of_part(
        &self,
        method: &'static str,
        call: &Call<'_>,
        request: Request<Source>,
    ) -> Result<Asked<'_>, Refusal> {
        let part = self.part_for(request.headers(), call.deadline).await?;
        let settings = &self.shared.settings.pipelines;
        let query = request.uri().query().map(str::to_owned);
        let (mut head, mut source) = request.into_parts();
        if let Encoding::Gzip = encoding(&head.headers)? {
            head.headers.remove(CONTENT_ENCODING);
            source = source.gunzipped();
        }
        let (body, share) = within(call.deadline, self.bounded(source)).await??;
        let trace =
            TRACE.iter().filter_map(|name| Some((http::HeaderName::from_static(name), head.headers.get(*name)?)));
        Ok(Asked {
            part,
            method,
            deadline: call.deadline,
            patience: Duration::from_millis(settings.request_timeout_ms),
            trace: trace.map(|(name, value)| (name, value.clone())).collect(),
            query,
            body,
            _share: share,
        })
    }

    /// A body, or a message, of at most `pipelines.body_bytes_max`, and its part of what all of them may have.
    pub(super) async fn bounded(&self, mut source: Source) -> Result<(Bytes, Share), Refusal> {
        let limit = self.shared.settings.pipelines.body_bytes_max;
        let mut share = self.shared.pipelines.bodies.share();
        let (mut pieces, mut length) = (Vec::new(), 0);
        while let Some(piece) = poll_fn(|cx| source.poll_piece(cx)).await {
            let piece = piece.map_err(Refusal::from)?;
            length += piece.len() as u64;
            if length > limit {
                return Err(Refusal::TooLarge { limit });
            }
            if !share.grow_to(length) {
                return Err(self.crowded());
            }
            pieces.push(piece);
        }
        Ok((if pieces.len() == 1 { pieces.remove(0) } else { pieces.concat().into() }, share))
    }

    fn crowded(&self) -> Refusal {
        let limit = self.shared.settings.pipelines.bodies_bytes_max;
        Refusal::Told(Box::new(Told {
            status: StatusCode::TOO_MANY_REQUESTS,
            code: "overloaded",
            reason: "OVERLOADED".to_owned(),
            message: format!("Layer holds bodies of {limit} bytes (pipelines.bodies_bytes_max); try again shortly"),
            retry_after: Some(1),
        }))
    }
}
