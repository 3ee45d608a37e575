//! Requests are checked whole before anything is done, by the limits that the contract states.

use std::collections::{BTreeMap, HashSet};

use layer_proto::{
    function::v1::{FunctionSpec, ItemGuard, Trigger},
    types::v1::{Id, Value, id::Kind},
};
use layer_service::grpc::status;
use tonic::Status;
use tonic_types::FieldViolation;

use super::{cron::Schedule, marks::RESERVED_PREFIX};

/// Items of one call.
const ITEMS_MAX: usize = 1000;
const NAMESPACES_MAX: usize = 1000;
const ATTRIBUTES_MAX: usize = 1024;
const ID_BYTES_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 128;
/// The specification's parts that Layer only keeps, each.
const KEPT_BYTES_MAX: usize = 64 * 1024;
const DAY_MS: u64 = 86_400_000;

/// Collects what is wrong with a request.
#[derive(Default)]
pub(crate) struct Check {
    violations: Vec<FieldViolation>,
}

impl Check {
    /// Nothing is wrong with the request, or the error that says what is.
    pub(crate) fn done(self) -> Result<(), Status> {
        if self.violations.is_empty() { Ok(()) } else { Err(status::invalid(self.violations)) }
    }

    pub(crate) fn refuse(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.violations.push(FieldViolation::new(field, reason));
    }

    fn require(&mut self, holds: bool, field: &str, reason: &str) {
        if !holds {
            self.refuse(field, reason);
        }
    }

    /// A function's id.
    pub(crate) fn function_id(&mut self, id: &str) {
        self.require(is_function_id(id), "function_id", "must be 1 to 64 letters, digits, `-` and `_`");
    }

