//! Items of functions: rows that enter their queue when they are found, and leave it when they are done.

use super::{
    Error, Guard, Held, Kind, Outcome, Refusal, State, Verdict, claim::check_lease, error::Attempt, items::check_ids,
    lease::find, observe::call, rules::Row, unit::Unit,
};

/// What a worker is given of an item that it has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The item.
    pub item: String,
    /// The claim's token.
    pub token: i64,
    /// Stands for what the worker is given, so that a later change of it shows; none where there is no such row any more.
    pub version: Option<i64>,
}

/// Whether what a worker says of an item counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The item.
    pub item: String,
    /// Whether it counts. [`Refusal::StaleVersion`]: the item has been put back, to be claimed anew.
    pub verdict: Verdict,
    /// The claim's token.
    pub token: i64,
}

impl State {
    /// Puts items into a queue that are not in it yet, at the end of its first stage. Others stay as they are, also dead
    /// ones. Answers how many were new.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn enqueue(&self, kind: Kind, queue: &str, items: &[String]) -> Result<usize, Error> {
        check_ids("items", items.iter().map(String::as_str))?;
        call!(self, "enqueue", async {
            let mut unit = self.begin(kind, queue).await?;
            let new = self.enter(&mut unit, items).await?;
            self.commit(unit).await?;
            Ok(new)
        })
    }

    /// Inserts those of `items` that are not there, and answers how many those are.
    pub(crate) async fn enter(&self, unit: &mut Unit, items: &[String]) -> Result<usize, Attempt> {
        let mut different: Vec<_> = items.iter().collect();
        different.sort();
        different.dedup();
        let now = unit.now;
        let rows: Vec<_> = different.into_iter().map(|item| Row::new(item.clone(), 0, 0, None, now)).collect();
        Ok(self.insert(unit, &rows).await?.len())
    }

    /// Notes what workers are given of items that they have just claimed. Items whose rows are gone leave the queue.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn hand_out(&self, kind: Kind, queue: &str, given: &[Given]) -> Result<(), Error> {
        check_ids("items", given.iter().map(|given| given.item.as_str()))?;
        let held: Vec<_> = given.iter().map(|given| Held::under(&given.item, given.token)).collect();
        call!(self, "hand_out", async {
            let mut unit = self.begin(kind, queue).await?;
            let mut gone = Vec::new();
            self.change_items(&mut unit, &held, |row, place, now| {
                row.guarded(&held[place], &super::rules::Found::default(), now)?;
                match given[place].version {
                    Some(version) => row.version = version,
                    None => gone.push(row.clone()),
                }
                Ok(())
            })
            .await?;
            self.leave(&mut unit, gone).await?;
            self.commit(unit).await?;
            Ok(())
        })
    }

    /// Holds what workers say of items against their leases, and against what they were given where a [`Held`] has a
    /// version: an item that has changed since, or whose queue has, is put back. The leases of the others last for
    /// `least_ms` or more from now on. Answers in the order of the call, and the database's clock in milliseconds.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn vouch(
        &self,
        kind: Kind,
        queue: &str,
        held: &[Held],
        guard: &Guard,
        least_ms: u64,
    ) -> Result<(Vec<Vouched>, i64), Error> {
        check_ids("items", held.iter().map(|held| held.item.as_str()))?;
        let least_ms = check_lease(least_ms)?;
        call!(self, "vouch", self.vouch_once(kind, queue, held, guard, least_ms))
    }

    async fn vouch_once(
        &self,
        kind: Kind,
        queue: &str,
        held: &[Held],
        guard: &Guard,
        least_ms: i64,
    ) -> Result<(Vec<Vouched>, i64), Attempt> {
        let mut unit = self.begin(kind, queue).await?;
        let (guard, generation) = (find(&unit, guard)?, unit.queue.generation);
        let mut tokens = vec![0; held.len()];
        let (outcomes, _) = self
            .change_items(&mut unit, held, |row, place, now| {
                tokens[place] = row.token;
                let Held { item, token, version } = held[place].clone();
                row.guarded(&Held { item, token, version: None }, &guard, now)?;
                if !row.leased(now) {
                    return Err(Refusal::NotLeased);
                }
                if row.outdated(generation) || version.is_some_and(|version| version != row.version) {
                    row.put_back(now);
                    return Err(Refusal::StaleVersion);
                }
                if row.wake_ms.is_some_and(|wake| wake < now.saturating_add(least_ms)) {
                    row.extend(least_ms, now);
                }
                Ok(())
            })
            .await?;
        let now = unit.now;
        self.commit(unit).await?;
        let vouched = outcomes.into_iter().zip(tokens);
        Ok((vouched.map(|(o, token)| Vouched { item: o.item, verdict: o.verdict, token }).collect(), now))
    }

    /// Takes items out of their queue that need no more work. Each must be held under its token; whether the lease is over
    /// does not matter as long as nobody else has the item. With `done` they count as done.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn finish(&self, kind: Kind, queue: &str, held: &[Held], done: bool) -> Result<Vec<Outcome>, Error> {
        check_ids("items", held.iter().map(|held| held.item.as_str()))?;
        call!(self, "finish", async {
            let mut unit = self.begin(kind, queue).await?;
            let mut gone = Vec::new();
            let (outcomes, _) = self
                .change_items(&mut unit, held, |row, place, _| {
                    if held[place].token != Some(row.token) {
                        return Err(Refusal::StaleToken);
                    }
                    gone.push(row.clone());
                    Ok(())
                })
                .await?;
            let left = self.leave(&mut unit, gone).await?;
            for _ in 0..if done { left } else { 0 } {
                unit.count_done();
            }
            self.commit(unit).await?;
            Ok(outcomes)
        })
    }

    /// Deletes items that this transaction has locked, and answers how many they are.
    async fn leave(&self, unit: &mut Unit, mut rows: Vec<Row>) -> Result<usize, Attempt> {
        // A call may name an item twice.
        rows.sort_by(|a, b| a.item.cmp(&b.item));
        rows.dedup_by(|a, b| a.item == b.item);
        for row in &rows {
            unit.count(row.stage, row.standing, -1);
        }
        if !rows.is_empty() {
            self.forget(unit, self.dialect.list(rows.iter().map(|row| row.item.as_str()))).await?;
        }
        Ok(rows.len())
    }
}
