//! The core that HTTP and gRPC share: from a request of Turbopuffer's wire to its answer.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{
    HeaderMap, Method, Request, Response, Version,
    header::{ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    request::Parts,
};
use http_body_util::{BodyExt, Limited};
use layer_cache::Cache;
use layer_object_store::ObjectStore;
use layer_origin::{Client, LastLook, OriginBody};
use layer_replicas::Part;
use layer_service::{
    deadline::{REQUEST_TIMEOUT_MS, deadline, remaining_ms},
    health::Health,
    lifecycle::{Lifecycle, Stage},
    metrics::Metrics,
    shed::{InFlight, Permit},
    telemetry::{client_span, propagate, server_span},
};
use layer_wire::{QueryRewriter, WriteOptions, WriteRewriter};
use tracing::Instrument;

use crate::{
    accepted::{Accepted, Bearer},
    answer,
    auth::Auth,
    blobs::{self, BlobBody},
    body::{
        Budget, Progress, Relayed, RequestBody, ResponseBody, Rewriter, Rewriting, Rewritten, Source, Streamed, Watched,
    },
    clock,
    coherence::{Coherence, Gate},
    fetch::{self, Carried, JsonBatch},
    headers::{self, SERVED_BY},
    observe::{Measured, Observe},
    pipelines,
    refusal::Refusal,
    request::{Encoding, encoding, with_path},
    reserved,
    route::{Route, region_prefix},
    scale::Scale,
    settings::RouterSettings,
    triggers::Triggers,
    wait::{in_time, within},
    warm,
};

/// What all workers share.
pub struct Shared {
    /// The settings in force.
    pub settings: RouterSettings,
    /// Who may call.
    pub auth: Auth,
    /// Whom the origin has accepted lately.
    pub accepted: Accepted,
    /// What is counted.
    pub observe: Arc<Observe>,
    /// What blobs share.
    pub blobs: blobs::Common,
    /// What fetches share.
    pub fetch: fetch::Common,
    /// What pipelines and functions share.
    pub pipelines: pipelines::Common,
    /// Writes that functions want to know of.
    pub triggers: Triggers,
    /// What warming shares.
    pub warm: Arc<warm::Common>,
    /// Demand for the document cache.
    pub scale: Scale,
    /// What writes share towards the document cache.
    pub coherence: Coherence,
    /// Everything that is counted, as a page.
    pub metrics: Metrics,
    /// The bound on requests.
    pub flights: InFlight,
    /// The bound on what is read ahead of all writes together.
    pub read_ahead: Budget,
    /// The bound on gRPC messages that are held whole.
    pub messages: InFlight,
    /// Health and readiness.
    pub health: Health,
    /// The stage of the process.
    pub lifecycle: Lifecycle,
    /// Spans are wanted.
    pub traces: bool,
}

/// One worker's core; clones share it.
#[derive(Clone)]
pub struct Core {
    pub(crate) shared: Arc<Shared>,
    /// This worker's handle to the document cache. Every write holds by it, whatever the mode of `auth`.
    pub(crate) cache: Cache,
    pub(crate) client: Client<RequestBody>,
    /// The object store, where one is configured, over this worker's connections.
    pub(crate) store: Option<ObjectStore>,
    /// pipeline-worker, where one is configured, over this worker's connections.
    pub(crate) part: Option<Part>,
}

/// What is known of a call before its body is read.
pub(crate) struct Call<'a> {
    /// The namespace that it is about.
    pub(crate) namespace: Option<&'a str>,
    pub(crate) measured: Measured,
    /// The caller's own, if it named one.
    pub(crate) deadline: Option<Instant>,
    /// It comes from one of Layer's own services.
    pub(crate) internal: bool,
    /// It writes what a function has made.
    pub(crate) of_function: bool,
}

/// What is remembered of a request while the origin answers it.
pub(crate) struct Asked {
    pub(crate) span: tracing::Span,
    bearer: Option<Bearer>,
}

impl Core {
    /// The core of one worker; call it inside that worker's runtime.
    pub fn new(shared: Arc<Shared>, origin: Arc<layer_origin::Options>, cache: Cache) -> Self {
        let store = shared.blobs.store.as_ref().map(ObjectStore::reconnected);
        let part = shared.pipelines.handle();
        Self { shared, cache, client: Client::new(origin), store, part }
    }

    /// A caller's body under this router's limits.
    pub fn stall_limit(&self) -> Duration {
        Duration::from_millis(self.shared.settings.limits.body_stall_timeout_ms)
    }

