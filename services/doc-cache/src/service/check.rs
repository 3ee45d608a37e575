//! Requests are checked whole before anything is done, against the limits that the contract states.

use std::time::Duration;

use bytes::Bytes;
use layer_proto::cache::v1 as proto;
use layer_service::grpc::status;
use tonic::Status;
use tonic_types::FieldViolation;

use super::lease;
use crate::{
    backend::{Body, Fill, Id, Kind, Scope, WriteId},
    settings::ValueSettings,
};

const TENANT_BYTES: std::ops::RangeInclusive<usize> = 1..=64;
const NAMESPACE_BYTES: std::ops::RangeInclusive<usize> = 1..=128;
const ID_BYTES: std::ops::RangeInclusive<usize> = 1..=1024;
/// Keys of one call.
const KEYS_MAX: usize = 10_000;
const CONTENT_TYPE_BYTES_MAX: usize = 64;
/// The longest that a hold may stand unreleased: eight times the longest write of the origin and its margin.
const HOLD_MS: std::ops::RangeInclusive<u32> = 1..=600_000;

/// Collects what is wrong with a request.
#[derive(Default)]
pub(super) struct Check {
    violations: Vec<FieldViolation>,
}

impl Check {
    /// What was made of the request, if nothing is wrong with it.
    pub(super) fn done<T>(self, made: T) -> Result<T, Status> {
        if self.violations.is_empty() { Ok(made) } else { Err(status::invalid(self.violations)) }
    }

    fn refuse(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.violations.push(FieldViolation::new(field, reason));
    }

    fn length(&mut self, field: &str, length: usize, range: &std::ops::RangeInclusive<usize>) {
        if !range.contains(&length) {
            self.refuse(field, format!("must have {} to {} bytes", range.start(), range.end()));
        }
    }

    /// A namespace, whatever the kind.
    pub(super) fn namespace(&mut self, at: &str, tenant: &str, namespace: &str) {
        self.length(&format!("{at}tenant"), tenant.len(), &TENANT_BYTES);
        self.length(&format!("{at}namespace"), namespace.len(), &NAMESPACE_BYTES);
    }

    /// A scope.
    pub(super) fn scope(&mut self, scope: Option<proto::Scope>) -> Scope {
        let scope = scope.unwrap_or_else(|| {
            self.refuse("scope", "is required");
            proto::Scope { tenant: "-".to_owned(), namespace: "-".to_owned(), kind: proto::Kind::Document.into() }
        });
        self.namespace("scope.", &scope.tenant, &scope.namespace);
        let kind = match proto::Kind::try_from(scope.kind) {
            Ok(proto::Kind::Document) => Kind::Document,
            Ok(proto::Kind::Chunk) => Kind::Chunk,
            Ok(proto::Kind::Snapshot) => Kind::Snapshot,
            Ok(proto::Kind::Blob) => Kind::Blob,
            Ok(proto::Kind::Unspecified) | Err(_) => {
                self.refuse("scope.kind", "must be one of the kinds that the contract names");
                Kind::Document
            }
        };
        Scope { tenant: scope.tenant, namespace: scope.namespace, kind }
    }

    /// A scope of a namespace as a whole.
    pub(super) fn document_scope(&mut self, scope: Option<proto::Scope>) -> Scope {
        let scope = self.scope(scope);
        if scope.kind != Kind::Document {
            self.refuse("scope.kind", "must be KIND_DOCUMENT: the call is about the namespace as a whole");
        }
        scope
    }

    /// One key.
    pub(super) fn id(&mut self, field: &str, id: &Bytes) {
        self.length(field, id.len(), &ID_BYTES);
    }

    /// The keys of a batch.
    pub(super) fn ids(&mut self, ids: &[Id]) {
        self.count("ids", ids.len());
        for (at, id) in ids.iter().enumerate().take(KEYS_MAX) {
            if !ID_BYTES.contains(&id.len()) {
                self.id(&format!("ids[{at}]"), id);
            }
        }
    }

    fn count(&mut self, field: &str, count: usize) {
        if count > KEYS_MAX {
            self.refuse(field, format!("has {count} items; at most {KEYS_MAX}"));
        }
    }

    /// A write's id.
    pub(super) fn write_id(&mut self, write_id: &Bytes) -> WriteId {
        WriteId::try_from(write_id.as_ref()).unwrap_or_else(|_| {
            self.refuse("write_id", "must have 16 bytes");
            WriteId::default()
        })
    }

    /// How long a hold stands.
    pub(super) fn stands(&mut self, hold_ms: u32) -> Duration {
        if !HOLD_MS.contains(&hold_ms) {
            self.refuse("hold_ms", format!("must be from {} to {}", HOLD_MS.start(), HOLD_MS.end()));
        }
        Duration::from_millis(hold_ms.into())
    }

    /// Values to store.
    pub(super) fn fills(&mut self, fills: Vec<proto::Fill>, values: &ValueSettings) -> Vec<Fill> {
        self.count("fills", fills.len());
        fills.into_iter().take(KEYS_MAX).enumerate().filter_map(|(at, fill)| self.fill(at, fill, values)).collect()
    }

    fn fill(&mut self, at: usize, fill: proto::Fill, values: &ValueSettings) -> Option<Fill> {
        let field = |name: &str| format!("fills[{at}].{name}");
        if !ID_BYTES.contains(&fill.id.len()) {
            self.id(&field("id"), &fill.id);
        }
        let lease = fill.lease.as_ref().and_then(lease::read);
        if lease.is_none() {
            self.refuse(field("lease"), "must be one that a lookup gave");
        }
        let body = fill.body.unwrap_or_else(|| {
            self.refuse(field("body"), "is required");
            proto::Body::default()
        });
        if body.content_type.len() > CONTENT_TYPE_BYTES_MAX {
            self.refuse(field("body.content_type"), format!("must have at most {CONTENT_TYPE_BYTES_MAX} bytes"));
        }
        if proto::Compression::try_from(body.compression).is_err() {
            self.refuse(field("body.compression"), "must be one that the contract names");
        }
        let body = Body { data: body.data, content_type: body.content_type, compression: body.compression };
        Some(Fill { id: fill.id, lease: lease?, body, ttl: values.ttl(fill.ttl_ms) })
    }
}
