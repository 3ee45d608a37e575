//! The operations on a map, by their codes.

use super::empty;
use super::pick::{self, Picked};
use crate::code::Code;
use crate::value::{MAP_KEY_ORDERED, Map, Value};

/// How a put is meant.
mod put_flags {
    pub(super) const NO_OVERWRITE: i64 = 1;
    pub(super) const NO_CREATE: i64 = 2;
    pub(super) const NO_FAIL: i64 = 4;
    pub(super) const PARTIAL: i64 = 8;
}

/// How far reads lie above the removes that pick the same.
const SIZE: i64 = 96;

pub(super) fn read(map: &Map, code: i64, args: &[Value]) -> Result<Value, Code> {
    if code == SIZE {
        return Ok(Value::Int(map.pairs.len() as i64));
    }
    let result = int(args, 0)?;
    // A read picks as the remove of the same name does.
    let remove = match code {
        97 => 76,
        98 => 77,
        100 => 79,
        102 => 82,
        103 => 84,
        104 => 85,
        105 => 86,
        106 => 87,
        107 => 81,
        108 => 83,
        109 => 88,
        110 => 89,
        _ => return Err(Code::PARAMETER),
    };
    pick(map, remove, &args[1..])?.inverted(map, result).result(map, result)
}

/// The map after the operation (`None`: there is none, and none comes to be), and the result.
pub(super) fn modify(map: Option<&Map>, code: i64, args: &[Value]) -> Result<(Option<Map>, Value), Code> {
    match code {
        64 => set_type(map, int(args, 0)?),
        67 => put(map, args),
        68 => put_items(map, args),
        73 => increment(map, args, 1),
        74 => increment(map, args, -1),
        75 => Ok((map.map(|map| empty(map.flags)), Value::Nil)),
        76..=89 => remove(map, code, args),
        _ => Err(Code::UNSUPPORTED),
    }
}

fn remove(map: Option<&Map>, code: i64, args: &[Value]) -> Result<(Option<Map>, Value), Code> {
    let Some(map) = map else { return Ok((None, Value::Nil)) };
    let result = int(args, 0)?;
    let picked = pick(map, code, &args[1..])?.inverted(map, result);
    let value = picked.result(map, result)?;
    let mut place = 0;
    let mut left = map.clone();
    left.pairs.retain(|_| {
        place += 1;
        !picked.places.contains(&(place - 1))
    });
    Ok((Some(left), value))
}

fn pick(map: &Map, code: i64, args: &[Value]) -> Result<Picked, Code> {
    let count = |at: usize| args.get(at).map(|_| int(args, at)).transpose();
    Ok(match code {
        76 => pick::key(map, arg(args, 0)?),
        77 => pick::index(map, int(args, 0)?)?,
        79 => pick::rank(map, int(args, 0)?)?,
        81 => pick::keys(map, list(args, 0)?),
        82 => pick::values(map, &args[..args.len().min(1)]),
        83 => pick::values(map, list(args, 0)?),
        84 => pick::interval(map, arg(args, 0)?, args.get(1), |pair| &pair.0),
        85 => pick::index_range(map, int(args, 0)?, count(1)?),
        86 => pick::interval(map, arg(args, 0)?, args.get(1), |pair| &pair.1),
        87 => pick::rank_range(map, int(args, 0)?, count(1)?),
        88 => pick::relative_index(map, arg(args, 0)?, int(args, 1)?, count(2)?),
        89 => pick::relative_rank(map, arg(args, 0)?, int(args, 1)?, count(2)?),
        _ => return Err(Code::UNSUPPORTED),
    })
}

fn set_type(map: Option<&Map>, flags: i64) -> Result<(Option<Map>, Value), Code> {
    let mut map = map.cloned().unwrap_or_default();
    map.flags = order(flags);
    Ok((Some(map), Value::Nil))
}

fn put(map: Option<&Map>, args: &[Value]) -> Result<(Option<Map>, Value), Code> {
    let (key, value) = (arg(args, 0)?.clone(), arg(args, 1)?.clone());
    put_pairs(map, vec![(key, value)], optional(args, 2)?, optional(args, 3)?)
}

fn put_items(map: Option<&Map>, args: &[Value]) -> Result<(Option<Map>, Value), Code> {
    match arg(args, 0)? {
        Value::Map(items) => put_pairs(map, items.pairs.clone(), optional(args, 1)?, optional(args, 2)?),
        _ => Err(Code::PARAMETER),
    }
}

/// A map that is there keeps its order, whatever the operation says of it.
fn put_pairs(
    map: Option<&Map>,
    pairs: Vec<(Value, Value)>,
    flags: i64,
    mode: i64,
) -> Result<(Option<Map>, Value), Code> {
    let old = map.cloned().unwrap_or_else(|| empty(order(flags)));
    let mut new = old.clone();
    for (key, value) in pairs {
        if !matches!(key, Value::Int(_) | Value::String(_) | Value::Blob(_)) {
            return Err(Code::PARAMETER);
        }
        match refusal(new.find(&key).is_ok(), mode) {
            None => new.put(key, value),
            Some(code) if mode & put_flags::NO_FAIL == 0 => return Err(code),
            Some(_) if mode & put_flags::PARTIAL != 0 => {}
            Some(_) => {
                let len = old.pairs.len() as i64;
                return Ok((map.map(|_| old), Value::Int(len)));
            }
        }
    }
    let len = new.pairs.len() as i64;
    Ok((Some(new), Value::Int(len)))
}

fn refusal(exists: bool, mode: i64) -> Option<Code> {
    if exists && mode & put_flags::NO_OVERWRITE != 0 {
        Some(Code::ELEMENT_EXISTS)
    } else if !exists && mode & put_flags::NO_CREATE != 0 {
        Some(Code::ELEMENT_NOT_FOUND)
    } else {
        None
    }
}

fn increment(map: Option<&Map>, args: &[Value], sign: i64) -> Result<(Option<Map>, Value), Code> {
    let (key, by) = (arg(args, 0)?.clone(), args.get(1).cloned().unwrap_or(Value::Int(1)));
    let now = map.and_then(|map| map.find(&key).ok().map(|at| map.pairs[at].1.clone()));
    let value = match (now, by) {
        (None, Value::Int(by)) => Value::Int(sign * by),
        (None, Value::Float(by)) => Value::Float(sign as f64 * by),
        (Some(Value::Int(int)), Value::Int(by)) => Value::Int(int.wrapping_add(sign * by)),
        (Some(Value::Float(float)), Value::Float(by)) => Value::Float(float + sign as f64 * by),
        _ => return Err(Code::PARAMETER),
    };
    let (map, _) = put_pairs(map, vec![(key, value.clone())], optional(args, 2)?, 0)?;
    Ok((map, value))
}

/// A map's flags of an order: key order, with or without value order, is one to us.
fn order(flags: i64) -> u8 {
    flags as u8 & MAP_KEY_ORDERED
}

fn arg(args: &[Value], at: usize) -> Result<&Value, Code> {
    args.get(at).ok_or(Code::PARAMETER)
}

fn int(args: &[Value], at: usize) -> Result<i64, Code> {
    arg(args, at)?.as_int().ok_or(Code::PARAMETER)
}

fn optional(args: &[Value], at: usize) -> Result<i64, Code> {
    if at < args.len() { int(args, at) } else { Ok(0) }
}

fn list(args: &[Value], at: usize) -> Result<&[Value], Code> {
    match arg(args, at)? {
        Value::List(list) => Ok(list),
        _ => Err(Code::PARAMETER),
    }
}
