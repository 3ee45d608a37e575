//! Which pairs of a map an operation picks, and what it gives of them.

use std::cmp::Ordering;
use std::ops::Range;

use crate::code::Code;
use crate::value::{MAP_KEY_ORDERED, MAP_PRESERVE_ORDER, Map, Value};

/// In a type of result: what was not picked.
const INVERTED: i64 = 0x1_0000;

/// What was picked: places among the map's pairs in the order of their keys.
#[derive(Debug)]
pub(super) struct Picked {
    pub(super) places: Vec<usize>,
    /// The operation names one pair, so its result is no list.
    is_single: bool,
}

impl Picked {
    fn single(place: Option<usize>) -> Self {
        Self { places: place.into_iter().collect(), is_single: true }
    }

    fn many(places: Vec<usize>) -> Self {
        Self { places, is_single: false }
    }

    /// Turns the pick around where the type of result says so.
    pub(super) fn inverted(self, map: &Map, result: i64) -> Self {
        if result & INVERTED == 0 {
            return self;
        }
        Self::many((0..map.pairs.len()).filter(|place| !self.places.contains(place)).collect())
    }

    /// What the operation gives, by its type of result.
    pub(super) fn result(&self, map: &Map, result: i64) -> Result<Value, Code> {
        let ints = |int: &dyn Fn(usize) -> usize| self.shape(|place| Value::Int(int(place) as i64), Value::Int(-1));
        let (len, ranks) = (map.pairs.len(), ranks(map));
        let rank = |place: usize| ranks.iter().position(|at| *at == place).unwrap_or(0);
        Ok(match result & !INVERTED {
            0 => Value::Nil,
            1 => ints(&|place| place),
            2 => ints(&|place| len - 1 - place),
            3 => ints(&rank),
            4 => ints(&|place| len - 1 - rank(place)),
            5 => Value::Int(self.places.len() as i64),
            6 => self.shape(|place| map.pairs[place].0.clone(), Value::Nil),
            7 => self.shape(|place| map.pairs[place].1.clone(), Value::Nil),
            8 => self.map(map, MAP_PRESERVE_ORDER),
            13 => Value::Bool(!self.places.is_empty()),
            16 => self.map(map, 0),
            17 => self.map(map, MAP_KEY_ORDERED),
            _ => return Err(Code::PARAMETER),
        })
    }

    fn shape(&self, value: impl Fn(usize) -> Value, absent: Value) -> Value {
        if self.is_single {
            self.places.first().map_or(absent, |place| value(*place))
        } else {
            Value::List(self.places.iter().map(|place| value(*place)).collect())
        }
    }

    fn map(&self, map: &Map, flags: u8) -> Value {
        Value::Map(Map { flags, pairs: self.places.iter().map(|place| map.pairs[*place].clone()).collect() })
    }
}

/// Places in the order of their values (equal values in the order of their keys).
fn ranks(map: &Map) -> Vec<usize> {
    let mut places: Vec<usize> = (0..map.pairs.len()).collect();
    places.sort_by(|a, b| map.pairs[*a].1.cmp(&map.pairs[*b].1).then(a.cmp(b)));
    places
}

pub(super) fn key(map: &Map, key: &Value) -> Picked {
    Picked::single(map.find(key).ok())
}

pub(super) fn keys(map: &Map, keys: &[Value]) -> Picked {
    Picked::many((0..map.pairs.len()).filter(|place| keys.contains(&map.pairs[*place].0)).collect())
}

pub(super) fn values(map: &Map, values: &[Value]) -> Picked {
    Picked::many((0..map.pairs.len()).filter(|place| values.contains(&map.pairs[*place].1)).collect())
}

/// From `begin` to before `end`; without: to the end. `of` says what of a pair is compared.
pub(super) fn interval(map: &Map, begin: &Value, end: Option<&Value>, of: fn(&(Value, Value)) -> &Value) -> Picked {
    let inside = |value: &Value| {
        value.cmp(begin) != Ordering::Less && end.is_none_or(|end| end.is_nil() || value.cmp(end) == Ordering::Less)
    };
    Picked::many((0..map.pairs.len()).filter(|place| inside(of(&map.pairs[*place]))).collect())
}

/// One place; out of range is an error.
pub(super) fn index(map: &Map, index: i64) -> Result<Picked, Code> {
    let place = range(map.pairs.len(), index, Some(1)).next();
    place.map(|place| Picked::single(Some(place))).ok_or(Code::NOT_APPLICABLE)
}

pub(super) fn index_range(map: &Map, index: i64, count: Option<i64>) -> Picked {
    Picked::many(range(map.pairs.len(), index, count).collect())
}

pub(super) fn rank(map: &Map, rank: i64) -> Result<Picked, Code> {
    let Picked { places, .. } = index(map, rank)?;
    let by_rank = ranks(map);
    Ok(Picked::single(places.first().map(|at| by_rank[*at])))
}

pub(super) fn rank_range(map: &Map, rank: i64, count: Option<i64>) -> Picked {
    let by_rank = ranks(map);
    Picked::many(range(map.pairs.len(), rank, count).map(|at| by_rank[at]).collect())
}

/// Places from `offset` after where the key lies or would lie.
pub(super) fn relative_index(map: &Map, key: &Value, offset: i64, count: Option<i64>) -> Picked {
    let at = map.find(key).unwrap_or_else(|at| at) as i64;
    Picked::many(relative(map.pairs.len(), at + offset, count).collect())
}

/// Ranks from `offset` after where the value lies or would lie.
pub(super) fn relative_rank(map: &Map, value: &Value, offset: i64, count: Option<i64>) -> Picked {
    let by_rank = ranks(map);
    let at = by_rank.iter().filter(|place| map.pairs[**place].1 < *value).count() as i64;
    Picked::many(relative(map.pairs.len(), at + offset, count).map(|at| by_rank[at]).collect())
}

/// From a place, counted from the end where it is negative.
fn range(len: usize, index: i64, count: Option<i64>) -> Range<usize> {
    let start = if index < 0 { index + len as i64 } else { index };
    relative(len, start, count)
}

/// From a place that may lie before the start or after the end.
fn relative(len: usize, start: i64, count: Option<i64>) -> Range<usize> {
    let len = len as i64;
    let end = count.map_or(len, |count| start.saturating_add(count.max(0))).clamp(0, len);
    let start = start.clamp(0, len);
    start as usize..end.max(start) as usize
}
