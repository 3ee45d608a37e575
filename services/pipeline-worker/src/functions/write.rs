//! The writes that results become: patches, and whole rows where a result has dense vectors, which cannot be patched.
//!
//! Each write carries the condition that its row was written last when its inputs were compared, by the router's stamp. So
//! a late result, one for older inputs, or one that another worker was faster with, changes nothing; what was not written
//! is compared anew. A condition does not hold back a write of a whole row that is not there: a row that is
//! deleted between the comparison and the write of a vector comes back. docs/operations/functions.md says so.

use std::collections::{BTreeMap, HashSet};

use layer_proto::{
    router::v1::{WriteRequest, WriteResponse},
    types::v1::{self as types, AttributeSchemaChange, Id, Value},
};

use super::{
    Inner, RouterCalls,
    complete::Written,
    errors::Trouble,
    marks::{Marks, int, null, text, typed, written_at},
    rows::{Row, key},
    schemas::Types,
    spec::Registered,
    values::{needs_whole_row, revision, type_of, writable},
};
use crate::state::Held;

/// How often a row is compared anew that was written to meanwhile.
const ROUNDS: usize = 3;
/// Writes for one call's results of a namespace where the origin refuses some, in each round.
const CALLS_MAX: usize = 64;
/// Whole rows that are read at a time.
const WHOLE_MAX: usize = 64;

/// A result that may be written.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    place: usize,
    held: Held,
    id: Id,
    revision: i64,
    stamp: Option<i64>,
    gained: BTreeMap<String, Value>,
}

impl Work {
    /// A result for a row as it is now.
    pub(crate) fn new(
        place: usize,
        item: String,
        token: i64,
        row: &Row,
        inputs: &[String],
        gained: BTreeMap<String, Value>,
    ) -> Self {
        let revision = revision(&row.attributes, inputs);
        Self { place, held: Held::under(item, token), id: row.id.clone(), revision, stamp: row.stamp, gained }
    }

    fn placed(&self) -> (usize, Held) {
        (self.place, self.held.clone())
    }
}

/// A row to write.
#[derive(Debug, Clone)]
struct Prepared {
    /// Which of the works it is of.
    work: usize,
    stamp: Option<i64>,
    whole: bool,
    row: types::Row,
}

impl<R: RouterCalls> Inner<R> {
    /// Writes results to the rows of a namespace, with the function's marks as of `now_ms`.
    pub(crate) async fn write_results(
        &self,
        function: &Registered,
        namespace: &str,
        mut works: Vec<Work>,
        now_ms: i64,
    ) -> Written {
        let mut written = Written::default();
        for round in 0..ROUNDS {
            if round > 0 {
                match self.compared(function, namespace, works, &mut written).await {
                    Ok(same) => works = same,
                    Err(trouble) => {
                        written.trouble = Some(trouble);
                        return written;
                    }
                }
            }
            if works.is_empty() {
                return written;
            }
            works = match self.write_once(function, namespace, works, now_ms, &mut written).await {
                Ok(left) => left,
                Err(trouble) => {
                    written.trouble = Some(trouble);
                    return written;
                }
            };
        }
        written.changed.extend(works.iter().map(Work::placed));
        written
    }

    /// Those whose rows have the same inputs still, as of a new read.
    async fn compared(
        &self,
        function: &Registered,
        namespace: &str,
        works: Vec<Work>,
        written: &mut Written,
    ) -> Result<Vec<Work>, Trouble> {
        if works.is_empty() {
            return Ok(works);
        }
        let ids: Vec<_> = works.iter().map(|work| work.id.clone()).collect();
        let rows = self.rows_now(function, namespace, &ids).await?;
        let mut same = Vec::new();
        for mut work in works {
            match rows.get(&key(&work.id)) {
                None => written.gone.push(work.placed()),
                Some(row) if revision(&row.attributes, &function.spec.inputs) != work.revision => {
                    written.changed.push(work.placed());
                }
                Some(row) => {
                    work.stamp = row.stamp;
                    same.push(work);
                }
            }
        }
        Ok(same)
    }

