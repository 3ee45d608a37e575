//! Who may have blobs: they are Layer's own, so no origin checks a bearer on the way.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header::AUTHORIZATION};

use crate::{
    body::{RequestBody, Source},
    core::{Call, Core},
    refusal::Refusal,
    settings::AuthMode,
};

/// A call of the origin that any key may make, and that costs little.
const QUESTION: &str = "/v1/namespaces?page_size=1";

impl Core {
    /// Lets only bearers pass that are known good. In mode `pass-through` that is the origin's to say: what it said lately
    /// holds, and else it is asked now.
    pub(super) async fn known_good(&self, call: &mut Call<'_>, headers: &HeaderMap) -> Result<(), Refusal> {
        let auth = &self.shared.settings.auth;
        if auth.mode == AuthMode::PassThrough && !auth.single_organisation {
            // Two organisations may have namespaces of the same name, and the store keeps them in one place.
            return Err(Refusal::NoStore("blobs in auth.mode `pass-through` need auth.single_organisation"));
        }
        if self.shared.accepted.check(headers).is_ok() {
            return Ok(());
        }
        let bearer = headers.get(AUTHORIZATION).ok_or(Refusal::Unauthorized("it is missing"))?;
        let source = Source::whole(Bytes::new(), 0, self.stall_limit());
        let progress = source.progress();
        let mut question = Request::new(RequestBody::Direct(source));
        *question.method_mut() = Method::GET;
        *question.uri_mut() = http::Uri::from_static(QUESTION);
        question.headers_mut().insert(AUTHORIZATION, bearer.clone());
        let status = self.send(call, question, &progress).await?.status();
        match self.shared.accepted.check(headers) {
            Err(_) if status.is_server_error() || status.as_u16() == 429 => {
                Err(Refusal::Saturated(format!("the origin answered {} when asked about the key", status.as_u16())))
            }
            checked => checked,
        }
    }
}
