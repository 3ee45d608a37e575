//! Sending a write under its hold.

use std::{pin::pin, sync::Arc, time::Duration};

use http::{HeaderValue, Request, Response, header::ACCEPT_ENCODING};
use layer_cache::{Affects, Outcome, Scope};
use layer_wire::{IdLimits, WriteOptions, WriteRewriter};
use percent_encoding::percent_decode_str;
use tracing::Instrument;

use super::{detach::Detach, hold::Hold, lists, plan, verdict::Verdict, warm::Warm};
use crate::{
    body::{Progress, RequestBody, Rewriter, Rewritten, Source, Watched},
    clock,
    core::{Call, Core, Relayable},
    refusal::Refusal,
    wait::{in_time, within},
};

/// What may be kept of each id: strings have at most 64 bytes.
const ID_BYTES_MAX: usize = 64;

/// What is done once the origin has applied a write.
#[derive(Default)]
struct After {
    /// What is read back.
    warm: Option<Warm>,
    /// The namespace, where a function wants to know of the write.
    noted: Option<String>,
}

impl Core {
    /// The namespace of a write that a function wants to know of.
    pub(crate) fn noted(&self, call: &Call<'_>) -> Option<String> {
        let name = percent_decode_str(call.namespace?).decode_utf8().ok()?;
        (!call.of_function && self.shared.triggers.wants(&name)).then(|| name.into_owned())
    }

    /// Where the documents of a call's namespace are cached; `None` where there is no cache, or the name is one that the
    /// origin refuses. The path may spell a name in several ways.
    pub(crate) fn cached_scope(&self, namespace: Option<&str>) -> Option<Scope> {
        if !self.shared.settings.cache.enabled() {
            return None;
        }
        let name = percent_decode_str(namespace?).decode_utf8().ok()?;
        self.cache.documents(&name).ok()
    }

