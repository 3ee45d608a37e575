//! Answers about namespaces and their settings.

use layer_proto::router::v1::{
    DeleteNamespaceResponse, GetMetadataResponse, InvalidateResponse, ListNamespacesResponse, NamespaceSummary,
    UpdateMetadataResponse, WarmHintResponse,
};
use layer_proto::types::v1::encryption::Mode;
use layer_proto::types::v1::{
    CustomerManagedEncryption, DefaultEncryption, Encryption, Index, IndexStatus, NamespaceMetadata, Pinning,
    PinningStatus, Sharding,
};

use super::object::{Object, Raw, Unreadable, list, plain};
use super::schema;

/// One page of the namespaces.
pub(in crate::grpc) fn list_namespaces(body: &[u8]) -> Result<ListNamespacesResponse, Unreadable> {
    let mut object = Object::parse(body)?;
    let namespaces = object.require("namespaces", |raw| list(raw, summary))?;
    Ok(ListNamespacesResponse {
        namespaces: namespaces.ok_or(Unreadable { field: "namespaces" })?,
        next_page_token: object.require("next_cursor", plain)?.unwrap_or_default(),
        additional_fields: object.rest(),
    })
}

fn summary(raw: Raw<'_>) -> Option<NamespaceSummary> {
    Some(NamespaceSummary { id: Object::of(raw)?.plain("id")? })
}

/// What is known of a namespace.
pub(in crate::grpc) fn get_metadata(body: &[u8]) -> Result<GetMetadataResponse, Unreadable> {
    Ok(GetMetadataResponse { metadata: Some(metadata(body)?) })
}

/// The settings after a change.
pub(in crate::grpc) fn update_metadata(body: &[u8]) -> Result<UpdateMetadataResponse, Unreadable> {
    Ok(UpdateMetadataResponse { metadata: Some(metadata(body)?) })
}

fn metadata(body: &[u8]) -> Result<NamespaceMetadata, Unreadable> {
    let mut object = Object::parse(body)?;
    let schema = object.require("schema", Object::of)?.map(schema::attributes).transpose()?;
    Ok(NamespaceMetadata {
        schema: schema.unwrap_or_default(),
        approx_logical_bytes: object.count("approx_logical_bytes").unwrap_or_default(),
        approx_row_count: object.count("approx_row_count").unwrap_or_default(),
        created_at: object.time("created_at"),
        updated_at: object.time("updated_at"),
        last_write_at: object.time("last_write_at"),
        encryption: object.take("encryption", encryption),
        index: object.take("index", index),
        pinning: object.take("pinning", pinning),
        read_only: object.plain("read_only").unwrap_or_default(),
        sharding: object.take("sharding", sharding),
        additional_fields: object.rest(),
    })
}

/// Reads both shapes: `{"mode": …}` and, from the older route, `{"sse": true}` or `{"cmek": {"key_name": …}}`.
fn encryption(raw: Raw<'_>) -> Option<Encryption> {
    let mut object = Object::of(raw)?;
    let mode = match object.plain::<String>("mode").as_deref() {
        Some("default") => Mode::DefaultEncryption(DefaultEncryption {}),
        Some("customer-managed") => Mode::CustomerManaged(customer_managed(&mut object)?),
        Some(_) => return None,
        None if object.plain("sse") == Some(true) => Mode::DefaultEncryption(DefaultEncryption {}),
        None => Mode::CustomerManaged(customer_managed(&mut object.object("cmek")?)?),
    };
    Some(Encryption { mode: Some(mode) })
}

fn customer_managed(object: &mut Object<'_>) -> Option<CustomerManagedEncryption> {
    Some(CustomerManagedEncryption {
        key_name: object.plain("key_name")?,
        encryption_context: object.plain("encryption_context").unwrap_or_default(),
    })
}

fn index(raw: Raw<'_>) -> Option<Index> {
    let mut object = Object::of(raw)?;
    let status = match object.plain::<String>("status")?.as_str() {
        "up-to-date" => IndexStatus::UpToDate,
        "updating" => IndexStatus::Updating,
        _ => return None,
    };
    Some(Index {
        status: status as i32,
        unindexed_bytes: object.count("unindexed_bytes").unwrap_or_default(),
        unindexed_rows: object.count("unindexed_rows").unwrap_or_default(),
    })
}

fn pinning(raw: Raw<'_>) -> Option<Pinning> {
    let mut object = Object::of(raw)?;
    Some(Pinning { replicas: object.plain("replicas"), status: object.take("status", pinning_status) })
}

fn pinning_status(raw: Raw<'_>) -> Option<PinningStatus> {
    let mut object = Object::of(raw)?;
    Some(PinningStatus {
        ready_replicas: object.plain("ready_replicas").unwrap_or_default(),
        replicas: object.plain("replicas").unwrap_or_default(),
        updated_at: object.time("updated_at"),
        utilization: object.plain("utilization").unwrap_or_default(),
    })
}

fn sharding(raw: Raw<'_>) -> Option<Sharding> {
    Some(Sharding { num_shards: Object::of(raw)?.plain("num_shards")? })
}

/// A namespace is gone.
pub(in crate::grpc) fn delete_namespace(body: &[u8]) -> Result<DeleteNamespaceResponse, Unreadable> {
    let mut object = Object::parse(body)?;
    let status = object.plain("status").unwrap_or_default();
    Ok(DeleteNamespaceResponse { status, additional_fields: object.rest() })
}

/// What was cached is forgotten.
pub(in crate::grpc) fn invalidate(body: &[u8]) -> Result<InvalidateResponse, Unreadable> {
    Object::parse(body).map(|_| InvalidateResponse {})
}

/// A hint is taken.
pub(in crate::grpc) fn warm_hint(body: &[u8]) -> Result<WarmHintResponse, Unreadable> {
    let mut object = Object::parse(body)?;
    let status = object.plain("status").unwrap_or_default();
    let message = object.plain("message").unwrap_or_default();
    Ok(WarmHintResponse { status, message, additional_fields: object.rest() })
}
