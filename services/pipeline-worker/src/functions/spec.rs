//! What a function does, as it is kept in its queue.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use layer_proto::function::v1::{Function, FunctionRetry, FunctionSchedule, FunctionSpec, Trigger};
use prost::Message as _;
use prost_types::Timestamp;
use serde::{Deserialize, Serialize};

use super::{cron::Schedule, marks::Marks};
use crate::state::{Error, Plan, Queue, Retry, Spec};

/// The stage in which rows wait.
pub(crate) const PENDING: &str = "pending";
/// The stage in which workers have them.
pub(crate) const RUNNING: &str = "running";
/// The last stage, in which nothing ever is: what is done leaves the queue.
const DONE: &str = "done";

/// The kept form of a specification. The contract's own encoding lives through changes of the contract by its rules.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: String,
    spec: String,
}

/// A function as it stands in the state store.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) queue: Queue,
    pub(crate) spec: FunctionSpec,
    pub(crate) marks: Marks,
}

impl Registered {
    /// Reads a function's queue.
    pub(crate) fn read(queue: Queue) -> Result<Self, Error> {
        let kept: Kept = serde_json::from_str(&queue.spec.rest).map_err(|error| broken(&error))?;
        let bytes = STANDARD.decode(kept.spec).map_err(|error| broken(&error))?;
        let spec = FunctionSpec::decode(bytes.as_slice()).map_err(|error| broken(&error))?;
        Ok(Self { marks: Marks::of(&queue.name), spec, queue })
    }

    pub(crate) fn id(&self) -> &str {
        &self.queue.name
    }

    pub(crate) fn schedule(&self) -> FunctionSchedule {
        self.spec.schedule.clone().unwrap_or_default()
    }

    /// Whether results are good for a time only.
    pub(crate) fn ages(&self) -> bool {
        self.schedule().stale_after_ms > 0
    }

    pub(crate) fn has(&self, trigger: Trigger) -> bool {
        self.spec.triggers.contains(&trigger.into())
    }

    pub(crate) fn targets(&self, namespace: &str) -> bool {
        self.spec.target_namespaces.iter().any(|target| target == namespace)
    }

    /// How long a lease lasts where a call does not say.
    pub(crate) fn lease_ms(&self, asked: u64) -> u64 {
        if asked == 0 { self.schedule().lease_ms } else { asked }
    }

    /// What the function wants of its rounds at a moment of the database's clock.
    pub(crate) fn plan(&self, ready_max: i64, now_ms: i64) -> Plan {
        let schedule = self.schedule();
        let interval = i64::try_from(schedule.discovery_interval_ms).unwrap_or(i64::MAX);
        let cron = Schedule::parse(&schedule.cron).ok().filter(|_| self.has(Trigger::Schedule));
        Plan {
            namespaces: self.spec.target_namespaces.clone(),
            interval_ms: self.has(Trigger::Discovery).then_some(interval),
            cron_ms: cron.and_then(|cron| cron.after(now_ms)),
            ready_max,
        }
    }

    /// The function as callers see it.
    pub(crate) fn shown(&self) -> Function {
        Function {
            function_id: self.queue.name.clone(),
            spec: Some(self.spec.clone()),
            paused: self.queue.paused,
            created_at: Some(moment(self.queue.created_ms)),
            updated_at: Some(moment(self.queue.updated_ms)),
        }
    }
}

/// The specification with its defaults filled in.
pub(crate) fn filled_in(mut spec: FunctionSpec) -> FunctionSpec {
    if spec.version.is_empty() {
        "v1".clone_into(&mut spec.version);
    }
    if spec.triggers.is_empty() {
        spec.triggers.push(Trigger::Discovery.into());
    }
    spec.triggers.sort_unstable();
    spec.triggers.dedup();
    let schedule = spec.schedule.get_or_insert_default();
    or(&mut schedule.discovery_interval_ms, 60_000);
    or(&mut schedule.lease_ms, 120_000);
    or(&mut schedule.scans_max, 4);
    let retry = spec.retry.get_or_insert_default();
    or(&mut retry.attempts_max, 8);
    or(&mut retry.max_backoff_ms, 300_000);
    let first = retry.max_backoff_ms.min(5000);
    or(&mut retry.initial_backoff_ms, first);
    spec
}

