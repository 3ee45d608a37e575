//! Why a document could not be read: kept so that every caller who waited for the same query is told.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use crate::refusal::Refusal;

/// Why a query of the origin gave no rows. A clone is cheap.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The origin said so; its answer goes to the caller as it came.
    Origin(Box<Told>),
    /// The time ran out.
    Timeout,
    /// Every connection to the origin is in use.
    Saturated(String),
    /// The origin cannot be reached, or its answer cannot be used.
    Upstream(String),
    /// Too many ids wait already.
    Waiting {
        /// The bound.
        limit: usize,
    },
    /// Answers in the making hold too much already.
    Held {
        /// The bound in bytes.
        limit: u64,
        /// How much room was wanted beside what was held.
        wanted: u64,
    },
}

/// An answer of the origin that is no success.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, without those of one hop.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Failure {
    /// What callers are told: the origin's own answer, or Layer's.
    ///
    /// # Errors
    /// [`Refusal`] where the answer is Layer's.
    pub fn into_answer(self) -> Result<Response<Bytes>, Refusal> {
        match self {
            Self::Origin(told) => {
                let mut response = Response::new(told.body);
                *response.status_mut() = told.status;
                *response.headers_mut() = told.headers;
                Ok(response)
            }
            Self::Timeout => Err(Refusal::Timeout),
            Self::Saturated(text) => Err(Refusal::Saturated(text)),
            Self::Upstream(text) => Err(Refusal::Upstream(text)),
            Self::Waiting { limit } => Err(Refusal::Crowded(format!("{limit} ids wait (fetch.waiting_max)"))),
            Self::Held { limit, .. } => {
                Err(Refusal::Crowded(format!("answers in the making hold {limit} bytes (fetch.held_bytes)")))
            }
        }
    }

    /// The same for a caller who is past its answer's head.
    pub fn refusal(self) -> Refusal {
        match self.into_answer() {
            Ok(told) => Refusal::Upstream(format!("the origin answered {}", told.status().as_u16())),
            Err(refusal) => refusal,
        }
    }

    /// Whether the origin took the request for wrong: perhaps its ids are of another type.
    pub fn is_bad_request(&self) -> bool {
        matches!(self, Self::Origin(told) if told.status == StatusCode::BAD_REQUEST)
    }
}

impl From<layer_origin::Error> for Failure {
    fn from(error: layer_origin::Error) -> Self {
        match error {
            layer_origin::Error::Saturated { .. } => Self::Saturated(format!("the origin: {error}")),
            other => Self::Upstream(format!("the origin: {other}")),
        }
    }
}
