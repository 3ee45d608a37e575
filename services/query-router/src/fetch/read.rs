//! Reading documents: from the cache, and what it does not have from the origin.
//!
//! The cache may be slow, away or wrong about a key's spelling: none of that fails a read. A look-up never waits longer
//! than the cache's own deadline, and what it did not answer is read from the origin. What there is no room for is another
//! matter: it is not read at all, neither from the one nor from the other.

use std::{collections::HashMap, sync::Arc, time::Instant};

use layer_cache::{Away, Body, GetOutcome, Key, LeaseToken, Lookup};
use tokio::time::timeout_at;

use super::{
    coalesce::{Found, Gathered, Query, Wanted},
    failure::Failure,
    held::{Bound, SMALL_BYTES, Share},
    id::{Asked, DocId},
    origin::OriginReader,
    place::Place,
    row::Row,
};

/// Where the rows of an answer came from; of several the greatest is the answer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// All from the cache.
    Hit,
    /// Some from the origin.
    Miss,
    /// Some from the origin, because the cache did not answer.
    MissOnError,
}

impl Origin {
    /// The value of `x-layer-cache`, and of the label `cache_result`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::MissOnError => "miss-on-error",
        }
    }
}

/// What was read.
#[derive(Debug)]
pub struct Read {
    /// What was found of each id, in their order: of the first ones, where there was no room for more.
    pub found: Vec<Found>,
    /// Where it came from.
    pub from: Origin,
    /// When the origin was asked, if it was.
    pub asked_origin: Option<Instant>,
    /// The room that it takes, to be kept as long as what was found.
    pub kept: Kept,
}

/// The room that documents take until it is dropped.
#[derive(Debug)]
pub struct Kept {
    _own: Share,
    _joined: Vec<Arc<Share>>,
}

/// What a read may hold.
pub struct Room {
    share: Share,
    /// So many bytes of hits are not counted.
    free: u64,
    /// Hits beyond this are left for the next read, but for the first.
    hits_max: u64,
    hits: u64,
    /// What there was no room for.
    wanted: u64,
}

impl Room {
    /// For some documents, of which hits may take `hits_max` bytes; `share` may have room reserved.
    pub fn new(share: Share, hits_max: u64) -> Self {
        Self { share, free: 0, hits_max, hits: 0, wanted: 0 }
    }

    /// For one document.
    pub fn single(bound: &Bound) -> Self {
        Self { free: SMALL_BYTES, ..Self::new(bound.share(), u64::MAX) }
    }

    /// That there was no room.
    pub(super) fn full(&self, bound: &Bound) -> Failure {
        bound.full(self.wanted)
    }

    /// A hit of so many bytes comes; whether there is room for it.
    pub(super) fn takes_hit(&mut self, bytes: u64) -> bool {
        let hits = self.hits + bytes;
        if hits <= self.free {
            return true;
        }
        let fits = self.hits == 0 || hits <= self.hits_max;
        if !fits || !self.share.take(bytes) {
            self.wanted = bytes;
            return false;
        }
        self.hits = hits;
        true
    }
}

/// How the origin is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Together with whoever asks for something of the namespace.
    Joined,
    /// By a query of its own, which has the room that is reserved for it.
    Alone,
}

/// What is known of each distinct id after the look-up.
enum Known {
    Found(Found),
    Unknown(Option<LeaseToken>),
}

impl Known {
    fn found(&self) -> Option<Found> {
        match self {
            Self::Found(found) => Some(found.clone()),
            Self::Unknown(_) => None,
        }
    }
}

impl OriginReader {
    /// Reads `ids`, doubles too; `strong` leaves the cache out.
    ///
    /// # Errors
    /// [`Failure`] where the origin could not be read, or there is no room for all of it.
    pub async fn read(&self, place: &Arc<Place>, ids: &[Asked], strong: bool, until: Instant) -> Result<Read, Failure> {
        let room = Room::new(self.shared.fetch.held.share(), u64::MAX);
        let read = self.read_within(place, ids, strong, until, room, Way::Joined).await?;
        match read.found.len() == ids.len() {
            true => Ok(read),
            false => Err(self.shared.fetch.held.full(0)),
        }
    }