    /// Answers one call. `internal`: the connection showed a client certificate of Layer's own services.
    pub async fn answer(&self, internal: bool, mut request: Request<Source>) -> Response<ResponseBody> {
        let started = request.body().began();
        let region = region_prefix(request.uri().path());
        if region > 0 {
            request = with_path(request, |path| path[region..].to_owned());
        }
        let path = request.uri().path_and_query().cloned();
        let route = Route::of(request.method(), path.as_ref().map_or("", |path| path.path()));
        if let Some(page) = self.page(&route, request.headers()) {
            return page;
        }
        let mut measured = self.shared.observe.begin(&route, started);
        let span = match self.shared.traces {
            true => server_span(request.method().as_str(), route.name(), request.headers()),
            false => tracing::Span::none(),
        };
        measured.within(span.clone());
        let mut call = Call { namespace: route.namespace(), measured, deadline: None, internal, of_function: false };
        let (version, progress) = (request.version(), request.body().progress());
        let mut response = match self.serve(&route, &mut call, request).instrument(span).await {
            Ok(answer) => answer.finish(call.measured),
            Err(refusal) => {
                call.measured.refused(refusal.code().0);
                refusal.into_response()
            }
        };
        if version < Version::HTTP_2 && !progress.is_received() {
            // What is left of the request's body cannot be told from the next request.
            response.headers_mut().insert(CONNECTION, http::HeaderValue::from_static("close"));
        }
        response
    }

