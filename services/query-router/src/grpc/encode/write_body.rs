//! The write body.

use layer_proto::router::v1::{CopyFromNamespace, PatchByFilter, WriteRequest};
use layer_proto::types::v1::encryption::Mode;
use layer_proto::types::v1::{CustomerManagedEncryption, Encryption, Filter};

use super::document::{self, Vectors};
use super::encoder::Encoder;
use super::filter;
use super::names;
use super::schema;
use super::value;

const KNOWN_FIELDS: [&str; 21] = [
    "upsert_rows",
    "upsert_columns",
    "patch_rows",
    "patch_columns",
    "deletes",
    "upsert_condition",
    "patch_condition",
    "delete_condition",
    "delete_by_filter",
    "delete_by_filter_allow_partial",
    "patch_by_filter",
    "patch_by_filter_allow_partial",
    "schema",
    "distance_metric",
    "copy_from_namespace",
    "branch_from_namespace",
    "create_namespace",
    "encryption",
    "sharding",
    "disable_backpressure",
    "return_affected_ids",
];
/// Most shards of a namespace.
const MAX_SHARDS: u32 = 256;

/// Writes the fields of a write into the current object.
pub(super) fn members<'a>(e: &mut Encoder<'a>, request: &'a WriteRequest) {
    documents(e, request);
    conditions(e, request);
    by_filter(e, request);
    if !request.schema.is_empty() {
        e.member("schema", |e| schema::changes(e, &request.schema));
    }
    schema::optional_metric(e, request.distance_metric);
    sources(e, request);
    settings(e, request);
    names::additional(e, &request.additional_fields, &KNOWN_FIELDS);
}

fn documents<'a>(e: &mut Encoder<'a>, request: &'a WriteRequest) {
    let vectors = Vectors::declared_by(&request.schema);
    if !request.upsert_rows.is_empty() {
        e.member("upsert_rows", |e| e.list(&request.upsert_rows, |e, row| document::row(e, row, &vectors)));
    }
    if let Some(columns) = &request.upsert_columns {
        e.member("upsert_columns", |e| document::columns(e, columns, &vectors));
    }
    if !request.patch_rows.is_empty() {
        e.member("patch_rows", |e| e.list(&request.patch_rows, |e, row| document::row(e, row, &vectors)));
    }
    if let Some(columns) = &request.patch_columns {
        e.member("patch_columns", |e| document::columns(e, columns, &vectors));
    }
    if !request.deletes.is_empty() {
        e.member("deletes", |e| e.list(&request.deletes, value::id));
    }
}

fn conditions<'a>(e: &mut Encoder<'a>, request: &'a WriteRequest) {
    optional_filter(e, "upsert_condition", request.upsert_condition.as_ref());
    optional_filter(e, "patch_condition", request.patch_condition.as_ref());
    optional_filter(e, "delete_condition", request.delete_condition.as_ref());
}

fn optional_filter<'a>(e: &mut Encoder<'a>, name: &'static str, condition: Option<&'a Filter>) {
    if let Some(condition) = condition {
        e.member(name, |e| filter::filter(e, condition));
    }
}

fn by_filter<'a>(e: &mut Encoder<'a>, request: &'a WriteRequest) {
    optional_filter(e, "delete_by_filter", request.delete_by_filter.as_ref());
    flag(e, "delete_by_filter_allow_partial", request.delete_by_filter_allow_partial);
    if let Some(patch) = &request.patch_by_filter {
        let vectors = Vectors::declared_by(&request.schema);
        e.member("patch_by_filter", |e| patch_by_filter(e, patch, &vectors));
    }
    flag(e, "patch_by_filter_allow_partial", request.patch_by_filter_allow_partial);
}

fn patch_by_filter<'a>(e: &mut Encoder<'a>, patch: &'a PatchByFilter, vectors: &Vectors<'_>) {
    e.object(|e| {
        e.member("filters", |e| match &patch.filters {
            Some(filters) => filter::filter(e, filters),
            None => e.violation("is required"),
        });
        e.member("patch", |e| {
            e.check(!patch.patch.is_empty(), "must not be empty");
            e.object(|e| document::attributes(e, &patch.patch, vectors));
        });
    });
}

fn sources<'a>(e: &mut Encoder<'a>, request: &'a WriteRequest) {
    if let Some(source) = &request.copy_from_namespace {
        e.member("copy_from_namespace", |e| e.object(|e| copy_source(e, source)));
    }
    if let Some(source) = &request.branch_from_namespace {
        e.member("branch_from_namespace", |e| {
            e.object(|e| e.member("source_namespace", |e| source_namespace(e, &source.source_namespace)));
        });
    }
}

fn copy_source(e: &mut Encoder<'_>, source: &CopyFromNamespace) {
    e.member("source_namespace", |e| source_namespace(e, &source.source_namespace));
    if let Some(region) = &source.source_region {
        e.member("source_region", |e| names::required_text(e, region));
    }
    if let Some(key) = &source.source_api_key {
        e.member("source_api_key", |e| names::required_text(e, key));
    }
}

fn source_namespace(e: &mut Encoder<'_>, name: &str) {
    names::namespace(e, name);
    e.json.scalar(name);
}

fn settings<'a>(e: &mut Encoder<'a>, request: &'a WriteRequest) {
    flag(e, "create_namespace", request.create_namespace);
    if let Some(setting) = &request.encryption {
        e.member("encryption", |e| e.object(|e| encryption(e, setting)));
    }
    if let Some(sharding) = request.sharding {
        e.member("sharding", |e| {
            e.object(|e| {
                e.member("num_shards", |e| {
                    e.check((1..=MAX_SHARDS).contains(&sharding.num_shards), "must be 1 to 256");
                    e.json.scalar(&sharding.num_shards);
                });
            });
        });
    }
    flag(e, "disable_backpressure", request.disable_backpressure);
    flag(e, "return_affected_ids", request.return_affected_ids);
}

fn encryption(e: &mut Encoder<'_>, setting: &Encryption) {
    e.json.key("mode");
    match &setting.mode {
        Some(Mode::DefaultEncryption(_)) => e.json.scalar("default"),
        Some(Mode::CustomerManaged(keys)) => e.field("customer_managed", |e| customer_managed(e, keys)),
        None => e.violation("must have default_encryption or customer_managed"),
    }
}

fn customer_managed(e: &mut Encoder<'_>, keys: &CustomerManagedEncryption) {
    e.json.scalar("customer-managed");
    e.member("key_name", |e| names::required_text(e, &keys.key_name));
    if !keys.encryption_context.is_empty() {
        e.member("encryption_context", |e| e.json.scalar(&keys.encryption_context));
    }
}

fn flag(e: &mut Encoder<'_>, name: &'static str, setting: Option<bool>) {
    if let Some(on) = setting {
        e.member(name, |e| e.json.scalar(&on));
    }
}