    /// Reads as many of `ids` as there is room for, from the first on.
    ///
    /// # Errors
    /// [`Failure`] where the origin could not be read, or there is no room for the first.
    pub async fn read_within(
        &self,
        place: &Arc<Place>,
        ids: &[Asked],
        strong: bool,
        until: Instant,
        mut room: Room,
        way: Way,
    ) -> Result<Read, Failure> {
        let (distinct, which) = distinct(ids);
        let (mut known, mut from) = match strong || !self.may_serve(place) {
            true => (distinct.iter().map(|_| Known::Unknown(None)).collect(), Origin::Hit),
            false => self.look_up(place, &distinct, until, &mut room).await,
        };
        let missing: Vec<usize> = (0..known.len()).filter(|index| matches!(known[*index], Known::Unknown(_))).collect();
        let mut asked_origin = None;
        let mut joined = Vec::new();
        if !missing.is_empty() {
            from = from.max(Origin::Miss);
            asked_origin = Some(Instant::now());
            let wanted: Vec<(&Asked, Option<LeaseToken>)> = missing
                .iter()
                .map(|index| match &mut known[*index] {
                    Known::Unknown(lease) => (distinct[*index], lease.take()),
                    Known::Found(_) => (distinct[*index], None),
                })
                .collect();
            let gathered = self.ask_origin(place, &wanted, until, &mut room, way).await?;
            joined = gathered.shares;
            if gathered.wanted > 0 {
                room.wanted = gathered.wanted;
            }
            for (index, found) in missing.iter().zip(gathered.found) {
                known[*index] = found.map_or(Known::Unknown(None), Known::Found);
            }
        }
        room.share.shrink_to(room.share.used());
        let found: Vec<Found> = which.iter().map_while(|index| known.get(*index)?.found()).collect();
        match found.is_empty() && !ids.is_empty() {
            true => Err(self.shared.fetch.held.full(room.wanted)),
            false => Ok(Read { found, from, asked_origin, kept: Kept { _own: room.share, _joined: joined } }),
        }
    }

    /// Reads one of `ids` where there was no room for it, `wanted` bytes. It waits for room until `patience` has come, and
    /// the caller must hold nothing meanwhile: [`held`](super::held) says why.
    ///
    /// # Errors
    /// [`Failure`] where the origin could not be read, or there is still no room.
    pub async fn read_patiently(
        &self,
        place: &Arc<Place>,
        id: &Asked,
        strong: bool,
        (until, patience): (Instant, Instant),
        wanted: u64,
    ) -> Result<Read, Failure> {
        let held = &self.shared.fetch.held;
        let mut wanted = wanted.clamp(SMALL_BYTES, held.limit.max(SMALL_BYTES));
        let full = held.full(wanted);
        let turn = timeout_at(patience.into(), held.turn()).await;
        let _turn = turn.map_err(|_| full.clone())?;
        loop {
            let share = timeout_at(patience.into(), held.wait(wanted)).await.map_err(|_| full.clone())?;
            let all = wanted >= held.limit;
            let room = Room::new(share, u64::MAX);
            match self.read_within(place, std::slice::from_ref(id), strong, until, room, Way::Alone).await {
                // An answer whose length is not known before says only that it is longer.
                Err(Failure::Held { wanted: more, .. }) if !all && more <= held.limit => {
                    wanted = more.max(wanted.saturating_mul(2)).min(held.limit);
                }
                ended => return ended,
            }
        }
    }

    /// Whether this caller may get what Layer itself holds.
    fn may_serve(&self, place: &Place) -> bool {
        place.scope.is_some() && self.shared.fetch.is_accepted(place)
    }

