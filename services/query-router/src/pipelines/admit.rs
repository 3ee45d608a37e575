//! Who may use pipelines and functions: whoever may write.
//!
//! pipeline-worker writes rows with the router's own key, so nobody may reach it whose key is not known good.

use std::time::Instant;

use http::HeaderMap;
use layer_replicas::Part;

use crate::{core::Core, refusal::Refusal};

/// The refusal where keys may be of several organisations.
const SEVERAL: &str = "pipelines and functions in auth.mode `pass-through` need auth.single_organisation";

impl Core {
    /// pipeline-worker, for a caller that was admitted.
    pub(super) async fn part_for(&self, headers: &HeaderMap, deadline: Option<Instant>) -> Result<&Part, Refusal> {
        let part = self.part.as_ref();
        let part = part.ok_or(Refusal::NoStore("no pipeline service is configured (pipelines.addresses)"))?;
        self.known_good(deadline, headers, SEVERAL).await?;
        Ok(part)
    }
}
