//! Which stored bodies are named by a row, and which may be swept.
//!
//! A body is named only while it is younger than half the grace, and swept only when it is older than the whole, both by
//! the database's clock: so none is swept that a row names, or is about to name.

use std::collections::HashSet;

use sqlx::Row as _;

use super::{Body, Error, State, error::Attempt, observe::call, unit::Unit};

impl State {
    /// Of stored bodies of a queue, by item, those that no row names and that none will name any more. Of a queue that
    /// is gone, all that are old enough.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn orphans(&self, queue: i64, stored: &[(String, Body)]) -> Result<Vec<(String, Body)>, Error> {
        call!(self, "orphans", self.orphans_once(queue, stored))
    }

    async fn orphans_once(&self, queue: i64, stored: &[(String, Body)]) -> Result<Vec<(String, Body)>, Attempt> {
        let statement = self.dialect.sql(
            "SELECT i.item, i.body_minted, i.body_digest FROM item i WHERE i.queue = {queue} AND i.body_minted IS NOT NULL \
             AND i.item {ids} UNION ALL \
             SELECT o.item, o.body_minted, o.body_digest FROM output o WHERE o.queue = {queue} \
             AND o.item {ids}",
        );
        // The clock first: what is named between the two is too young to be swept.
        let now: i64 = sqlx::query_scalar(self.dialect.sql("SELECT {now}")).fetch_one(&self.pool).await?;
        let list = self.dialect.list(stored.iter().map(|(item, _)| item.as_str()));
        let rows = sqlx::query(statement).bind(list).bind(queue).fetch_all(&self.pool).await?;
        let named = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
            .collect::<Result<HashSet<(String, i64, i64)>, sqlx::Error>>()?;
        let old = now.saturating_sub(self.body_grace_ms);
        let orphan = |(item, body): &&(String, Body)| {
            body.minted_ms < old && !named.contains(&(item.clone(), body.minted_ms, body.digest))
        };
        Ok(stored.iter().filter(orphan).cloned().collect())
    }

    /// Refuses bodies that could be swept before this transaction names them.
    pub(crate) fn check_age(&self, unit: &Unit, mut bodies: impl Iterator<Item = Body>) -> Result<(), Error> {
        let oldest = unit.now.saturating_sub(self.body_grace_ms / 2);
        if bodies.any(|body| body.minted_ms <= oldest) { Err(Error::BodyExpired) } else { Ok(()) }
    }
}