    /// Writes them once; answers those that the origin left as they were.
    async fn write_once(
        &self,
        function: &Registered,
        namespace: &str,
        works: Vec<Work>,
        now_ms: i64,
        written: &mut Written,
    ) -> Result<Vec<Work>, Trouble> {
        let names: Vec<_> =
            works.iter().flat_map(|work| work.gained.keys()).collect::<HashSet<_>>().into_iter().collect();
        let types = match self.types(namespace, &names).await {
            // The next comparison finds the rows gone.
            Err(Trouble::NoNamespace) => return Ok(works),
            types => types?,
        };
        let marks = Stamped::new(function, now_ms);
        let mut batch = Batch { marks, namespace, types, fresh: false, parts: Vec::new(), calls: 0 };
        let prepared = self.prepared(&batch, &works, written).await?;
        batch.parts = parts(prepared);
        let mut done = HashSet::new();
        while let Some(part) = batch.parts.pop() {
            if batch.calls == CALLS_MAX {
                let message = "too many of the results that came together were refused";
                let (place, held) = works[part[0].work].placed();
                let rest = part[1..].iter().map(|one| works[one.work].placed());
                let tried_again = std::iter::once((place, held)).chain(rest);
                written.refused.extend(tried_again.map(|(place, held)| (place, held, false, message.to_owned())));
                done.extend(part.iter().map(|one| one.work));
                continue;
            }
            batch.calls += 1;
            match self.rows.write(batch.request(&part, &works)).await {
                Ok(answer) => {
                    let applied = applied(answer);
                    let there = part.iter().filter(|one| applied.contains(&key(&works[one.work].id)));
                    for one in there {
                        written.done.push(works[one.work].placed());
                        done.insert(one.work);
                    }
                }
                Err(Trouble::NoNamespace) => {}
                Err(Trouble::Refused(_)) if !batch.fresh => {
                    // What is remembered of the schema may be wrong by now.
                    batch.types = self.types_anew(namespace).await?;
                    batch.fresh = true;
                    batch.parts.push(part);
                }
                Err(Trouble::Refused(message)) if part.len() == 1 => {
                    let (place, held) = works[part[0].work].placed();
                    written.refused.push((place, held, true, message));
                    done.insert(part[0].work);
                }
                Err(Trouble::Refused(_)) => {
                    let half = part.len() / 2;
                    batch.parts.push(part[half..].to_vec());
                    batch.parts.push(part[..half].to_vec());
                }
                Err(away) => return Err(away),
            }
        }
        let left = works.into_iter().enumerate().filter(|(work, _)| !done.contains(work));
        let said: HashSet<_> = written.refused.iter().map(|(place, ..)| *place).collect();
        Ok(left.map(|(_, work)| work).filter(|work| !said.contains(&work.place)).collect())
    }

    /// The rows to write: of each what it gains, or all of it.
    async fn prepared(
        &self,
        batch: &Batch<'_>,
        works: &[Work],
        written: &mut Written,
    ) -> Result<Vec<Prepared>, Trouble> {
        let whole = |work: &Work| {
            let declared = |name: &String| batch.types.get(name).map(String::as_str);
            work.gained.iter().any(|(name, value)| needs_whole_row(value, declared(name)))
        };
        let (mut prepared, mut whole_rows) = (Vec::new(), Vec::new());
        for (place, work) in works.iter().enumerate() {
            if whole(work) {
                whole_rows.push(place);
                continue;
            }
            let row = batch.marks.row(&work.id, work.gained.clone());
            prepared.push(Prepared { work: place, stamp: work.stamp, whole: false, row });
        }
        for some in whole_rows.chunks(WHOLE_MAX) {
            let ids: Vec<_> = some.iter().map(|place| works[*place].id.clone()).collect();
            let mut rows = match self.rows.read_whole(batch.namespace, &ids, &batch.types).await {
                Err(Trouble::NoNamespace) => continue,
                rows => rows?,
            };
            for &place in some {
                let work = &works[place];
                let Some(Row { mut attributes, .. }) = rows.remove(&key(&work.id)) else { continue };
                attributes.extend(work.gained.clone());
                if let Some((name, _)) = attributes.iter().find(|(_, value)| !writable(value)) {
                    let (at, held) = work.placed();
                    let message = format!("the row's attribute `{name}` cannot be written again beside a vector");
                    written.refused.push((at, held, true, message));
                    continue;
                }
                let row = batch.marks.row(&work.id, attributes);
                prepared.push(Prepared { work: place, stamp: work.stamp, whole: true, row });
            }
        }
        Ok(prepared)
    }
}