    /// A namespace's name.
    pub(crate) fn namespace(&mut self, field: &str, name: &str) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let good = (1..=128).contains(&name.len()) && name.bytes().all(plain);
        self.require(good, field, "must be 1 to 128 letters, digits, `-`, `_` and `.`");
    }

    /// Who claims.
    pub(crate) fn worker(&mut self, id: &str, required: bool) {
        let least = usize::from(required);
        let good = (least..=128).contains(&id.len()) && !id.contains('\0');
        self.require(good, "worker_id", if required { "must be 1 to 128 bytes" } else { "must be 128 bytes at most" });
    }

    /// A lease's length; 0 is left to the function.
    pub(crate) fn lease(&mut self, field: &str, lease_ms: u64) {
        self.require(lease_ms == 0 || (1000..=DAY_MS).contains(&lease_ms), field, "must be 1,000 to 86,400,000, or 0");
    }

    /// A row's id.
    pub(crate) fn id(&mut self, field: &str, id: Option<&Id>) {
        match id.and_then(|id| id.kind.as_ref()) {
            None => self.refuse(field, "is required"),
            Some(Kind::StringValue(text)) if text.len() > ID_BYTES_MAX => {
                self.refuse(field, "must be 64 bytes at most");
            }
            Some(_) => {}
        }
    }

    /// The rows of a call: 1 to 1,000, each once.
    pub(crate) fn items<'a>(&mut self, items: impl ExactSizeIterator<Item = Option<&'a ItemGuard>>) {
        if !(1..=ITEMS_MAX).contains(&items.len()) {
            return self.refuse("items", "must be 1 to 1,000");
        }
        let mut seen = HashSet::new();
        for (place, item) in items.enumerate() {
            let Some(item) = item else {
                self.refuse(format!("items[{place}].item"), "is required");
                continue;
            };
            self.namespace(&format!("items[{place}].namespace"), &item.namespace);
            self.id(&format!("items[{place}].id"), item.id.as_ref());
            let id = item.id.as_ref().and_then(|id| super::item_id::item_of(&item.namespace, id));
            if id.is_some_and(|id| !seen.insert(id)) {
                self.refuse(format!("items[{place}]"), "names a row that is named before");
            }
        }
    }

    /// What a row gains.
    pub(crate) fn attributes(&mut self, place: usize, attributes: &BTreeMap<String, Value>) {
        let field = format!("items[{place}].attributes");
        self.require(attributes.len() <= ATTRIBUTES_MAX, &field, "must be 1,024 at most");
        for (name, value) in attributes {
            if let Some(fault) = fault_of_name(name) {
                self.refuse(&field, format!("has a name that {fault}"));
            }
            if value.kind.is_none() {
                self.refuse(&field, "has a value that is not set");
            }
        }
    }

    /// What a function does.
    pub(crate) fn spec(&mut self, function_id: &str, spec: Option<&FunctionSpec>) {
        let Some(spec) = spec else { return self.refuse("spec", "is required") };
        let many = (1..=NAMESPACES_MAX).contains(&spec.target_namespaces.len());
        self.require(many, "spec.target_namespaces", "must be 1 to 1,000 names");
        let mut seen = HashSet::new();
        for (place, name) in spec.target_namespaces.iter().enumerate() {
            self.namespace(&format!("spec.target_namespaces[{place}]"), name);
            self.require(seen.insert(name), "spec.target_namespaces", "must name each namespace once");
        }
        self.require(spec.inputs.len() <= 256, "spec.inputs", "must be 256 at most");
        for (place, name) in spec.inputs.iter().enumerate() {
            let good = (1..=NAME_BYTES_MAX).contains(&name.len()) && name != "id" && !name.starts_with('$');
            self.require(good, &format!("spec.inputs[{place}]"), "must be an attribute's name of 1 to 128 bytes");
        }
        let version = spec.version.len() <= 64 && !spec.version.chars().any(char::is_control);
        self.require(version, "spec.version", "must be 64 bytes at most, without control characters");
        let filter = prost::Message::encoded_len(&spec.filter.clone().unwrap_or_default());
        self.require(filter <= KEPT_BYTES_MAX, "spec.filter", "must be 64 KiB at most");
        self.kept("spec.worker_json", &spec.worker_json);
        self.kept("spec.index_selector_json", &spec.index_selector_json);
        self.schedule(spec);
        self.retry(spec);
        self.require(spec.invalidates.len() <= 32, "spec.invalidates", "must be 32 ids at most");
        for (place, id) in spec.invalidates.iter().enumerate() {
            let good = is_function_id(id) && id.replace('-', "_") != function_id.replace('-', "_");
            self.require(good, &format!("spec.invalidates[{place}]"), "must be the id of another function");
        }
    }

    /// What Layer keeps and does not look at.
    fn kept(&mut self, field: &str, text: &str) {
        let json = text.is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        self.require(json && text.len() <= KEPT_BYTES_MAX, field, "must be JSON of 64 KiB at most");
    }

    fn schedule(&mut self, spec: &FunctionSpec) {
        let schedule = spec.schedule.clone().unwrap_or_default();
        let interval = schedule.discovery_interval_ms;
        let good = interval == 0 || (1000..=30 * DAY_MS).contains(&interval);
        self.require(good, "spec.schedule.discovery_interval_ms", "must be a second to 30 days, or 0");
        self.lease("spec.schedule.lease_ms", schedule.lease_ms);
        let leased = i32::try_from(schedule.leased_max).is_ok();
        self.require(leased, "spec.schedule.leased_max", "must be below 2^31");
        self.require(schedule.scans_max <= 64, "spec.schedule.scans_max", "must be 64 at most");
        let good = schedule.stale_after_ms == 0 || (1000..=36_500 * DAY_MS).contains(&schedule.stale_after_ms);
        self.require(good, "spec.schedule.stale_after_ms", "must be a second to 100 years, or 0");
        let mut timed = false;
        for (place, trigger) in spec.triggers.iter().enumerate() {
            match Trigger::try_from(*trigger) {
                Ok(Trigger::Unspecified) | Err(_) => {
                    self.refuse(format!("spec.triggers[{place}]"), "must be one of those that the contract names");
                }
                Ok(trigger) => timed |= trigger == Trigger::Schedule,
            }
        }
        self.require(spec.triggers.len() <= 8, "spec.triggers", "must be 8 at most");
        self.require(
            timed != schedule.cron.is_empty(),
            "spec.schedule.cron",
            "belongs to TRIGGER_SCHEDULE, which needs it",
        );
        if !schedule.cron.is_empty()
            && let Err(fault) = Schedule::parse(&schedule.cron)
        {
            self.refuse("spec.schedule.cron", fault);
        }
    }

    fn retry(&mut self, spec: &FunctionSpec) {
        let retry = spec.retry.unwrap_or_default();
        self.require(retry.attempts_max <= 1000, "spec.retry.attempts_max", "must be 1,000 at most");
        self.require(retry.max_backoff_ms <= DAY_MS, "spec.retry.max_backoff_ms", "must be a day at most");
        let (initial, max) =
            (retry.initial_backoff_ms, if retry.max_backoff_ms == 0 { 300_000 } else { retry.max_backoff_ms });
        self.require(initial <= max, "spec.retry.initial_backoff_ms", "must not be more than the longest backoff");
    }
}