    /// What the cache says of the first `ids`: as many as there is room for.
    async fn look_up(&self, place: &Place, ids: &[&Asked], until: Instant, room: &mut Room) -> (Vec<Known>, Origin) {
        let unknown = || ids.iter().map(|_| Known::Unknown(None)).collect();
        let Some(scope) = &place.scope else { return (unknown(), Origin::Hit) };
        if let Some(away) = self.cache.away() {
            return (unknown(), blamed(GetOutcome::Away(away)));
        }
        let keys: Vec<Key> = ids.iter().map(|id| id.key()).collect();
        let mut takes = |bytes: usize| room.takes_hit(bytes as u64);
        let gotten = self.cache.get_within(scope, &keys, Some(until), &mut takes).await;
        let from = blamed(gotten.outcome);
        if gotten.lookups.len() != ids.len() {
            return (unknown(), Origin::MissOnError);
        }
        let known = ids.iter().zip(gotten.lookups).take(gotten.read).map(|(asked, lookup)| match lookup {
            Lookup::Hit(body) => answers(asked, body).map_or(Known::Unknown(None), Known::Found),
            Lookup::Miss(lease) => Known::Unknown(lease),
        });
        (known.collect(), from)
    }

    /// Reads from the origin. Digits are first taken for what the namespace's ids most likely are; the origin refuses a
    /// filter of the wrong type, and then they are taken for the other.
    async fn ask_origin(
        &self,
        place: &Arc<Place>,
        wanted: &[(&Asked, Option<LeaseToken>)],
        until: Instant,
        room: &mut Room,
        way: Way,
    ) -> Result<Gathered, Failure> {
        let (guess, sure) = self.guess(place, wanted);
        let first = self.read_as(place, wanted, guess, until, room, way).await;
        if sure {
            return first;
        }
        let failure = match first {
            Ok(found) => {
                self.shared.fetch.types.remember(place, guess);
                return Ok(found);
            }
            Err(failure) if failure.is_bad_request() => failure,
            Err(failure) => return Err(failure),
        };
        let found = self.read_as(place, wanted, guess.other(), until, room, way).await.map_err(|_| failure)?;
        self.shared.fetch.types.remember(place, guess.other());
        Ok(found)
    }

    /// What digits mean here, and whether there is nothing to try beside it: no digits, or other ids that say it.
    fn guess(&self, place: &Arc<Place>, wanted: &[(&Asked, Option<LeaseToken>)]) -> (Digits, bool) {
        let mut digits = false;
        for (asked, _) in wanted {
            match asked {
                Asked::Exactly(DocId::Uint(_)) => return (Digits::Uint, true),
                Asked::Exactly(DocId::Text(_)) => return (Digits::Text, true),
                Asked::Digits(_) => digits = true,
            }
        }
        (self.shared.fetch.types.of(place), !digits)
    }

    async fn read_as(
        &self,
        place: &Arc<Place>,
        wanted: &[(&Asked, Option<LeaseToken>)],
        digits: Digits,
        until: Instant,
        room: &mut Room,
        way: Way,
    ) -> Result<Gathered, Failure> {
        let each = wanted.iter().map(|(asked, lease)| Wanted { id: digits.id(asked), lease: lease.clone() });
        let (wanted, until) = (each.collect(), until.into());
        if way == Way::Joined {
            // What was reserved is for hits; the query takes its own.
            room.share.shrink_to(room.share.used());
            return self.shared.fetch.coalescer.read(self, place, wanted, until).await;
        }
        let query = Query { place: Arc::clone(place), wanted, until, span: tracing::Span::current() };
        let read = timeout_at(until, self.read_filling(&query, &mut room.share)).await;
        let (found, wanted) = read.map_err(|_| Failure::Timeout)??;
        Ok(Gathered { found, shares: Vec::new(), wanted })
    }
}

