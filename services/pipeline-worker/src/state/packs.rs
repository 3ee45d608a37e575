//! Objects that several bodies share, and which of them may be swept.
//!
//! A pack's members are noted in the transaction that names it first: a pack that is not noted is named by no row. The
//! rules of time are those of every body ([`super::bodies`]).

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};
use sqlx::Row as _;

use super::{Body, Error, State, error::Attempt, items::id_list, observe::call, unit::Unit};

/// Packs whose members are looked up at once: with as many members as a pack may have some thousands of rows.
const PACKS_AT_ONCE: usize = 32;

impl State {
    /// Notes which items may name the packs of these bodies.
    pub(crate) async fn note_packs<'a>(
        &self,
        unit: &mut Unit,
        bodies: impl Iterator<Item = (&'a str, Body)>,
    ) -> Result<(), Attempt> {
        let mut packs = BTreeMap::<i64, Vec<&str>>::new();
        for (item, body) in bodies {
            if let Some(pack) = body.pack {
                packs.entry(pack.id).or_default().push(item);
            }
        }
        if packs.is_empty() {
            return Ok(());
        }
        // It is there already where this transaction is repeated because nobody knows how the first one ended.
        let statement = self.dialect.sql(
            "INSERT INTO pack (queue, pack, members) SELECT $2, CAST(v.value->>0 AS BIGINT), v.value->>1 FROM {rows} \
             WHERE true ON CONFLICT (queue, pack) DO UPDATE SET members = excluded.members",
        );
        let list = packs.iter().map(|(id, items)| json!([id, id_list(items.iter().copied())])).collect();
        unit.write(statement, Value::Array(list).to_string()).await
    }

    /// Of stored packs of a queue, with the times at which they were made, those that no row names and that none will name
    /// any more.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn orphan_packs(&self, queue: i64, stored: &[(i64, i64)]) -> Result<Vec<i64>, Error> {
        call!(self, "orphan_packs", self.orphan_packs_once(queue, stored))
    }

    async fn orphan_packs_once(&self, queue: i64, stored: &[(i64, i64)]) -> Result<Vec<i64>, Attempt> {
        // The clock first: what is named between the two is too young to be swept.
        let now: i64 = sqlx::query_scalar(self.dialect.sql("SELECT {now}")).fetch_one(&self.pool).await?;
        let old = now.saturating_sub(self.body_grace_ms);
        let mut orphans: Vec<_> = stored.iter().filter(|(minted_ms, _)| *minted_ms < old).map(|(_, id)| *id).collect();
        let mut named = HashSet::new();
        for packs in orphans.chunks(PACKS_AT_ONCE) {
            named.extend(self.named_packs(queue, packs).await?);
        }
        orphans.retain(|pack| !named.contains(pack));
        Ok(orphans)
    }

    /// The packs that any of their members names.
    async fn named_packs(&self, queue: i64, packs: &[i64]) -> Result<Vec<i64>, Attempt> {
        let list = Value::Array(packs.iter().map(|pack| json!([pack])).collect()).to_string();
        let members = self.dialect.sql(
            "SELECT p.members FROM pack p WHERE p.queue = $2 AND p.pack IN \
             (SELECT CAST(v.value->>0 AS BIGINT) FROM {rows})",
        );
        let mut items = Vec::new();
        for row in sqlx::query(members).bind(list).bind(queue).fetch_all(&self.pool).await? {
            let members: String = row.try_get(0)?;
            items.extend(
                serde_json::from_str::<Vec<[String; 1]>>(&members)
                    .map_err(|_| Error::Broken("the members of a pack are no list".to_owned()))?,
            );
        }
        let naming = self.dialect.sql(
            "SELECT i.body_pack FROM item i WHERE i.queue = {queue} AND i.body_pack IS NOT NULL \
             AND i.item {ids} UNION \
             SELECT o.body_pack FROM output o WHERE o.queue = {queue} AND o.body_pack IS NOT NULL \
             AND o.item {ids}",
        );
        let list = self.dialect.list(items.iter().map(|[item]| item.as_str()));
        let rows = sqlx::query(naming).bind(list).bind(queue).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Forgets packs that [`State::orphan_packs`] has found. Before their objects go: one that stays behind is an orphan
    /// again, while a row would stay for ever.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn forget_packs(&self, queue: i64, packs: &[i64]) -> Result<(), Error> {
        call!(self, "forget_packs", async {
            let statement = self
                .dialect
                .sql("DELETE FROM pack WHERE queue = $2 AND pack IN (SELECT CAST(v.value->>0 AS BIGINT) FROM {rows})");
            let list = Value::Array(packs.iter().map(|pack| json!([pack])).collect()).to_string();
            sqlx::query(statement).bind(list).bind(queue).execute(&self.pool).await?;
            Ok(())
        })
    }
}