fn or<T: Default + PartialEq>(field: &mut T, default: T) {
    if *field == T::default() {
        *field = default;
    }
}

/// The queue's specification of a function's, which has its defaults filled in.
pub(crate) fn to_queue(spec: &FunctionSpec) -> Result<Spec, Error> {
    let FunctionRetry { attempts_max, initial_backoff_ms, max_backoff_ms } = spec.retry.unwrap_or_default();
    let kept = Kept { version: spec.version.clone(), spec: STANDARD.encode(spec.encode_to_vec()) };
    Ok(Spec {
        stages: [PENDING, RUNNING, DONE].map(str::to_owned).to_vec(),
        retry: Retry { attempts_max, initial_backoff_ms, max_backoff_ms, ..Retry::default() },
        leased_max: spec.schedule.as_ref().map_or(0, |schedule| schedule.leased_max),
        rest: serde_json::to_string(&kept).map_err(|error| broken(&error))?,
        ..Spec::default()
    })
}

/// Whether a change makes what is claimed worthless: the version is another.
pub(crate) fn outdates(old: &Spec, new: &Spec) -> bool {
    let version = |spec: &Spec| serde_json::from_str::<Kept>(&spec.rest).ok().map(|kept| kept.version);
    version(old) != version(new)
}

/// A moment of the database's clock.
pub(crate) fn moment(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default();
    Timestamp { seconds: ms.div_euclid(1000), nanos }
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::Broken(format!("a function's specification: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Kind;

    fn registered(spec: FunctionSpec) -> Registered {
        let spec = to_queue(&filled_in(spec)).unwrap();
        let (name, kind) = ("f".to_owned(), Kind::Function);
        let queue = Queue { id: 1, kind, name, spec, created_ms: 1500, updated_ms: 2, paused: true, generation: 0 };
        Registered::read(queue).unwrap()
    }

    #[test]
    fn what_is_kept_is_read_again_with_its_defaults() {
        let mut spec = FunctionSpec { target_namespaces: vec!["n".to_owned()], ..FunctionSpec::default() };
        spec.filter = Some(super::super::marks::written_at(&[Some(1)]));
        let function = registered(spec.clone());
        assert_eq!((function.spec.filter.clone(), function.spec.version.as_str()), (spec.filter.clone(), "v1"));
        assert_eq!(function.spec.triggers, [i32::from(Trigger::Discovery)]);
        let (schedule, retry) = (function.schedule(), function.spec.retry.unwrap());
        assert_eq!((schedule.discovery_interval_ms, schedule.lease_ms, schedule.scans_max), (60_000, 120_000, 4));
        assert_eq!((retry.attempts_max, retry.initial_backoff_ms, retry.max_backoff_ms), (8, 5000, 300_000));
        let shown = function.shown();
        assert_eq!(shown.created_at, Some(Timestamp { seconds: 1, nanos: 500_000_000 }));
        assert!(shown.paused && function.targets("n") && !function.targets("m"));
        let again = filled_in(function.spec.clone());
        assert_eq!(again, function.spec, "filling in twice changes nothing");
    }

    #[test]
    fn only_another_version_outdates_what_is_claimed() {
        let one = registered(FunctionSpec::default());
        let other = FunctionSpec { version: "v2".to_owned(), ..one.spec.clone() };
        let inputs = FunctionSpec { inputs: vec!["a".to_owned()], ..one.spec.clone() };
        assert!(outdates(&one.queue.spec, &to_queue(&other).unwrap()));
        assert!(!outdates(&one.queue.spec, &to_queue(&inputs).unwrap()));
    }

    #[test]
    fn rounds_follow_the_triggers() {
        let mut spec = FunctionSpec { target_namespaces: vec!["n".to_owned()], ..FunctionSpec::default() };
        let plan = registered(spec.clone()).plan(7, 0);
        assert_eq!((plan.interval_ms, plan.cron_ms, plan.ready_max), (Some(60_000), None, 7));
        spec.triggers = vec![Trigger::Schedule.into(), Trigger::Write.into()];
        spec.schedule = Some(FunctionSchedule { cron: "0 1 * * *".to_owned(), ..FunctionSchedule::default() });
        let plan = registered(spec).plan(7, 0);
        assert_eq!((plan.interval_ms, plan.cron_ms), (None, Some(3_600_000)));
    }
}
