//! What the state says, as the contract has it.

use layer_proto::pipeline::v1::{
    ClaimedDocument, DeadLetter, Document, DocumentResult, DocumentState, DocumentStatus, FailureCount, FailureReason,
    Pipeline, PipelineSpec, PipelineStatus, RetryPolicy, StageCount,
};
use prost_types::Timestamp;

use super::Target;
use crate::{
    failure::Failure,
    state::{self, Claimed, ItemView, Outcome, Queue, Reason, Refusal, Standing, Status, Verdict},
};

/// A time of the database's clock.
pub(super) fn timestamp(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default();
    Timestamp { seconds: ms.div_euclid(1000), nanos }
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}

pub(super) fn pipeline(queue: Queue) -> Result<Pipeline, Failure> {
    let target = Target::of(&queue)?;
    let state::Spec { stages, retry, leased_max, keep_done_ms, keep_failed_ms, rest: _ } = queue.spec;
    let retry = RetryPolicy {
        attempts_max: retry.attempts_max,
        leases_lost_max: retry.leases_lost_max,
        initial_backoff_ms: retry.initial_backoff_ms,
        max_backoff_ms: retry.max_backoff_ms,
    };
    let spec = PipelineSpec {
        target_namespace: target.namespace,
        distance_metric: target.distance_metric,
        stages,
        retry: Some(retry),
        leased_max,
        keep_done_ms,
        keep_failed_ms,
    };
    Ok(Pipeline { pipeline_id: queue.name, spec: Some(spec), created_at: Some(timestamp(queue.created_ms)) })
}

pub(super) fn status(status: Status) -> PipelineStatus {
    let stage = |stage: state::StageCount| StageCount {
        ready: count(stage.ready),
        delayed: count(stage.delayed),
        leased: count(stage.leased),
        ended: count(stage.ended),
        stage: stage.stage,
    };
    let failure = |(why, n): (Reason, i64)| FailureCount { reason: reason(why).into(), count: count(n) };
    PipelineStatus {
        stages: status.stages.into_iter().map(stage).collect(),
        failures: status.failures.into_iter().map(failure).collect(),
        done_per_minute: status.done_per_minute,
        rate_window_ms: count(status.rate_window_ms),
    }
}

fn reason(reason: Reason) -> FailureReason {
    match reason {
        Reason::Permanent => FailureReason::Permanent,
        Reason::Attempts => FailureReason::Attempts,
        Reason::Leases => FailureReason::Leases,
        Reason::Requested => FailureReason::Requested,
    }
}

pub(super) fn document(item: ItemView) -> Document {
    let state = match item.standing {
        Standing::Ready => DocumentState::Ready,
        Standing::Delayed => DocumentState::Delayed,
        Standing::Leased => DocumentState::Leased,
        Standing::Done => DocumentState::Done,
        Standing::Dead(_) => DocumentState::Dead,
    };
    Document {
        document_id: item.item,
        stage: item.stage,
        state: state.into(),
        version: count(item.version),
        attempts: item.attempts,
        worker_id: item.worker.unwrap_or_default(),
        wakes_at: item.wake_ms.map(timestamp),
        chunk_count: item.body.map_or(0, |body| body.chunks),
        priority: item.priority.into(),
    }
}

pub(super) fn claimed(claimed: Claimed) -> ClaimedDocument {
    ClaimedDocument {
        document_id: claimed.item,
        token: count(claimed.token),
        version: count(claimed.version),
        attempt: claimed.attempt,
        chunk_count: claimed.body.map_or(0, |body| body.chunks),
    }
}

pub(super) fn result(outcome: Outcome) -> DocumentResult {
    let status = verdict(outcome.verdict).into();
    DocumentResult { document_id: outcome.item, status, stage: outcome.stage.unwrap_or_default() }
}

pub(super) fn verdict(verdict: Verdict) -> DocumentStatus {
    match verdict {
        Ok(()) => DocumentStatus::Done,
        Err(Refusal::NotFound) => DocumentStatus::NotFound,
        Err(Refusal::StaleToken) => DocumentStatus::StaleToken,
        Err(Refusal::StaleVersion) => DocumentStatus::StaleVersion,
        Err(Refusal::NotLeased) => DocumentStatus::NotLeased,
        Err(Refusal::OtherWorker) => DocumentStatus::OtherWorker,
        Err(Refusal::WrongStage) => DocumentStatus::WrongStage,
    }
}

pub(super) fn dead_letter(letter: state::DeadLetter) -> DeadLetter {
    DeadLetter {
        document_id: letter.item,
        reason: reason(letter.reason).into(),
        message: letter.message,
        stage: letter.stage,
        attempts: letter.attempts,
        failed_at: Some(timestamp(letter.failed_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_are_times_too() {
        assert_eq!(timestamp(1500), Timestamp { seconds: 1, nanos: 500_000_000 });
        assert_eq!(timestamp(-500), Timestamp { seconds: -1, nanos: 500_000_000 });
    }
}