    /// A write of rows.
    pub(crate) async fn write_held(
        &self,
        scope: Scope,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let place = self.place(call.namespace.unwrap_or_default(), request.headers());
        let options = WriteOptions { upserted_at_ms: clock::epoch_ms(), allow_reserved: call.internal };
        let rewriter = WriteRewriter::new(options).tracked(self.id_limits());
        let (mut request, seen, progress) = self.rewrite(call, request, Rewriter::Write(rewriter)).await?;
        let written = progress.written();
        if written.is_none_or(plan::Written::is_listed) {
            request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let Some(affects) = plan::affects(written, self.shared.settings.write.hold_keys_max) else {
            return self.send(call, request, &progress).await.map(|answer| answer.map(Relayable::Origin));
        };
        let warm = self.warmed(&affects, written, place);
        let noted = self.noted(call);
        let hold = self.hold(scope, affects, call).await?;
        if let RequestBody::Rewriting(body) = request.body_mut() {
            body.guard(Arc::clone(hold.gate()));
        }
        let answer = self.send_held(call, request, progress, hold, After { warm, noted }).await?;
        if let Some(Rewritten::Write(seen)) = seen {
            call.measured.wrote(&seen);
        }
        Ok(answer)
    }

    /// A call without a body of rows that changes any of a namespace's rows: it is deleted, or its schema changed.
    pub(crate) async fn change_held(
        &self,
        scope: Scope,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let hold = self.hold(scope, Affects::Namespace, call).await?;
        // The body is small and there already: nothing of it has to pass later.
        if let Err(stopped) = hold.gate().pass() {
            hold.finish(Outcome::Nothing).await?;
            return Err(stopped.into());
        }
        hold.gate().complete();
        let progress = request.body().progress();
        self.send_held(call, request.map(RequestBody::Direct), progress, hold, After::default()).await
    }

    fn id_limits(&self) -> IdLimits {
        let ids_max = self.shared.settings.write.clear_keys_max;
        IdLimits { ids_max, bytes_max: ids_max.saturating_mul(ID_BYTES_MAX) }
    }

    pub(super) async fn hold(&self, scope: Scope, affects: Affects, call: &Call<'_>) -> Result<Hold, Refusal> {
        let stands = Duration::from_millis(self.shared.settings.cache.hold_ms.into());
        let counts = &self.shared.coherence.counts;
        let placed = Hold::place(&self.cache, scope, affects, stands, call.deadline, counts).await;
        placed.map_err(|refused| Refusal::CacheAway(refused.to_string()))
    }

    async fn send_held(
        &self,
        call: &mut Call<'_>,
        mut request: Request<RequestBody>,
        progress: Arc<Progress>,
        hold: Hold,
        after: After,
    ) -> Result<Response<Relayable>, Refusal> {
        let asked = match self.asked(call, &mut request) {
            Ok(asked) => asked,
            Err(refusal) => {
                hold.finish(Outcome::Nothing).await?;
                return Err(refusal);
            }
        };
        let (core, gate) = (self.clone(), Arc::clone(hold.gate()));
        let work = async move { core.settled(request, progress, hold, after).await };
        let places = self.shared.coherence.detached.clone();
        let detach = Detach::new(work, places, move || gate.abandon());
        let answer = within(call.deadline, detach.instrument(asked.span.clone())).await??;
        self.answered(call, &asked, answer)
    }

    /// Sends, waits for the answer, and tells the cache what it means.
    async fn settled(
        &self,
        request: Request<RequestBody>,
        progress: Arc<Progress>,
        mut hold: Hold,
        after: After,
    ) -> Result<Response<Relayable>, Refusal> {
        let (verdict, answer) = self.judged(request, &progress, &mut hold).await;
        let answer = match (verdict, answer) {
            (Verdict::Applied, Ok(answer)) => {
                let answer = self.applied(answer, &progress, hold, after.noted.as_deref()).await;
                after.warm.into_iter().for_each(|warm| self.read_back(warm));
                return answer;
            }
            (Verdict::Nothing, answer) => {
                hold.finish(Outcome::Nothing).await?;
                answer
            }
            (_, answer) => answer,
        };
        answer.map(|answer| answer.map(Relayable::Origin))
    }

    async fn judged(
        &self,
        request: Request<RequestBody>,
        progress: &Arc<Progress>,
        hold: &mut Hold,
    ) -> (Verdict, Result<Response<Watched>, Refusal>) {
        let gate = Arc::clone(hold.gate());
        let look = gate.last_look(progress);
        let patience = Duration::from_millis(self.shared.settings.limits.request_timeout_ms);
        let sent = hold
            .kept_during(in_time(None, patience, progress, pin!(self.client.send_looked(request, Some(look)))))
            .await;
        match (sent, progress.fault()) {
            (Some(Ok(answer)), _) => (Verdict::of_status(answer.status()), Ok(self.watched(answer))),
            // The body broke off before its end: nobody applies a part of a write.
            (_, Some(fault)) => (Verdict::Nothing, Err(fault.into())),
            (Some(Err(error)), None) => (Verdict::of_error(&error, gate.is_begun()), Err(error.into())),
            (None, None) if gate.is_begun() => (Verdict::Unknown, Err(Refusal::Timeout)),
            (None, None) => (Verdict::Nothing, Err(Refusal::Timeout)),
        }
    }

    async fn applied(
        &self,
        answer: Response<Watched>,
        progress: &Progress,
        hold: Hold,
        noted: Option<&str>,
    ) -> Result<Response<Relayable>, Refusal> {
        let written = progress.written();
        let (answer, listed) = match written {
            Some(written) if written.is_listed() => {
                if written.hides_lists() {
                    self.shared.coherence.counts.asked();
                }
                lists::read(answer, self.id_limits(), written.hides_lists()).await
            }
            _ => (Ok(answer.map(Relayable::Origin)), None),
        };
        if let Some(namespace) = noted {
            self.shared.triggers.note(namespace, written, listed.as_ref());
        }
        let outcome = plan::changed(hold.affects(), written, listed.as_ref());
        hold.finish(outcome).await?;
        answer
    }
}
