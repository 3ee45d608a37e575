//! Evaluation. `None` is the unknown; an error is only for what the stand-in leaves out.

use std::cmp::Ordering;

use super::Subject;
use super::arithmetic;
use super::call::call;
use super::compile::{Expression, Type};
use super::meta::digest_modulo;
use super::operator::Compare;
use crate::code::Code;
use crate::value::{MAP_KEY_ORDERED, Value, particle_type, types};

/// Variables that are defined where an expression stands. One may be unknown.
pub(super) type Scope = Vec<Option<Value>>;

type Outcome = Result<Option<Value>, Code>;

pub(super) fn eval(expression: &Expression, subject: &Subject<'_>) -> Outcome {
    eval_in(expression, subject, &mut Scope::new())
}

pub(super) fn eval_in(expression: &Expression, subject: &Subject<'_>, scope: &mut Scope) -> Outcome {
    match expression {
        Expression::Unknown => Ok(None),
        Expression::Literal(value) => Ok(Some(value.clone())),
        Expression::Compare(operator, sides) => pair(sides, subject, scope, |a, b| compare(*operator, a, b)),
        Expression::InList(sides) => pair(sides, subject, scope, in_list),
        Expression::And(parts) => any_or_all(parts, subject, scope, false),
        Expression::Or(parts) => any_or_all(parts, subject, scope, true),
        Expression::Not(part) => Ok(eval_in(part, subject, scope)?.and_then(not)),
        Expression::Exclusive(parts) => exclusive(parts, subject, scope),
        Expression::Arithmetic(operator, parts) => {
            Ok(all(parts, subject, scope)?.and_then(|args| arithmetic::apply(*operator, &args)))
        }
        Expression::Cond(cases, other) => cond(cases, other, subject, scope),
        Expression::Var(place) => Ok(scope.get(*place).cloned().flatten()),
        Expression::Let(values, inner) => bindings(values, inner, subject, scope),
        Expression::Call(inner) => call(inner, subject, scope),
        Expression::MapKeys(map) => Ok(eval_in(map, subject, scope)?.and_then(|map| column(map, |pair| pair.0))),
        Expression::MapValues(map) => Ok(eval_in(map, subject, scope)?.and_then(|map| column(map, |pair| pair.1))),
        leaf => Ok(of_record(leaf, subject)),
    }
}

/// What the record itself answers.
fn of_record(leaf: &Expression, subject: &Subject<'_>) -> Option<Value> {
    match leaf {
        Expression::DigestModulo(modulo) => Some(digest_modulo(subject, *modulo)),
        Expression::Meta(meta) => Some(meta.of(subject)),
        Expression::Key(kind) => key(subject).filter(|key| Type::of_value(key) == *kind),
        Expression::Bin(name, kind) => subject.record.bin(name).filter(|bin| Type::of_value(bin) == *kind).cloned(),
        Expression::BinType(name) => {
            let kind = subject.record.bin(name).map_or(types::NULL, particle_type);
            Some(Value::Int(i64::from(kind)))
        }
        _ => None,
    }
}

/// The stored key: its type and its bytes.
fn key(subject: &Subject<'_>) -> Option<Value> {
    let mut data = subject.record.key.clone()?;
    let kind = if data.is_empty() { return None } else { data.split_to(1)[0] };
    crate::value::from_particle(kind, data).ok()
}

fn all(parts: &[Expression], subject: &Subject<'_>, scope: &mut Scope) -> Result<Option<Vec<Value>>, Code> {
    parts.iter().map(|part| eval_in(part, subject, scope)).collect()
}

fn pair(
    sides: &[Expression; 2],
    subject: &Subject<'_>,
    scope: &mut Scope,
    work: impl Fn(&Value, &Value) -> Option<bool>,
) -> Outcome {
    let values = all(sides, subject, scope)?;
    Ok(values.and_then(|values| work(&values[0], &values[1])).map(Value::Bool))
}

fn compare(operator: Compare, left: &Value, right: &Value) -> Option<bool> {
    if has_unordered_map(left) || has_unordered_map(right) {
        return None;
    }
    let order = match (left, right) {
        // Not the order of the types' table: a number that is none equals nothing.
        (Value::Float(left), Value::Float(right)) => match left.partial_cmp(right) {
            Some(order) => order,
            None => return Some(operator == Compare::NotEqual),
        },
        _ => left.cmp(right),
    };
    Some(match operator {
        Compare::Equal => order == Ordering::Equal,
        Compare::NotEqual => order != Ordering::Equal,
        Compare::Greater => order == Ordering::Greater,
        Compare::GreaterOrEqual => order != Ordering::Less,
        Compare::Less => order == Ordering::Less,
        Compare::LessOrEqual => order != Ordering::Greater,
    })
}

/// The server does not compare maps that have no order.
fn has_unordered_map(value: &Value) -> bool {
    match value {
        Value::Map(map) => {
            map.flags & MAP_KEY_ORDERED == 0 || map.pairs.iter().any(|(_, value)| has_unordered_map(value))
        }
        Value::List(list) => list.iter().any(has_unordered_map),
        _ => false,
    }
}

fn in_list(value: &Value, list: &Value) -> Option<bool> {
    match list {
        Value::List(list) => Some(list.contains(value)),
        _ => None,
    }
}

fn not(value: Value) -> Option<Value> {
    match value {
        Value::Bool(bool) => Some(Value::Bool(!bool)),
        _ => None,
    }
}

/// And (`decides` false) and or (`decides` true): one part that decides does, also beside unknown ones.
fn any_or_all(parts: &[Expression], subject: &Subject<'_>, scope: &mut Scope, decides: bool) -> Outcome {
    let mut outcome = Some(Value::Bool(!decides));
    for part in parts {
        match eval_in(part, subject, scope)? {
            Some(Value::Bool(bool)) if bool == decides => return Ok(Some(Value::Bool(decides))),
            Some(_) => {}
            None => outcome = None,
        }
    }
    Ok(outcome)
}

fn exclusive(parts: &[Expression], subject: &Subject<'_>, scope: &mut Scope) -> Outcome {
    let values = all(parts, subject, scope)?;
    Ok(values.map(|values| Value::Bool(values.iter().filter(|value| **value == Value::Bool(true)).count() == 1)))
}

/// A condition that is unknown makes the whole unknown.
fn cond(cases: &[(Expression, Expression)], other: &Expression, subject: &Subject<'_>, scope: &mut Scope) -> Outcome {
    for (condition, gives) in cases {
        match eval_in(condition, subject, scope)? {
            Some(Value::Bool(true)) => return eval_in(gives, subject, scope),
            Some(_) => {}
            None => return Ok(None),
        }
    }
    eval_in(other, subject, scope)
}

fn bindings(values: &[Expression], inner: &Expression, subject: &Subject<'_>, scope: &mut Scope) -> Outcome {
    let outer = scope.len();
    for value in values {
        let value = eval_in(value, subject, scope)?;
        scope.push(value);
    }
    let outcome = eval_in(inner, subject, scope);
    scope.truncate(outer);
    outcome
}

fn column(map: Value, of: fn((Value, Value)) -> Value) -> Option<Value> {
    match map {
        Value::Map(map) => Some(Value::List(map.pairs.into_iter().map(of).collect())),
        _ => None,
    }
}