    /// Layer's own pages. Metrics name namespaces, so on this port they are for callers that are known good; the admin
    /// port shows them to anybody who can reach it.
    fn page(&self, route: &Route<'_>, headers: &HeaderMap) -> Option<Response<ResponseBody>> {
        if *route == Route::Metrics
            && let Err(refusal) = self.shared.auth.check(headers).and_then(|()| self.shared.accepted.check(headers))
        {
            return Some(refusal.into_response());
        }
        let (status, kind, body) = match route {
            Route::Health => json(self.shared.health.live()),
            Route::Ready => json(self.shared.health.ready()),
            Route::Metrics => (http::StatusCode::OK, "text/plain; version=0.0.4", self.shared.metrics.text()),
            _ => return None,
        };
        let mut response = Response::new(ResponseBody::whole(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
        headers::served_by_layer(response.headers_mut());
        Some(response)
    }

    async fn serve(
        &self,
        route: &Route<'_>,
        call: &mut Call<'_>,
        mut request: Request<Source>,
    ) -> Result<Answer, Refusal> {
        let permit = match self.admit(route, call, &mut request) {
            Ok(permit) => permit,
            Err(refusal) => {
                // Who waits for a 100 before sending has sent nothing yet; reading would ask for it.
                if !request.headers().contains_key(EXPECT) {
                    request.body_mut().discard().await;
                }
                return Err(refusal);
            }
        };
        headers::strip_request(request.headers_mut());
        let relayed = self.relay(route, call, request).await?;
        Ok(Answer { relayed, permit })
    }

    /// Everything that can be refused before the body is looked at.
    fn admit(&self, route: &Route<'_>, call: &mut Call<'_>, request: &mut Request<Source>) -> Result<Permit, Refusal> {
        if self.shared.lifecycle.stage() >= Stage::Cut {
            return Err(Refusal::Draining);
        }
        let permit = self.shared.flights.enter().ok_or(Refusal::Overloaded { limit: self.shared.flights.limit() })?;
        self.shared.auth.admit(request.headers_mut())?;
        if *route == Route::Unknown {
            let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
            return Err(Refusal::NotFound { method, path });
        }
        call.internal |= self.shared.auth.is_internal(request.headers());
        call.of_function = call.internal && request.headers().contains_key(headers::OF_FUNCTION);
        call.deadline = deadline(request.headers(), call.measured.started())
            .map_err(|error| Refusal::Invalid(error.to_string()))?;
        let limit = self.shared.settings.limits.body_bytes;
        let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        match declared {
            Some(length) if length > limit => Err(Refusal::TooLarge { limit }),
            _ => Ok(permit),
        }
    }

    /// Calls of a kind that is rare are boxed: every request's future is as large as the largest of its branches.
    async fn relay(
        &self,
        route: &Route<'_>,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        match route {
            Route::Write(_) => self.write(call, request).await,
            Route::Query(_) | Route::Explain(_) => self.query(call, request).await,
            Route::QueryAlias(_) => self.query(call, with_path(request, |path| path.replacen("/v1/", "/v2/", 1))).await,
            Route::DeleteNamespace(_) => Box::pin(self.delete_namespace(call, request)).await,
            Route::Operation(_) => Box::pin(self.operation(call, request)).await,
            Route::Schema(_) | Route::Recall(_) | Route::Metadata(_) => {
                Box::pin(self.edited(route, call, request)).await
            }
            Route::Document(namespace, id) => Box::pin(self.fetch_one(namespace, id, call, request)).await,
            Route::Invalidate(_) => Box::pin(self.invalidate(call, request)).await,
            Route::WarmHint(namespace) => Box::pin(self.warm_hint(namespace, call, request)).await,
            Route::Warm(namespace) => Box::pin(self.post_warm(namespace, call, request)).await,
            Route::WarmJobs(namespace) => Box::pin(self.list_warm_jobs(namespace, call, request)).await,
            Route::WarmJob(namespace, id) => Box::pin(self.warm_job(namespace, id, false, call, request)).await,
            Route::CancelWarmJob(namespace, id) => Box::pin(self.warm_job(namespace, id, true, call, request)).await,
            Route::PutBlob(namespace) => Box::pin(self.put_blob(namespace, call, request)).await,
            Route::Blob(namespace, hash) => Box::pin(self.get_blob(namespace, hash, call, request)).await,
            Route::Documents(namespace) => Box::pin(self.fetch_many(namespace, call, request)).await,
            Route::Pipeline(route) => Box::pin(self.pipeline(route, call, request)).await,
            Route::Function(route) => Box::pin(self.function(route, call, request)).await,
            _ => self.passed(call, request).await,
        }
    }

    /// Relays a call as it is.
    pub(crate) async fn passed(
        &self,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let progress = request.body().progress();
        let request = request.map(RequestBody::Direct);
        self.send(call, request, &progress).await.map(|answer| answer.map(Relayable::Origin))
    }

    async fn write(&self, call: &mut Call<'_>, request: Request<Source>) -> Result<Response<Relayable>, Refusal> {
        if let Some(scope) = self.cached_scope(call.namespace) {
            return Box::pin(self.write_held(scope, call, request)).await;
        }
        let options = WriteOptions { upserted_at_ms: clock::epoch_ms(), allow_reserved: call.internal };
        let (mut request, seen, progress) =
            self.rewrite(call, request, Rewriter::Write(WriteRewriter::new(options))).await?;
        let gate = Arc::new(Gate::unheld(call.deadline, self.patience()));
        if let RequestBody::Rewriting(body) = request.body_mut() {
            body.guard(Arc::clone(&gate));
        }
        let answer = self.send_through(Some(gate), call, request, &progress).await?;
        if let Some(namespace) = self.noted(call).filter(|_| answer.status().is_success()) {
            // Without a cache nobody looks at ids.
            self.shared.triggers.note(&namespace, None, None);
        }
        if let Some(Rewritten::Write(seen)) = seen {
            call.measured.wrote(&seen);
        }
        Ok(answer.map(Relayable::Origin))
    }

    async fn query(&self, call: &mut Call<'_>, request: Request<Source>) -> Result<Response<Relayable>, Refusal> {
        let (request, seen, progress) = self.rewrite(call, request, Rewriter::Query(QueryRewriter::new())).await?;
        let answer = self.send(call, request, &progress).await?;
        if let Some(Rewritten::Query(seen)) = seen {
            call.measured.queried(&seen);
        }
        Ok(answer.map(Relayable::Origin))
    }

    /// Reads a body ahead up to the bound, with Layer's changes.
    pub(crate) async fn rewrite(
        &self,
        call: &Call<'_>,
        request: Request<Source>,
        rewriter: Rewriter,
    ) -> Result<(Request<RequestBody>, Option<Rewritten>, Arc<Progress>), Refusal> {
        let (mut head, source) = request.into_parts();
        let source = match encoding(&head.headers)? {
            Encoding::Identity => source,
            Encoding::Gzip => {
                head.headers.remove(CONTENT_ENCODING);
                source.gunzipped()
            }
        };
        // The length is another one now; hyper writes it where it is known.
        head.headers.remove(CONTENT_LENGTH);
        let progress = source.progress();
        let mut body = Box::new(Rewriting::new(source, rewriter, &self.shared.read_ahead));
        let seen = within(call.deadline, body.read_ahead(self.shared.settings.write.read_ahead_bytes)).await??;
        Ok((Request::from_parts(head, RequestBody::Rewriting(body)), seen, progress))
    }

    /// Calls whose answer Layer changes.
    async fn edited(
        &self,
        route: &Route<'_>,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let is_head = *request.method() == Method::HEAD;
        let (mut request, include) = answer::take_include(request);
        let mut scope = None;
        if matches!(route, Route::Schema(_)) && *request.method() == Method::POST {
            let (checked, alters) = within(call.deadline, self.checked_schema(call.internal, request)).await??;
            request = checked;
            scope = self.cached_scope(call.namespace).filter(|_| alters);
        }
        let mut answer = match scope {
            Some(scope) => {
                request.headers_mut().insert(ACCEPT_ENCODING, http::HeaderValue::from_static("identity"));
                self.change_held(scope, call, request).await?
            }
            None => self.whole_answer(call, request).await?.map(Relayable::Origin),
        };
        if is_head {
            // Of the body that Layer would have made.
            answer.headers_mut().remove(CONTENT_LENGTH);
            return Ok(answer);
        }
        let change = match route {
            Route::Schema(_) => answer::Change::Schema,
            Route::Recall(_) => answer::Change::Recall,
            _ => answer::Change::Metadata { include },
        };
        within(call.deadline, answer::edit(answer, change)).await?
    }

    /// A change of a schema, read whole: reserved names are refused. Also says whether it changes rows that are there.
    async fn checked_schema(
        &self,
        internal: bool,
        request: Request<Source>,
    ) -> Result<(Request<Source>, bool), Refusal> {
        let began = request.body().began();
        let (head, body) = self.read_whole(request, answer::SCHEMA_BYTES_MAX).await?;
        reserved::check_schema(&body, internal)?;
        let (alters, limit) = (reserved::alters_rows(&body), self.shared.settings.limits.body_bytes);
        Ok((Request::from_parts(head, Source::whole(body, began, limit, self.stall_limit())), alters))
    }

    /// A body of at most `bytes_max`, read whole within the call's deadline.
    pub(crate) async fn whole_body(
        &self,
        call: &Call<'_>,
        request: Request<Source>,
        bytes_max: usize,
    ) -> Result<(Parts, bytes::Bytes), Refusal> {
        within(call.deadline, self.read_whole(request, bytes_max)).await?
    }

    async fn read_whole(&self, request: Request<Source>, bytes_max: usize) -> Result<(Parts, bytes::Bytes), Refusal> {
        let (mut head, mut source) = request.into_parts();
        if let Encoding::Gzip = encoding(&head.headers)? {
            head.headers.remove(CONTENT_ENCODING);
            source = source.gunzipped();
        }
        head.headers.remove(CONTENT_LENGTH);
        let progress = source.progress();
        let too_large = Refusal::TooLarge { limit: bytes_max as u64 };
        let read = Limited::new(source, bytes_max).collect().await;
        let body = read.map_err(|_| progress.fault().map_or(too_large, Refusal::from))?.to_bytes();
        Ok((head, body))
    }

    /// Relays a call whose answer Layer must read: it may come uncompressed only.
    pub(crate) async fn whole_answer(
        &self,
        call: &mut Call<'_>,
        mut request: Request<Source>,
    ) -> Result<Response<Watched>, Refusal> {
        request.headers_mut().insert(ACCEPT_ENCODING, http::HeaderValue::from_static("identity"));
        let progress = request.body().progress();
        self.send(call, request.map(RequestBody::Direct), &progress).await
    }

    /// Sends to the origin and waits for the answer's head.
    pub(crate) async fn send(
        &self,
        call: &mut Call<'_>,
        request: Request<RequestBody>,
        progress: &Arc<Progress>,
    ) -> Result<Response<Watched>, Refusal> {
        let gate = call.deadline.map(|deadline| Arc::new(Gate::unheld(Some(deadline), self.patience())));
        self.send_through(gate, call, request, progress).await
    }

    /// The same through a gate, which may close while the request waits for its turn.
    async fn send_through(
        &self,
        gate: Option<Arc<Gate>>,
        call: &mut Call<'_>,
        mut request: Request<RequestBody>,
        progress: &Arc<Progress>,
    ) -> Result<Response<Watched>, Refusal> {
        let asked = self.asked(call, &mut request)?;
        let look = gate.map(|gate| gate.last_look(progress));
        let waiting = self.wait(call.deadline, request, look, progress);
        let answer = match self.shared.traces {
            true => waiting.instrument(asked.span.clone()).await?,
            false => waiting.await?,
        };
        self.answered(call, &asked, answer)
    }

    /// A request is about to be sent: checks its deadline, and remembers what its answer needs.
    pub(crate) fn asked<B>(&self, call: &mut Call<'_>, request: &mut Request<B>) -> Result<Asked, Refusal> {
        if let Some(deadline) = call.deadline {
            if deadline <= Instant::now() {
                return Err(Refusal::Expired);
            }
            request.headers_mut().insert(REQUEST_TIMEOUT_MS, remaining_ms(deadline));
        }
        call.measured.asked();
        let bearer = self.shared.accepted.remember(request.headers());
        if !self.shared.traces {
            return Ok(Asked { span: tracing::Span::none(), bearer });
        }
        let span = client_span("origin");
        propagate(&span, request.headers_mut());
        Ok(Asked { span, bearer })
    }

    /// The origin's head is there: counts it and makes it the router's.
    pub(crate) fn answered<B>(
        &self,
        call: &mut Call<'_>,
        asked: &Asked,
        mut answer: Response<B>,
    ) -> Result<Response<B>, Refusal> {
        let status = answer.status();
        asked.span.record("http.response.status_code", status.as_u16());
        if answer.headers().contains_key(SERVED_BY) {
            return Err(Refusal::Upstream("the origin is Layer itself (setting origin.url): a loop".to_owned()));
        }
        call.measured.answered(status, call.namespace);
        if let Some(bearer) = asked.bearer {
            self.shared.accepted.answered(bearer, status);
        }
        let headers = answer.headers_mut();
        headers::strip_hop_by_hop(headers);
        headers::served_by_origin(headers);
        headers::localize(headers, self.client.target());
        headers::timing(headers, call.measured.started(), call.measured.asked_at());
        Ok(answer)
    }

    async fn wait(
        &self,
        deadline: Option<Instant>,
        request: Request<RequestBody>,
        look: Option<LastLook>,
        progress: &Progress,
    ) -> Result<Response<Watched>, Refusal> {
        let sending = pin!(self.client.send_looked(request, look));
        let answer = in_time(deadline, self.patience(), progress, sending).await;
        match (answer, progress.fault()) {
            // The body's own fault is why the origin's connection was cut.
            (Some(Err(_)) | None, Some(fault)) => Err(fault.into()),
            (Some(answer), _) => Ok(self.watched(answer?)),
            (None, None) => Err(Refusal::Timeout),
        }
    }

    /// How long the origin may take for its first byte where the caller does not say.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.shared.settings.limits.request_timeout_ms)
    }

