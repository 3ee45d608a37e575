//! The handle by which services speak to the document cache: replicas, deadlines, breaker, backlog.
//!
//! The protocol (docs/adr/0004-cache-coherence.md) asks two things of every router. Readers fill only under the lease of
//! a lookup that came before their strong read. Writers hold, write the origin, release, and only then acknowledge. This
//! crate keeps the second promise even when the cache cannot be reached: what could not be delivered is delivered later,
//! and until then this process bypasses the cache for what it concerns.
//!
//! It must never make a caller wait longer than it says, fail a call because the cache failed, or serve a value that a
//! write acknowledged by this process has replaced.
//!
//! ```no_run
//! # async fn example(metrics: &layer_service::metrics::Metrics) -> Result<(), Box<dyn std::error::Error>> {
//! use layer_cache::{Affects, CacheService, CacheSettings, Key, Outcome};
//!
//! let settings = CacheSettings { addresses: vec!["doc-cache:8082".to_owned()], ..CacheSettings::default() };
//! let service = CacheService::start(&settings, metrics)?;
//! let cache = service.handle(); // one for each worker
//! let scope = cache.documents("products")?;
//!
//! let found = cache.get(&scope, &[Key::uint(1)], None).await;
//!
//! let write = cache.begin(&scope, Affects::Keys(vec![Key::uint(1)]), None).await?;
//! // … write the origin, and read its definite answer …
//! write.finish(Outcome::Changed(Vec::new())).await?;
//! // … now acknowledge.
//! # Ok(()) }
//! ```

mod ask;
mod background;
mod backlog;
mod bypass;
mod cache;
mod call;
mod channels;
mod cork;
mod deliver;
mod error;
mod fill;
mod gather;
mod get;
mod key;
mod message;
mod moment;
mod namespaces;
mod observe;
mod pack;
mod scope;
mod settings;
mod shared;
mod state;
mod value;
mod write;

#[cfg(test)]
mod tests;

pub use cache::{Cache, CacheService};
pub use error::{Away, NotStored, Refused, Untold};
pub use key::{KEY_BYTES_MAX, Key};
pub use namespaces::{Policies, Policy};
pub use observe::METRICS;
pub use scope::{InvalidScope, Kind, NAMESPACE_BYTES_MAX, Scope, TENANT_BYTES_MAX};
pub use settings::{CacheSettings, Coherence};
pub use state::{BreakerState, State, Warmth};
pub use value::{ABSENT, Body, DOCUMENT, Fill, GetOutcome, Gotten, LeaseToken, Lookup};
pub use write::{Affects, Outcome, Write};