/// What a string of digits means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// An integer.
    Uint,
    /// A string.
    Text,
}

impl Digits {
    fn other(self) -> Self {
        match self {
            Self::Uint => Self::Text,
            Self::Text => Self::Uint,
        }
    }

    fn id(self, asked: &Asked) -> DocId {
        match (self, asked) {
            (_, Asked::Exactly(id)) => id.clone(),
            (Self::Uint, Asked::Digits(number)) => DocId::Uint(*number),
            (Self::Text, Asked::Digits(number)) => DocId::Text(number.to_string().into()),
        }
    }
}

/// Whether what was not hit is the cache's fault. That this process asks for too much at once is not.
fn blamed(outcome: GetOutcome) -> Origin {
    match outcome {
        GetOutcome::Answered | GetOutcome::Away(Away::Disabled | Away::Busy) => Origin::Hit,
        GetOutcome::Away(_) => Origin::MissOnError,
    }
}

/// What a cached value says of that very id; nothing where it is of another that shares the key.
fn answers(asked: &Asked, body: Body) -> Option<Found> {
    if body.is_absent() {
        return asked.candidates().any(|id| body.data == id.json()).then_some(None);
    }
    let row = Row::of_cache(body)?;
    asked.candidates().any(|id| row.answers(&id)).then_some(Some(row))
}

/// The distinct ids, and for each of `ids` which of them it is.
fn distinct(ids: &[Asked]) -> (Vec<&Asked>, Vec<usize>) {
    if let [one] = ids {
        return (vec![one], vec![0]);
    }
    let mut places = HashMap::with_capacity(ids.len());
    let mut distinct = Vec::with_capacity(ids.len());
    let which = ids.iter().map(|id| {
        *places.entry(id).or_insert_with(|| {
            distinct.push(id);
            distinct.len() - 1
        })
    });
    let which = which.collect();
    (distinct, which)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uint(number: u64) -> Asked {
        Asked::Exactly(DocId::Uint(number))
    }

    fn text(text: &str) -> Asked {
        Asked::Exactly(DocId::Text(text.into()))
    }

    #[test]
    fn a_cached_value_answers_for_its_own_id_only() {
        let row = || Body::document(r#"{"id":1,"attributes":{}}"#);
        assert!(matches!(answers(&uint(1), row()), Some(Some(_))));
        assert!(matches!(answers(&Asked::Digits(1), row()), Some(Some(_))));
        assert_eq!(answers(&text("1"), row()), None);
        assert_eq!(answers(&text("1"), Body::absent("\"1\"")), Some(None));
        assert_eq!(answers(&Asked::Digits(1), Body::absent("\"1\"")), Some(None));
        assert_eq!(answers(&uint(1), Body::absent("\"1\"")), None);
    }

    #[test]
    fn a_cache_that_is_not_asked_is_not_away() {
        let away = [Away::NoReplica, Away::BreakerOpen, Away::Deadline, Away::Failed];
        assert!(away.iter().all(|away| blamed(GetOutcome::Away(*away)) == Origin::MissOnError));
        assert!([Away::Disabled, Away::Busy].iter().all(|away| blamed(GetOutcome::Away(*away)) == Origin::Hit));
    }

    #[test]
    fn garbage_answers_for_nothing() {
        for data in ["", "{}", r#"{"id":1"#, "\0\0\0\0", r#"{"id":1,"attributes":{"#] {
            assert_eq!(answers(&uint(1), Body::document(data)), None, "{data}");
        }
    }

    #[test]
    fn doubles_are_read_once_and_answered_as_asked() {
        let ids = [uint(1), text("a"), uint(1), text("1"), text("a")];
        let (distinct, which) = distinct(&ids);
        assert_eq!(distinct, [&uint(1), &text("a"), &text("1")]);
        assert_eq!(which, [0, 1, 0, 2, 1]);
    }
}
