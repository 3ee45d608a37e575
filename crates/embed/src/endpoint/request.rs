//! One request, tried again where that is of use.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use serde::Serialize;
use tower::retry::budget::Budget as _;

use super::{Encoding, Endpoint, answer, limits};
use crate::{EmbedError, Vector};

/// The largest vector that is reckoned with before the first has come.
const DIMENSION_MAX: usize = 8_192;
/// The most that a number takes in an answer, in bytes.
const NUMBER_MAX: usize = 26;
/// What an answer may have besides its numbers, in bytes.
const ANSWER_REST: usize = 1 << 20;

#[derive(Serialize)]
struct Ask<'a> {
    model: &'a str,
    input: &'a [&'a str],
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

/// Why an attempt did not do.
struct Failure {
    error: EmbedError,
    /// Whether another attempt may.
    again: bool,
    /// How long the endpoint wants everybody to wait.
    patience: Option<Duration>,
}

impl From<EmbedError> for Failure {
    /// A failure that stays one.
    fn from(error: EmbedError) -> Self {
        Self { error, again: false, patience: None }
    }
}

impl Endpoint {
    /// The vectors of a batch, which is not empty.
    pub(super) async fn request(&self, texts: &[&str], deadline: Instant) -> Result<Vec<Vector>, EmbedError> {
        let body = self.ask(texts);
        self.budget.deposit();
        let mut last = EmbedError::Deadline;
        let mut attempt = 1;
        while self.patience.wait(deadline).await {
            let failure = match self.attempt(body.clone(), texts.len(), deadline).await {
                Ok(vectors) => return Ok(vectors),
                Err(failure) => failure,
            };
            let asked = failure.error == EmbedError::RateLimited;
            last = failure.error;
            if !failure.again || (!asked && (attempt >= self.options.attempts_max || !self.budget.withdraw())) {
                return Err(last);
            }
            let backoff = self.backoff(attempt);
            match failure.patience.or(asked.then_some(backoff)) {
                Some(time) => self.patience.ask(time),
                None if !sleep(backoff, deadline).await => return Err(last),
                None => {}
            }
            attempt += 1;
        }
        Err(last)
    }

    fn ask(&self, texts: &[&str]) -> Bytes {
        let encoding_format = match self.options.encoding {
            Encoding::Base64 => "base64",
            Encoding::Float => "float",
        };
        let ask =
            Ask { model: &self.options.model, input: texts, encoding_format, dimensions: self.options.dimensions };
        serde_json::to_vec(&ask).expect("strings and numbers are always JSON").into()
    }

    async fn attempt(&self, body: Bytes, count: usize, deadline: Instant) -> Result<Vec<Vector>, Failure> {
        let place = tokio::time::timeout_at(deadline.into(), self.places.acquire()).await;
        let Ok(Ok(_place)) = place else { return Err(EmbedError::Deadline.into()) };
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = left.min(self.options.request_timeout);
        match tokio::time::timeout(limit, self.exchange(body, count)).await {
            Ok(Ok((status, headers, body))) => self.judge(status, &headers, &body, count),
            Ok(Err(error)) => Err(Failure { error, again: true, patience: None }),
            Err(_) if limit == left => Err(EmbedError::Deadline.into()),
            Err(_) => Err(Failure { error: EmbedError::Timeout { limit }, again: true, patience: None }),
        }
    }

    async fn exchange(&self, body: Bytes, count: usize) -> Result<(StatusCode, HeaderMap, Bytes), EmbedError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(key) = &self.options.api_key
            && let Ok(mut bearer) = HeaderValue::try_from(format!("Bearer {}", key.reveal()))
        {
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let sent = self.client.send(request).await;
        let (head, body) = sent.map_err(|error| EmbedError::Unreachable(error.to_string()))?.into_parts();
        let most = ANSWER_REST + count * self.dimension().unwrap_or(DIMENSION_MAX) * NUMBER_MAX;
        let body = Limited::new(body, most).collect().await;
        let body = body.map_err(|_| EmbedError::Answer("it broke off, or is too large".to_owned()))?;
        Ok((head.status, head.headers, body.to_bytes()))
    }

    fn judge(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        count: usize,
    ) -> Result<Vec<Vector>, Failure> {
        if status.is_success() {
            if let Some(time) = limits::used_up(headers) {
                self.patience.ask(time);
            }
            return self.accept(body, count).map_err(|error| Failure { error, again: true, patience: None });
        }
        let answer::Refusal { code, message } = answer::refusal(body);
        let number = status.as_u16();
        let patience = limits::retry_after(headers);
        let again = |error, patience| Err(Failure { error, again: true, patience });
        match number {
            429 if code == "insufficient_quota" => Err(EmbedError::Denied { status: number, message }.into()),
            429 => again(EmbedError::RateLimited, patience),
            503 => again(EmbedError::Unreachable("status 503".to_owned()), patience),
            // What it says may have a part of the key in it.
            401 | 403 => {
                Err(EmbedError::Denied { status: number, message: "the key is not accepted".to_owned() }.into())
            }
            404 | 405 | 410 => Err(EmbedError::Denied { status: number, message }.into()),
            408 | 409 | 425 | 500.. => again(EmbedError::Failed { status: number }, patience),
            _ => Err(EmbedError::Refused { status: number, message }.into()),
        }
    }

    /// Takes a good answer, which says how many numbers all later ones must have.
    fn accept(&self, body: &[u8], count: usize) -> Result<Vec<Vector>, EmbedError> {
        let vectors = answer::vectors(body, count, self.dimension())?;
        let found = vectors.first().map_or(0, Vec::len);
        let known = *self.dimension.get_or_init(|| found);
        if known == found { Ok(vectors) } else { Err(EmbedError::Answer(format!("{found} numbers, not {known}"))) }
    }

    /// The wait before the next attempt: doubled each time, half of it random.
    fn backoff(&self, attempt: u32) -> Duration {
        let whole = self.options.backoff.saturating_mul(1 << (attempt - 1).min(6));
        whole.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// Waits. Whether that was over before `deadline`.
async fn sleep(time: Duration, deadline: Instant) -> bool {
    if Instant::now() + time >= deadline {
        return false;
    }
    tokio::time::sleep(time).await;
    true
}
