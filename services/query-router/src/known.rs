//! Who may have what is Layer's own, blobs and pipelines: no origin checks a bearer on the way.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header::AUTHORIZATION};

use crate::{
    body::{RequestBody, Source},
    core::Core,
    headers::SERVED_BY,
    refusal::Refusal,
    settings::AuthMode,
    wait::within,
};

/// A call of the origin that any key may make, and that costs little.
const QUESTION: &str = "/v1/namespaces?page_size=1";

impl Core {
    /// Lets only bearers pass that are known good. In mode `pass-through` that is the origin's to say: what it said lately
    /// holds, and else it is asked now. `several`: the refusal where keys may be of several organisations: those may have
    /// namespaces of the same name, and Layer keeps what is its own in one place.
    pub(crate) async fn known_good(
        &self,
        deadline: Option<Instant>,
        headers: &HeaderMap,
        several: &'static str,
    ) -> Result<(), Refusal> {
        let auth = &self.shared.settings.auth;
        if auth.mode == AuthMode::PassThrough && !auth.single_organisation {
            return Err(Refusal::NoStore(several));
        }
        if self.shared.accepted.check(headers).is_ok() {
            return Ok(());
        }
        let key = headers.get(AUTHORIZATION).ok_or(Refusal::Unauthorized("it is missing"))?;
        let status = self.ask_about(key, deadline).await?;
        if let Some(bearer) = self.shared.accepted.remember(headers) {
            self.shared.accepted.answered(bearer, status);
        }
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                Err(Refusal::Saturated("the origin answered 429 about the key".to_owned()))
            }
            status if status.is_server_error() => {
                Err(Refusal::Upstream(format!("the origin answered {} about the key", status.as_u16())))
            }
            _ => self.shared.accepted.check(headers),
        }
    }

    /// What the origin says of a key.
    async fn ask_about(&self, key: &HeaderValue, deadline: Option<Instant>) -> Result<StatusCode, Refusal> {
        let mut question =
            Request::new(RequestBody::Direct(Source::whole(Bytes::new(), Instant::now(), 0, self.stall_limit())));
        *question.uri_mut() = http::Uri::from_static(QUESTION);
        question.headers_mut().insert(AUTHORIZATION, key.clone());
        let _counted = self.shared.observe.at_origin();
        let until = deadline.unwrap_or_else(|| Instant::now() + self.patience());
        let answer = within(Some(until), self.client.send(question)).await??;
        match answer.headers().contains_key(SERVED_BY) {
            true => Err(Refusal::Upstream("the origin is Layer itself (setting origin.url): a loop".to_owned())),
            false => Ok(answer.status()),
        }
    }
}
