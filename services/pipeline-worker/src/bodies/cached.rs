//! Copies of bodies in the document cache, as best it goes.
//!
//! The log lines and their levels are those that operators of the published system look for.

use std::{borrow::Cow, time::Instant};

use bytes::Bytes;
use layer_cache::{Body, Cache, Fill, GetOutcome, Key, LeaseToken, Lookup, NotStored, Scope};

use super::observe::Observe;

/// What a copy's bytes are.
const CONTENT_TYPE: &str = "application/x-layer-chunks";
/// Keys of one look-up.
const KEYS_AT_ONCE: usize = 250;

/// What the cache said of one body.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) found: Option<Bytes>,
    pub(super) lease: Option<LeaseToken>,
}

/// Looks one body up. The cache being away is worth a warning: the object store is read instead.
pub(super) async fn look(cache: &Cache, observe: &Observe, scope: &Scope, key: &str, until: Instant) -> Looked {
    let Some(key) = Key::opaque(key.as_bytes()) else { return Looked::default() };
    let mut gotten = cache.get(scope, &[key], Some(until)).await;
    match (gotten.lookups.pop(), gotten.outcome) {
        (Some(Lookup::Hit(body)), _) if body.content_type == CONTENT_TYPE => {
            observe.read("hit");
            Looked { found: Some(body.data), lease: None }
        }
        (_, GetOutcome::Away(layer_cache::Away::Disabled)) => Looked::default(),
        (_, GetOutcome::Away(away)) => {
            observe.read("error");
            tracing::warn!(error = %away, "Aerospike chunk read failed; falling back to S3 backing");
            Looked::default()
        }
        (Some(Lookup::Miss(lease)), GetOutcome::Answered) => {
            observe.read("miss");
            Looked { found: None, lease }
        }
        _ => Looked::default(),
    }
}

/// Puts a body into the cache that was read from the object store, in the background.
pub(super) fn fill(cache: &Cache, scope: &Scope, key: &str, lease: LeaseToken, plain: Bytes) {
    if let Some(key) = Key::opaque(key.as_bytes()) {
        cache.fill(scope, vec![value(key, lease, plain)]);
    }
}

/// Puts copies of bodies that were just stored into the cache, each by its key, and reports what became of them.
pub(super) async fn copy(cache: &Cache, observe: &Observe, scope: &Scope, copies: Vec<(String, Bytes)>) {
    if cache.away() == Some(layer_cache::Away::Disabled) {
        return;
    }
    let keyed = copies.into_iter().filter_map(|(key, plain)| Some((Key::opaque(key.as_bytes())?, plain)));
    let mut keyed: Vec<_> = keyed.collect();
    while !keyed.is_empty() {
        let rest = keyed.split_off(keyed.len().min(KEYS_AT_ONCE));
        copy_batch(cache, observe, scope, std::mem::replace(&mut keyed, rest)).await;
    }
}

async fn copy_batch(cache: &Cache, observe: &Observe, scope: &Scope, copies: Vec<(Key, Bytes)>) {
    let keys: Vec<_> = copies.iter().map(|(key, _)| key.clone()).collect();
    let gotten = cache.get(scope, &keys, None).await;
    let mut fills = Vec::with_capacity(copies.len());
    for ((key, plain), lookup) in copies.into_iter().zip(gotten.lookups) {
        match (lookup, gotten.outcome) {
            (Lookup::Hit(_), _) => {}
            (Lookup::Miss(Some(lease)), _) => fills.push(value(key, lease, plain)),
            (Lookup::Miss(None), GetOutcome::Away(away)) => not_written(observe, &away),
            (Lookup::Miss(None), GetOutcome::Answered) => not_written(observe, &NotStored::NoLease),
        }
    }
    for stored in cache.store(scope, fills).await {
        match stored {
            // A lease ends by a purge: the next read fills it in.
            Ok(()) | Err(NotStored::LeaseEnded) => observe.written("ok"),
            Err(error) => not_written(observe, &error),
        }
    }
}

fn not_written(observe: &Observe, error: &dyn std::fmt::Display) {
    observe.written("error");
    tracing::warn!(%error, "Aerospike chunk write failed (best-effort)");
}

fn value(key: Key, lease: LeaseToken, data: Bytes) -> Fill {
    Fill { key, lease, body: Body { data, content_type: Cow::Borrowed(CONTENT_TYPE) }, ttl: None }
}