/// Whether a text may be a function's id.
fn is_function_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn fault_of_name(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("is empty"),
        "id" => Some("is `id`"),
        _ if name.len() > NAME_BYTES_MAX => Some("has more than 128 bytes"),
        _ if name.starts_with('$') => Some("begins with `$`"),
        _ if name.starts_with(RESERVED_PREFIX) => Some("begins with `_hevlayer_`: those are Layer's own"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use layer_proto::function::v1::{FunctionRetry, FunctionSchedule};

    use super::*;

    fn spec() -> FunctionSpec {
        FunctionSpec { target_namespaces: vec!["n".to_owned()], ..FunctionSpec::default() }
    }

    fn fault(change: impl FnOnce(&mut FunctionSpec)) -> Option<String> {
        let mut spec = spec();
        change(&mut spec);
        let mut check = Check::default();
        check.spec("f", Some(&spec));
        check.violations.first().map(|violation| violation.field.clone())
    }

    fn scheduled(change: impl FnOnce(&mut FunctionSchedule)) -> Option<String> {
        fault(|spec| {
            let mut schedule = FunctionSchedule::default();
            change(&mut schedule);
            spec.schedule = Some(schedule);
        })
    }

    #[test]
    fn a_function_that_makes_no_sense_is_refused_by_the_fields_name() {
        assert_eq!(fault(|_| {}), None);
        let refused = |found: Option<String>, field: &str| assert_eq!(found.as_deref(), Some(field));
        refused(fault(|s| s.target_namespaces.clear()), "spec.target_namespaces");
        refused(fault(|s| s.target_namespaces.push("n".to_owned())), "spec.target_namespaces");
        refused(fault(|s| s.target_namespaces.push("a/b".to_owned())), "spec.target_namespaces[1]");
        refused(fault(|s| s.inputs.push("id".to_owned())), "spec.inputs[0]");
        refused(fault(|s| s.version = "v\n".to_owned()), "spec.version");
        refused(fault(|s| s.worker_json = "{".to_owned()), "spec.worker_json");
        refused(fault(|s| s.index_selector_json = "x".to_owned()), "spec.index_selector_json");
        refused(fault(|s| s.triggers = vec![0]), "spec.triggers[0]");
        refused(fault(|s| s.triggers = vec![Trigger::Schedule.into()]), "spec.schedule.cron");
        refused(fault(|s| s.invalidates = vec!["F".to_owned(), "f".to_owned()]), "spec.invalidates[1]");
        refused(scheduled(|s| s.cron = "0 0 * * *".to_owned()), "spec.schedule.cron");
        refused(scheduled(|s| s.lease_ms = 999), "spec.schedule.lease_ms");
        refused(scheduled(|s| s.discovery_interval_ms = 1), "spec.schedule.discovery_interval_ms");
        refused(scheduled(|s| s.scans_max = 65), "spec.schedule.scans_max");
        refused(scheduled(|s| s.stale_after_ms = 1), "spec.schedule.stale_after_ms");
        let retry = FunctionRetry { initial_backoff_ms: 300_001, ..FunctionRetry::default() };
        refused(fault(|s| s.retry = Some(retry)), "spec.retry.initial_backoff_ms");
        let mut check = Check::default();
        check.spec("f", None);
        assert_eq!(check.violations[0].field, "spec");
    }

    #[test]
    fn a_line_of_a_schedule_is_read() {
        let with = |line: &str| {
            fault(|spec| {
                spec.triggers = vec![Trigger::Schedule.into()];
                spec.schedule = Some(FunctionSchedule { cron: line.to_owned(), ..FunctionSchedule::default() });
            })
        };
        assert_eq!(with("*/5 * * * *"), None);
        assert_eq!(with("*/5 * * *").as_deref(), Some("spec.schedule.cron"));
    }

    #[test]
    fn rows_are_named_once_and_wholly() {
        let guard = |text: Option<&str>| ItemGuard {
            namespace: "n".to_owned(),
            id: text.map(|text| Id { kind: Some(Kind::StringValue(text.to_owned())) }),
            token: 0,
        };
        let faults = |items: &[Option<ItemGuard>]| -> Vec<String> {
            let mut check = Check::default();
            check.items(items.iter().map(Option::as_ref));
            check.violations.into_iter().map(|violation| violation.field).collect()
        };
        assert!(faults(&[Some(guard(Some("a"))), Some(guard(Some("")))]).is_empty());
        assert_eq!(faults(&[]), ["items"]);
        assert_eq!(faults(&[None, Some(guard(None))]), ["items[0].item", "items[1].id"]);
        assert_eq!(faults(&[Some(guard(Some("a"))), Some(guard(Some("a")))]), ["items[1]"]);
        assert_eq!(faults(&[Some(guard(Some(&"x".repeat(65))))]), ["items[0].id"]);
    }

    #[test]
    fn layers_own_names_are_refused() {
        let faults = |name: &str, value: Option<i64>| {
            let mut check = Check::default();
            let value = value.map_or_else(Value::default, super::super::marks::int);
            check.attributes(3, &BTreeMap::from([(name.to_owned(), value)]));
            check.violations.len()
        };
        assert_eq!(faults("a", Some(1)), 0);
        for name in ["", "id", "$dist", "_hevlayer_x"] {
            assert_eq!(faults(name, Some(1)), 1, "{name}");
        }
        assert_eq!(faults("a", None), 1);
    }
}
