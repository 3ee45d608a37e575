//! What a function does, between the published form and the contract's.
//!
//! Two things differ. The published form has seconds where the contract has milliseconds, and it bounds batches in flight
//! where the contract bounds items: a batch is as large as `worker.batch_size` says.

use layer_proto::function::v1::{FunctionRetry, FunctionSchedule, FunctionSpec, Trigger};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    grpc::typed::{read_filter, write_filter},
    pipelines::{Number, present, refuse},
    refusal::Refusal,
};

/// Items of a batch where the worker's specification does not say.
const BATCH_SIZE: u32 = 32;
/// The longest time in seconds that fits milliseconds everywhere: a century.
const SECONDS_MAX: u64 = 3_155_760_000;

/// A specification as callers send it.
#[derive(Deserialize)]
pub(super) struct SpecIn {
    index_selector: Option<Box<RawValue>>,
    target_namespaces: Option<Vec<String>>,
    inputs: Option<Vec<String>>,
    version: Option<String>,
    filter: Option<Box<RawValue>>,
    worker: Option<Box<RawValue>>,
    schedule: Option<ScheduleIn>,
    retry: Option<RetryIn>,
    triggers: Option<Vec<TriggerName>>,
    invalidates: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
struct ScheduleIn {
    discovery_interval_seconds: Number,
    lease_seconds: Number,
    max_in_flight_batches: Number,
    leased_max: Number,
    max_concurrent_scans: Number,
    cron: Option<String>,
    stale_after_seconds: Number,
}

#[derive(Deserialize)]
struct RetryIn {
    max_attempts: Number,
    initial_backoff_seconds: Number,
    max_backoff_seconds: Number,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum TriggerName {
    Discovery,
    Write,
    Schedule,
}

/// What of a worker's specification matters here.
#[derive(Default, Deserialize)]
struct Worker {
    batch_size: Option<u32>,
}

impl SpecIn {
    /// As the contract has it.
    pub(super) fn message(self) -> Result<FunctionSpec, Refusal> {
        let worker_json = self.worker.map(|raw| object("spec.worker", &raw)).transpose()?.unwrap_or_default();
        let filter = self.filter.map(|raw| read_filter(&raw)).transpose();
        Ok(FunctionSpec {
            target_namespaces: self.target_namespaces.unwrap_or_default(),
            inputs: self.inputs.unwrap_or_default(),
            version: self.version.unwrap_or_default(),
            filter: filter.map_err(|fault| refuse("spec.filter", fault))?,
            schedule: self.schedule.map(|schedule| schedule.message(batch_size(&worker_json))).transpose()?,
            worker_json,
            retry: self.retry.map(RetryIn::message).transpose()?,
            triggers: self.triggers.unwrap_or_default().into_iter().map(|name| name.message().into()).collect(),
            invalidates: self.invalidates.unwrap_or_default(),
            index_selector_json: self.index_selector.map(|raw| raw.get().to_owned()).unwrap_or_default(),
        })
    }
}

fn object(field: &str, raw: &RawValue) -> Result<String, Refusal> {
    match raw.get().starts_with('{') {
        true => Ok(raw.get().to_owned()),
        false => Err(refuse(field, "must be an object")),
    }
}

fn batch_size(worker_json: &str) -> u32 {
    let worker: Worker = serde_json::from_str(worker_json).unwrap_or_default();
    worker.batch_size.filter(|size| *size > 0).unwrap_or(BATCH_SIZE)
}

fn milliseconds(field: &str, seconds: Number) -> Result<u64, Refusal> {
    match present::<u64>(field, seconds)? {
        seconds if seconds <= SECONDS_MAX => Ok(seconds * 1000),
        _ => Err(refuse(field, "is too large")),
    }
}

impl ScheduleIn {
    fn message(self, batch_size: u32) -> Result<FunctionSchedule, Refusal> {
        let leased_max = match (self.leased_max, self.max_in_flight_batches) {
            (None, batches) => {
                present::<u32>("spec.schedule.max_in_flight_batches", batches)?.saturating_mul(batch_size)
            }
            (items, _) => present("spec.schedule.leased_max", items)?,
        };
        Ok(FunctionSchedule {
            discovery_interval_ms: milliseconds(
                "spec.schedule.discovery_interval_seconds",
                self.discovery_interval_seconds,
            )?,
            lease_ms: milliseconds("spec.schedule.lease_seconds", self.lease_seconds)?,
            leased_max,
            scans_max: present("spec.schedule.max_concurrent_scans", self.max_concurrent_scans)?,
            cron: self.cron.unwrap_or_default(),
            stale_after_ms: milliseconds("spec.schedule.stale_after_seconds", self.stale_after_seconds)?,
        })
    }
}

impl RetryIn {
    fn message(self) -> Result<FunctionRetry, Refusal> {
        Ok(FunctionRetry {
            attempts_max: present("spec.retry.max_attempts", self.max_attempts)?,
            initial_backoff_ms: milliseconds("spec.retry.initial_backoff_seconds", self.initial_backoff_seconds)?,
            max_backoff_ms: milliseconds("spec.retry.max_backoff_seconds", self.max_backoff_seconds)?,
        })
    }
}

impl TriggerName {
    fn message(self) -> Trigger {
        match self {
            Self::Discovery => Trigger::Discovery,
            Self::Write => Trigger::Write,
            Self::Schedule => Trigger::Schedule,
        }
    }

