//! The requests about namespaces and their settings.

use bytes::Bytes;
use http::Method;
use layer_proto::router::v1::update_metadata_request::PinningSetting;
use layer_proto::router::v1::{
    DeleteNamespaceRequest, GetMetadataRequest, GetSchemaRequest, InvalidateRequest, ListNamespacesRequest,
    UpdateMetadataRequest, UpdateSchemaRequest, WarmHintRequest,
};
use layer_proto::types::v1::Pinning;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message as _;

use super::encoder::Encoder;
use super::{Encoded, WireRequest, names, schema, value, with_body, without_body};
use crate::fetch::IDS_MAX;

/// Most namespaces that the origin lists at a time.
const MAX_PAGE_SIZE: i32 = 1000;

/// One page of the namespaces.
pub(in crate::grpc) fn list_namespaces(request: &ListNamespacesRequest) -> Encoded {
    let mut e = Encoder::new(0);
    e.field("page_size", |e| e.check(request.page_size >= 0, "must not be negative"));
    e.finish()?;
    let size = if request.page_size == 0 { MAX_PAGE_SIZE } else { request.page_size.min(MAX_PAGE_SIZE) };
    let mut target = format!("/v1/namespaces?page_size={size}");
    for (name, value) in [("prefix", &request.prefix), ("cursor", &request.page_token)] {
        if !value.is_empty() {
            target.push_str(&format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        }
    }
    Ok(WireRequest { method: Method::GET, target, body: Bytes::new() })
}

/// A namespace's metadata.
pub(in crate::grpc) fn get_metadata(request: &GetMetadataRequest) -> Encoded {
    without_body(Method::GET, "v2", &request.namespace, "/metadata")
}

/// A change of a namespace's settings.
pub(in crate::grpc) fn update_metadata(request: &UpdateMetadataRequest) -> Encoded {
    with_body(Method::PATCH, "v1", &request.namespace, "/metadata", request.encoded_len(), |e| {
        match &request.pinning_setting {
            Some(PinningSetting::PinningEnabled(on)) => e.member("pinning", |e| e.json.scalar(on)),
            Some(PinningSetting::Pinning(pinning)) => e.member("pinning", |e| set_pinning(e, pinning)),
            None => (),
        }
        if let Some(read_only) = request.read_only {
            e.member("read_only", |e| e.json.scalar(&read_only));
        }
    })
}

fn set_pinning(e: &mut Encoder<'_>, pinning: &Pinning) {
    e.field("status", |e| e.check(pinning.status.is_none(), "must be unset: only answers have it"));
    e.object(|e| {
        if let Some(replicas) = pinning.replicas {
            e.member("replicas", |e| e.json.scalar(&replicas));
        }
    });
}

/// A namespace's schema.
pub(in crate::grpc) fn get_schema(request: &GetSchemaRequest) -> Encoded {
    without_body(Method::GET, "v1", &request.namespace, "/schema")
}

/// A change of a schema: the body is the bare map.
pub(in crate::grpc) fn update_schema(request: &UpdateSchemaRequest) -> Encoded {
    let mut e = Encoder::new(request.encoded_len());
    e.field("namespace", |e| names::namespace(e, &request.namespace));
    e.field("schema", |e| {
        e.check(!request.schema.is_empty(), "must not be empty");
        schema::changes(e, &request.schema);
    });
    let body = e.finish()?;
    Ok(WireRequest { method: Method::POST, target: format!("/v1/namespaces/{}/schema", request.namespace), body })
}

/// The end of a namespace.
pub(in crate::grpc) fn delete_namespace(request: &DeleteNamespaceRequest) -> Encoded {
    without_body(Method::DELETE, "v2", &request.namespace, "")
}

/// Documents that were written past Layer.
pub(in crate::grpc) fn invalidate(request: &InvalidateRequest) -> Encoded {
    with_body(Method::POST, "v2", &request.namespace, "/invalidate", request.encoded_len(), |e| {
        e.field("ids", |e| e.check(request.ids.len() <= IDS_MAX, "must hold at most 10000 ids"));
        if !request.ids.is_empty() {
            e.member("ids", |e| e.list(&request.ids, value::id));
        }
    })
}

/// A hint that a namespace is queried soon.
pub(in crate::grpc) fn warm_hint(request: &WarmHintRequest) -> Encoded {
    without_body(Method::GET, "v1", &request.namespace, "/hint_cache_warm")
}