    /// The origin's answer, watched for standing still.
    pub(crate) fn watched(&self, answer: Response<OriginBody<RequestBody>>) -> Response<Watched> {
        let stall = Duration::from_millis(self.shared.settings.origin.body_stall_timeout_ms);
        answer.map(|body| Watched::new(body, stall))
    }
}

fn json((status, body): (http::StatusCode, String)) -> (http::StatusCode, &'static str, String) {
    (status, "application/json", body)
}

/// An answer that is ready to be relayed.
struct Answer {
    relayed: Response<Relayable>,
    permit: Permit,
}

/// What can be relayed as an answer's body.
pub enum Relayable {
    /// The origin's, as it streams.
    Origin(Watched),
    /// The origin's with Layer's changes, or Layer's own.
    Whole(bytes::Bytes),
    /// A blob, as it comes.
    Blob(Box<BlobBody>),
    /// Documents, as they come.
    Batch(Box<JsonBatch>),
    /// Anything else of Layer's own, as it comes.
    Streamed(Box<Streamed>),
    /// Documents for the gRPC front, which takes them out of the answer's extensions.
    Carried(Carried),
}

impl Answer {
    fn finish(self, measured: Measured) -> Response<ResponseBody> {
        let Self { mut relayed, permit } = self;
        if let Relayable::Carried(carried) = relayed.body() {
            let carried = carried.clone();
            carried.hold((permit, measured));
            relayed.extensions_mut().insert(carried);
            return relayed.map(|_| ResponseBody::whole(bytes::Bytes::new()));
        }
        relayed.map(|body| match body {
            Relayable::Origin(body) => ResponseBody::Relayed(Box::new(Relayed::new(body, (permit, measured)))),
            Relayable::Whole(bytes) => ResponseBody::whole(bytes),
            Relayable::Blob(mut blob) => {
                blob.hold((permit, measured));
                ResponseBody::Streamed(Pin::from(blob))
            }
            Relayable::Batch(mut batch) => {
                batch.hold((permit, measured));
                ResponseBody::Streamed(Box::pin(batch.stream()))
            }
            Relayable::Streamed(mut pieces) => {
                pieces.hold((permit, measured));
                ResponseBody::Streamed(Pin::from(pieces))
            }
            Relayable::Carried(_) => ResponseBody::whole(bytes::Bytes::new()),
        })
    }
}
