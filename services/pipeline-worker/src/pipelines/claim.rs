//! Claims, and claims that wait.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use layer_proto::pipeline::v1::ClaimRequest;

use super::{Pipelines, check::Check, wake::wait};
use crate::{
    failure::Failure,
    state::{Claim, Claimed, Kind, Queue},
};

/// Documents of a claim that does not say.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 10_000;
const WAIT_MS_MAX: u32 = 30_000;
/// A claim that waits answers so long before its caller gives up.
const MARGIN: Duration = Duration::from_millis(50);

/// What a claim asks for, checked.
pub(super) struct Asked {
    stage: String,
    claim_stage: String,
    limit: usize,
    worker: String,
    lease_ms: u64,
    prefix: String,
    pub(super) wait: Duration,
}

impl Asked {
    pub(super) fn read(check: &mut Check, request: ClaimRequest) -> Self {
        check.worker(&request.worker_id);
        if request.wait_ms > WAIT_MS_MAX {
            check.refuse("wait_ms", format!("must be at most {WAIT_MS_MAX}"));
        }
        let limit = if request.limit == 0 { LIMIT } else { request.limit.min(LIMIT_MAX) };
        Self {
            lease_ms: check.lease_ms(request.lease_ms),
            stage: request.stage,
            claim_stage: request.claim_stage,
            limit: limit as usize,
            worker: request.worker_id,
            prefix: request.document_id_prefix,
            wait: Duration::from_millis(request.wait_ms.into()),
        }
    }

    /// As the state is asked.
    pub(super) fn claim(self, queue: &Queue) -> Claim {
        let stages = &queue.spec.stages;
        let stage = if self.stage.is_empty() { stages[0].clone() } else { self.stage };
        let claim_stage = if self.claim_stage.is_empty() { working(stages, &stage) } else { self.claim_stage };
        let Self { limit, worker, lease_ms, prefix, .. } = self;
        Claim { stage, claim_stage, limit, worker, lease_ms, prefix }
    }
}

/// The stage in which documents of `stage` are worked on where the claim does not say: the next one, unless that is the
/// last, in which they are done.
pub(crate) fn working(stages: &[String], stage: &str) -> String {
    let place = stages.iter().position(|name| name == stage).unwrap_or_default();
    let next = stages.get(place + 1).filter(|_| place + 2 < stages.len());
    next.map_or_else(|| stage.to_owned(), Clone::clone)
}

impl Pipelines {
    /// Claims documents; where there are none, waits for them as long as the claim says.
    pub(super) async fn claim(
        &self,
        queue: &Queue,
        claim: &Claim,
        wait_max: Duration,
        until: Instant,
    ) -> Result<Vec<Claimed>, Failure> {
        let until = until.checked_sub(MARGIN).unwrap_or(until).min(Instant::now() + wait_max);
        let waiting = self.wakes.of(&queue.name);
        let look = waiting.looks(&claim.stage, &claim.prefix);
        // Whoever finds something at once waits for nobody.
        let mut claimed = self.state.claim(Kind::Pipeline, &queue.name, claim).await?;
        while claimed.is_empty() && Instant::now() < until {
            let mut woken = pin!(waiting.notify.notified());
            woken.as_mut().enable();
            claimed = waiting.look(&look, until, self.state.claim(Kind::Pipeline, &queue.name, claim)).await?;
            if !claimed.is_empty() || !wait(woken, until).await {
                break;
            }
        }
        Ok(claimed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_worked_on_in_the_next_stage_but_never_in_the_last() {
        let stages = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(working(&stages(&["pending", "embedding", "indexed"]), "pending"), "embedding");
        assert_eq!(working(&stages(&["pending", "embedding", "indexed"]), "embedding"), "embedding");
        assert_eq!(working(&stages(&["pending", "indexed"]), "pending"), "pending");
    }
}
