//! `layer cache`: what an operator asks of doc-cache itself.

use bytes::Bytes;
use layer_cache::Key;
use layer_proto::cache::v1::{
    InspectRequest, InspectResponse, Kind, PurgeNamespaceRequest, Scope, StatsRequest, StatsResponse,
};
use serde_json::{Value, json};
use tonic::Status;

use crate::{
    arguments::{Cache, CachePlace, CacheVerb, Format},
    failure::Failure,
    output::{say, short, table},
    replicas::connect,
};

/// Runs `layer cache …`.
pub async fn cache(arguments: &Cache) -> Result<(), Failure> {
    match &arguments.verb {
        CacheVerb::Stats(place) => {
            let stats =
                connect(&place.address).await?.stats(StatsRequest {}).await.map_err(|status| said(place, &status))?;
            print(place, stats_page(stats.get_ref()));
        }
        CacheVerb::Inspect { place, namespace, id } => {
            let asked = InspectRequest {
                scope: Some(scope(place, namespace)),
                id: Bytes::copy_from_slice(Key::text(id).as_bytes()),
            };
            let found = connect(&place.address).await?.inspect(asked).await.map_err(|status| said(place, &status))?;
            print(place, inspect_page(found.get_ref()));
        }
        CacheVerb::Purge { place, namespace } => {
            let asked = PurgeNamespaceRequest { tenant: place.tenant.clone(), namespace: namespace.clone() };
            connect(&place.address).await?.purge_namespace(asked).await.map_err(|status| said(place, &status))?;
            print(place, json!({"purged": namespace}));
        }
    }
    Ok(())
}

fn scope(place: &CachePlace, namespace: &str) -> Scope {
    Scope { tenant: place.tenant.clone(), namespace: namespace.to_owned(), kind: Kind::Document.into() }
}

fn said(place: &CachePlace, status: &Status) -> Failure {
    Failure::new(format!("{}: {:?}: {}", place.address.cache_url, status.code(), status.message()))
}

fn stats_page(stats: &StatsResponse) -> Value {
    json!({
        "backend": stats.backend,
        "connected": stats.connected,
        "proven": stats.proven,
        "stop_writes": stats.stop_writes,
        "epoch": format!("{:016x}", stats.epoch),
        "entries": stats.entries,
        "bytes": stats.bytes,
        "capacity_bytes": stats.capacity_bytes,
        "hits": stats.hits,
        "misses": stats.misses,
        "fills": stats.fills,
        "evictions": stats.evictions,
    })
}

fn inspect_page(found: &InspectResponse) -> Value {
    json!({
        "stored": found.stored,
        "stored_bytes": found.stored_bytes,
        "expires_in_ms": found.expires_in_ms,
        "holds": found.holds,
        "namespace_holds": found.namespace_holds,
        "generation": format!("{:016x}", found.generation),
        "epoch": format!("{:016x}", found.epoch),
    })
}

fn print(place: &CachePlace, page: Value) {
    match (place.output, page) {
        (Format::Table, Value::Object(fields)) => {
            let rows: Vec<_> = fields.iter().map(|(name, value)| vec![name.clone(), short(value)]).collect();
            table(&["what", "value"], &rows, "");
        }
        (_, page) => say(&format!("{page}\n")),
    }
}
