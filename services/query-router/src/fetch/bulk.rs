//! Reading much of a namespace, for warming: pages of ids, and rows that nobody waits for.
//!
//! None of it goes through the coalescer: a fetch's id must not wait behind a thousand of a warm, and nobody is answered
//! by what is read here. That it is right follows from the leases alone: they are taken before the query is sent.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Method;
use layer_cache::{Away, GetOutcome, Key, Lookup, Scope};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    coalesce::{Query, Wanted},
    failure::Failure,
    id::DocId,
    origin::{OriginReader, TooMuch, fills, measured, unusable},
    place::Place,
    read::Room,
};

/// The longest page of ids, in bytes: 10,000 ids of 64 bytes with every byte escaped are 4 MB.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The longest metadata, in bytes: a schema of 1,024 attributes.
const METADATA_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Ids that are looked up together at the most: those that `cache.deadline_ms` is for.
const IDS_AT_ONCE: usize = 250;

/// What came of some ids.
#[derive(Debug, Default)]
pub struct Refilled {
    /// Rows that were read and handed to the cache.
    pub warmed: usize,
    /// Bytes of these.
    pub bytes: u64,
    /// Ids that the cache gave no lease for.
    pub unleased: Vec<DocId>,
    /// The cache did not answer for all of them.
    pub away: Option<Away>,
}

#[derive(Deserialize)]
struct Metadata {
    approx_row_count: u64,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    rows: Vec<Id<'a>>,
}

#[derive(Deserialize)]
struct Id<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

impl OriginReader {
    /// About how many rows the namespace has, as the origin says.
    ///
    /// # Errors
    /// [`Failure`], which carries the origin's own answer where it is no success.
    pub async fn row_count(&self, place: &Place, until: Instant) -> Result<u64, Failure> {
        let path = format!("/v2/namespaces/{}/metadata", place.namespace);
        let request = self.request(place, Method::GET, &path, Bytes::new(), until);
        let body = self.in_time(place, request, METADATA_BYTES_MAX, until).await?;
        let metadata: Metadata = serde_json::from_slice(&body).map_err(|_| unusable("names no row count"))?;
        Ok(metadata.approx_row_count)
    }

    /// The next `limit` ids in the origin's order; none at the end.
    ///
    /// # Errors
    /// [`Failure`] where the origin could not be read.
    pub async fn page(
        &self,
        place: &Place,
        after: Option<&DocId>,
        limit: usize,
        until: Instant,
    ) -> Result<Vec<DocId>, Failure> {
        let path = format!("/v2/namespaces/{}/query", place.namespace);
        let request = self.request(place, Method::POST, &path, page_body(after, limit).into(), until);
        let body = self.in_time(place, request, PAGE_BYTES_MAX, until).await?;
        let page: Page<'_> = serde_json::from_slice(&body).map_err(|_| unusable("has no rows"))?;
        let ids: Option<Vec<DocId>> = page.rows.iter().map(|row| DocId::of_row(row.id)).collect();
        let ids = ids.ok_or_else(|| unusable("has a row without an id"))?;
        match ids.last().is_some_and(|last| Some(last) == after) || ids.len() > limit {
            // It would be asked for again, for ever.
            true => Err(unusable("is not of the page that was asked for")),
            false => Ok(ids),
        }
    }

    /// Reads those of `ids` into the cache that it does not have, some at a time. Waits for room in the fill queue, and
    /// reads nothing of the origin that could not be kept.
    ///
    /// # Errors
    /// [`Failure`] where the origin could not be read, or there is no room for what it answers.
    pub async fn refill(&self, place: &Arc<Place>, ids: &[DocId], until: Instant) -> Result<Refilled, Failure> {
        let mut refilled = Refilled::default();
        let Some(scope) = &place.scope else { return Ok(refilled) };
        let ids = distinct(ids);
        let (mut left, mut wanted) = (&ids[..], Vec::new());
        while !left.is_empty() {
            let looked_up = self.leased(scope, place, left, &mut wanted, &mut refilled).await?;
            left = &left[looked_up..];
        }
        self.refill_some(scope, place, wanted, until, &mut refilled).await?;
        Ok(refilled)
    }

    /// How many ids are looked up together: as many rows as may be held, of which a hit is unpacked though nobody reads it.
    fn refill_ids(&self, place: &Arc<Place>) -> usize {
        let size = self.shared.fetch.sizes.of(place).unwrap_or(0).max(1);
        usize::try_from(self.shared.fetch.held.window_bytes() / size).unwrap_or(IDS_AT_ONCE).clamp(1, IDS_AT_ONCE)
    }