    fn of(trigger: Trigger) -> Option<Self> {
        match trigger {
            Trigger::Unspecified => None,
            Trigger::Discovery => Some(Self::Discovery),
            Trigger::Write => Some(Self::Write),
            Trigger::Schedule => Some(Self::Schedule),
        }
    }
}

/// A specification as callers get it.
#[derive(Serialize)]
pub(super) struct SpecOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    index_selector: Option<Box<RawValue>>,
    target_namespaces: Vec<String>,
    inputs: Vec<String>,
    version: String,
    filter: Option<Box<RawValue>>,
    worker: Box<RawValue>,
    schedule: Option<ScheduleOut>,
    retry: Option<RetryOut>,
    triggers: Vec<TriggerName>,
    invalidates: Vec<String>,
}

#[derive(Serialize)]
struct ScheduleOut {
    discovery_interval_seconds: u64,
    lease_seconds: u64,
    max_in_flight_batches: Option<u32>,
    leased_max: u32,
    max_concurrent_scans: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    cron: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_after_seconds: Option<u64>,
}

#[derive(Serialize)]
struct RetryOut {
    max_attempts: u32,
    initial_backoff_seconds: u64,
    max_backoff_seconds: u64,
}

impl SpecOut {
    pub(super) fn of(spec: FunctionSpec) -> Self {
        let batch_size = batch_size(&spec.worker_json);
        let triggers = spec.triggers().filter_map(TriggerName::of).collect();
        Self {
            index_selector: raw(spec.index_selector_json),
            filter: spec.filter.as_ref().and_then(write_filter),
            worker: raw(spec.worker_json).unwrap_or_else(empty_object),
            schedule: spec.schedule.map(|schedule| ScheduleOut::of(schedule, batch_size)),
            retry: spec.retry.map(RetryOut::of),
            triggers,
            target_namespaces: spec.target_namespaces,
            inputs: spec.inputs,
            version: spec.version,
            invalidates: spec.invalidates,
        }
    }
}

fn raw(text: String) -> Option<Box<RawValue>> {
    RawValue::from_string(text).ok()
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}

impl ScheduleOut {
    fn of(schedule: FunctionSchedule, batch_size: u32) -> Self {
        Self {
            discovery_interval_seconds: schedule.discovery_interval_ms.div_ceil(1000),
            lease_seconds: schedule.lease_ms.div_ceil(1000),
            max_in_flight_batches: Some(schedule.leased_max.div_ceil(batch_size)).filter(|batches| *batches > 0),
            leased_max: schedule.leased_max,
            max_concurrent_scans: schedule.scans_max,
            cron: schedule.cron,
            stale_after_seconds: Some(schedule.stale_after_ms.div_ceil(1000)).filter(|seconds| *seconds > 0),
        }
    }
}

impl RetryOut {
    fn of(retry: FunctionRetry) -> Self {
        Self {
            max_attempts: retry.attempts_max,
            initial_backoff_seconds: retry.initial_backoff_ms.div_ceil(1000),
            max_backoff_seconds: retry.max_backoff_ms.div_ceil(1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(spec: Value) -> Result<FunctionSpec, String> {
        let spec: SpecIn = serde_json::from_str(&spec.to_string()).map_err(|error| error.to_string())?;
        spec.message().map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_specification_comes_back_as_it_was_sent() {
        let sent = json!({
            "index_selector": {"labels": ["a"]},
            "target_namespaces": ["n"], "inputs": ["text"], "version": "v2",
            "filter": ["And", [["lang", "Eq", "en"], ["size", "Lt", 18446744073709551615u64]]],
            "worker": {"image": "i", "batch_size": 16, "timeout_seconds": 30, "own": 1.5},
            "schedule": {"discovery_interval_seconds": 60, "lease_seconds": 120, "max_in_flight_batches": 8,
                         "leased_max": 128, "max_concurrent_scans": 4, "cron": "0 3 * * *", "stale_after_seconds": 86400},
            "retry": {"max_attempts": 8, "initial_backoff_seconds": 5, "max_backoff_seconds": 300},
            "triggers": ["discovery", "write", "schedule"], "invalidates": ["other"],
        });
        let typed = read(sent.clone()).unwrap();
        assert_eq!(typed.schedule.as_ref().unwrap().lease_ms, 120_000);
        assert_eq!(serde_json::to_value(SpecOut::of(typed)).unwrap(), sent);
    }

    #[test]
    fn batches_in_flight_are_items_by_the_size_of_a_batch() {
        let of = |worker: Value, schedule: Value| {
            let spec = read(json!({"target_namespaces": [], "worker": worker, "schedule": schedule})).unwrap();
            spec.schedule.unwrap().leased_max
        };
        assert_eq!(of(json!({"batch_size": 10}), json!({"max_in_flight_batches": 8})), 80);
        assert_eq!(of(json!({}), json!({"max_in_flight_batches": 8})), 256);
        assert_eq!(of(json!({}), json!({"max_in_flight_batches": 8, "leased_max": 5})), 5);
        assert_eq!(of(json!({}), json!({})), 0);
    }

    #[test]
    fn what_is_left_out_is_left_to_the_service() {
        let typed = read(json!({"worker": {}, "filter": null, "schedule": null})).unwrap();
        assert_eq!(typed, FunctionSpec { worker_json: "{}".to_owned(), ..FunctionSpec::default() });
        let shown = serde_json::to_value(SpecOut::of(FunctionSpec::default())).unwrap();
        assert_eq!((&shown["worker"], &shown["filter"], &shown["schedule"]), (&json!({}), &json!(null), &json!(null)));
    }

    #[test]
    fn what_is_wrong_is_refused_by_name() {
        for (spec, named) in [
            (json!({"worker": 1}), "spec.worker: must be an object"),
            (json!({"filter": ["a"]}), "spec.filter: "),
            (json!({"triggers": ["sometimes"]}), "sometimes"),
            (json!({"schedule": {"lease_seconds": 0}}), "integer `0`"),
            (json!({"schedule": {"lease_seconds": u64::MAX}}), "spec.schedule.lease_seconds: is too large"),
            (json!({"schedule": {"leased_max": 1u64 << 32}}), "spec.schedule.leased_max: is too large"),
            (json!({"retry": {"max_attempts": 1u64 << 32}}), "spec.retry.max_attempts: is too large"),
        ] {
            let fault = read(spec.clone()).expect_err(named);
            assert!(fault.contains(named), "{spec}: {fault}");
        }
    }
}