/// Rows that go into one write: all patches; whole rows by the moment that their condition names.
fn parts(prepared: Vec<Prepared>) -> Vec<Vec<Prepared>> {
    let mut parts: BTreeMap<Option<Option<i64>>, Vec<Prepared>> = BTreeMap::new();
    for one in prepared {
        parts.entry(one.whole.then_some(one.stamp)).or_default().push(one);
    }
    parts.into_values().collect()
}

/// The rows that a write changed.
fn applied(answer: WriteResponse) -> HashSet<String> {
    answer.patched_ids.iter().chain(&answer.upserted_ids).map(key).collect()
}

/// What a function puts on the rows that it has done.
struct Stamped {
    values: Vec<(String, Value)>,
    declared: Vec<(String, AttributeSchemaChange)>,
}

impl Stamped {
    fn new(function: &Registered, now_ms: i64) -> Self {
        let marks = &function.marks;
        let mut values = vec![(marks.version.clone(), text(&function.spec.version))];
        let mut declared = marks.declared(function.ages());
        if function.ages() {
            let good_ms = i64::try_from(function.schedule().stale_after_ms).unwrap_or(i64::MAX);
            values.push((marks.stale_after.clone(), int(now_ms.saturating_add(good_ms))));
        }
        for other in &function.spec.invalidates {
            let marks = Marks::of(other);
            declared.extend(marks.declared(false));
            values.push((marks.version, null()));
        }
        Self { values, declared }
    }

    fn row(&self, id: &Id, mut attributes: BTreeMap<String, Value>) -> types::Row {
        attributes.extend(self.values.iter().cloned());
        types::Row { id: Some(id.clone()), attributes }
    }
}

/// The writes of one call's results for a namespace.
struct Batch<'a> {
    marks: Stamped,
    namespace: &'a str,
    types: Types,
    /// The types were read for this batch.
    fresh: bool,
    parts: Vec<Vec<Prepared>>,
    calls: usize,
}

impl Batch<'_> {
    fn request(&self, part: &[Prepared], works: &[Work]) -> WriteRequest {
        let mut stamps: Vec<_> = part.iter().map(|one| one.stamp).collect();
        stamps.sort_unstable();
        stamps.dedup();
        let condition = Some(written_at(&stamps));
        let rows = part.iter().map(|one| one.row.clone()).collect();
        let request = WriteRequest {
            namespace: self.namespace.to_owned(),
            schema: self.declared(part, works).into_iter().collect(),
            return_affected_ids: Some(true),
            ..WriteRequest::default()
        };
        if part.iter().any(|one| one.whole) {
            WriteRequest { upsert_rows: rows, upsert_condition: condition, ..request }
        } else {
            WriteRequest { patch_rows: rows, patch_condition: condition, ..request }
        }
    }

    /// The types of the marks, and of attributes that the namespace does not have yet.
    fn declared(&self, part: &[Prepared], works: &[Work]) -> Vec<(String, AttributeSchemaChange)> {
        let mut new: BTreeMap<&String, Vec<&Value>> = BTreeMap::new();
        for (name, value) in part.iter().flat_map(|one| &works[one.work].gained) {
            if !self.types.contains_key(name) {
                new.entry(name).or_default().push(value);
            }
        }
        let typed = |(name, values): (&String, Vec<&Value>)| Some((name.clone(), typed(type_of(values.into_iter())?)));
        new.into_iter().filter_map(typed).chain(self.marks.declared.iter().cloned()).collect()
    }
}