    /// Looks the first of `ids` up, and adds those that the cache does not have and gives leases for; how many were looked
    /// up. Of a hit only its size is of use.
    async fn leased(
        &self,
        scope: &Scope,
        place: &Arc<Place>,
        ids: &[&DocId],
        wanted: &mut Vec<Wanted>,
        refilled: &mut Refilled,
    ) -> Result<usize, Failure> {
        let ids = &ids[..ids.len().min(self.refill_ids(place))];
        let keys: Vec<Key> = ids.iter().map(|id| id.key()).collect();
        let held = &self.shared.fetch.held;
        let _turn = self.shared.fetch.refilling.acquire().await;
        let mut room = Room::new(held.share(), held.window_bytes());
        let mut takes = |bytes: usize| room.takes_hit(bytes as u64);
        let gotten = self.cache.get_within(scope, &keys, Some(self.unhurt()), &mut takes).await;
        if gotten.read == 0 {
            return Err(room.full(held));
        }
        refilled.away = away(gotten.outcome).or(refilled.away);
        let (mut rows, mut bytes) = (0, 0);
        for (id, lookup) in ids.iter().zip(gotten.lookups).take(gotten.read) {
            match lookup {
                Lookup::Hit(body) if body.is_absent() => {}
                Lookup::Hit(body) => (rows, bytes) = (rows + 1, bytes + body.data.len() as u64),
                Lookup::Miss(None) => refilled.unleased.push((*id).clone()),
                Lookup::Miss(lease) => wanted.push(Wanted { id: (*id).clone(), lease }),
            }
        }
        self.shared.fetch.sizes.learn(place, rows, bytes);
        Ok(gotten.read)
    }

    async fn refill_some(
        &self,
        scope: &Scope,
        place: &Arc<Place>,
        mut wanted: Vec<Wanted>,
        until: Instant,
        refilled: &mut Refilled,
    ) -> Result<(), Failure> {
        while !wanted.is_empty() {
            let mut share = self.shared.fetch.held.share();
            let query = Query { place: Arc::clone(place), wanted, until: until.into(), span: tracing::Span::none() };
            let read = self.read_parts(&query, &mut share, &query.span);
            let (found, full) = tokio::time::timeout_at(query.until, read).await.map_err(|_| Failure::Timeout)??;
            let read = found.iter().take_while(|found| found.is_some()).count();
            if read == 0 {
                return Err(self.shared.fetch.held.full(full));
            }
            let (rows, bytes) = measured(found.iter().flatten());
            refilled.bytes += bytes;
            let filled = self.cache.fill_patiently(scope, fills(&query, &found)).await;
            refilled.warmed += filled.saturating_sub(read - rows);
            wanted = query.wanted;
            wanted.drain(..read);
        }
        Ok(())
    }

    /// A little before the cache's own deadline: that a large look-up is late must not open the breaker of fetches.
    fn unhurt(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.shared.settings.cache.deadline_ms) * 9 / 10
    }

    async fn in_time(
        &self,
        place: &Place,
        request: http::Request<crate::body::RequestBody>,
        limit: usize,
        until: Instant,
    ) -> Result<Bytes, Failure> {
        let span = tracing::Span::none();
        let mut share = self.shared.fetch.held.share();
        let exchange = self.exchange(place, request, limit, &mut share, &span);
        match tokio::time::timeout_at(until.into(), exchange).await.map_err(|_| Failure::Timeout)?? {
            Ok(body) => Ok(body),
            Err(TooMuch::NoRoom(wanted)) => Err(self.shared.fetch.held.full(wanted)),
            Err(TooMuch::TooLarge(_)) => Err(unusable("is too large")),
        }
    }
}

/// Why the cache did not answer. That so much is asked of it already says nothing of it: a job must not fail for that.
fn away(outcome: GetOutcome) -> Option<Away> {
    match outcome {
        GetOutcome::Answered | GetOutcome::Away(Away::Busy) => None,
        GetOutcome::Away(away) => Some(away),
    }
}

/// Without those that share a key with one before them: a query must not ask for both.
fn distinct(ids: &[DocId]) -> Vec<&DocId> {
    let mut keys = HashSet::with_capacity(ids.len());
    ids.iter().filter(|id| keys.insert(id.key())).collect()
}

/// The query for a page of ids. No `include_attributes`: the origin answers ids alone.
fn page_body(after: Option<&DocId>, limit: usize) -> String {
    let filters = after.map(|after| format!(r#""filters":["id","Gt",{}],"#, after.json())).unwrap_or_default();
    format!(r#"{{{filters}"rank_by":["id","asc"],"limit":{limit}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_asked_for_behind_the_last_id() {
        let parsed = |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap();
        let first = serde_json::json!({"rank_by": ["id", "asc"], "limit": 5});
        assert_eq!(parsed(&page_body(None, 5)), first);
        let next = serde_json::json!({"filters": ["id", "Gt", "a\"b"], "rank_by": ["id", "asc"], "limit": 5});
        assert_eq!(parsed(&page_body(Some(&DocId::Text("a\"b".into())), 5)), next);
    }

    #[test]
    fn a_cache_that_is_asked_for_much_is_not_away() {
        assert_eq!([GetOutcome::Answered, GetOutcome::Away(Away::Busy)].map(away), [None, None]);
        assert_eq!(away(GetOutcome::Away(Away::NoReplica)), Some(Away::NoReplica));
    }

    #[test]
    fn spellings_of_one_key_are_asked_for_once() {
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let ids = [uuid.to_owned(), uuid.to_uppercase(), "a".to_owned()].map(|text| DocId::Text(text.into()));
        assert_eq!(distinct(&ids), [&ids[0], &ids[2]]);
    }
}
