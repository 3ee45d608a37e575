//! How changed items are written back: only the columns that changed, to the places where the items were locked.
//!
//! A claim changes half of an item's columns and a completion fewer, and mostly to the same values for all items of a call.
//! What is the same is sent once, what does not change not at all, and no index is searched for rows that the transaction has
//! found already: what is left of an item's cost is the row itself and its entries in indexes.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Body, InPack, items::Change, rules::Row};

/// A column that changes.
struct Column {
    name: &'static str,
    type_name: &'static str,
    differs: fn(&Row, &Row) -> bool,
    value: fn(&Row) -> Value,
}

macro_rules! column {
    ($name:literal, $type_name:literal, |$row:ident| $value:expr) => {
        Column {
            name: $name,
            type_name: $type_name,
            differs: |before, after| {
                let of = |$row: &Row| $value;
                of(before) != of(after)
            },
            value: |$row| json!($value),
        }
    };
}

/// All of them.
const COLUMNS: [Column; 16] = [
    column!("stage", "BIGINT", |row| row.stage),
    column!("state", "BIGINT", |row| row.standing.code()),
    column!("source", "BIGINT", |row| row.source),
    column!("priority", "BIGINT", |row| row.priority),
    column!("attempts", "BIGINT", |row| row.attempts),
    column!("strikes", "BIGINT", |row| row.strikes),
    column!("version", "BIGINT", |row| row.version),
    column!("token", "BIGINT", |row| row.token),
    column!("since_ms", "BIGINT", |row| row.since_ms),
    column!("wake_ms", "BIGINT", |row| row.wake_ms),
    column!("worker", "TEXT", |row| row.worker.clone()),
    column!("body_minted", "BIGINT", |row| row.body.map(|body| body.minted_ms)),
    column!("body_digest", "BIGINT", |row| row.body.map(|body| body.digest)),
    column!("chunks", "BIGINT", |row| row.body.map_or(0, |body| body.chunks)),
    column!("body_pack", "BIGINT", |row| pack(row.body).map(|pack| pack.id)),
    column!("body_place", "BIGINT", |row| pack(row.body).map(InPack::place)),
];

fn pack(body: Option<Body>) -> Option<InPack> {
    body.and_then(|body| body.pack)
}

/// One statement that writes items back.
pub(super) struct Update<'a> {
    /// A template: `$1` are the items, and what follows the scalars.
    pub(super) statement: String,
    pub(super) items: Items<'a>,
    /// What is the same for all items.
    pub(super) scalars: Vec<Scalar>,
}

/// The items of a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Items<'a> {
    /// Where they lie.
    Places(Vec<&'a str>),
    /// A JSON list for each: where it lies, and what differs between items.
    Rows(Value),
}

/// The value that a column gets in all items.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Number(Option<i64>),
    Text(Option<String>),
}

/// What is to be written of items, of which at least one has changed.
pub(super) fn update<'a>(changed: &[&'a Change]) -> Update<'a> {
    let differs = |column: &&Column| changed.iter().any(|change| (column.differs)(&change.before, &change.row));
    let (same, own): (Vec<_>, Vec<_>) = COLUMNS.iter().filter(differs).partition(|column| {
        let mut pairs = changed.iter().zip(changed.iter().skip(1));
        pairs.all(|(one, next)| !(column.differs)(&one.row, &next.row))
    });
    let mut statement = "UPDATE item SET ".to_owned();
    let mut set = |name: &str, value: std::fmt::Arguments<'_>| {
        let comma = if statement.ends_with("SET ") { "" } else { ", " };
        write!(statement, "{comma}{name} = {value}").expect("a String takes it");
    };
    for (place, column) in same.iter().enumerate() {
        set(column.name, format_args!("${}", place + 2));
    }
    for (place, Column { name, type_name, .. }) in own.iter().enumerate() {
        set(name, format_args!("CAST(v.value->>{} AS {type_name})", place + 1));
    }
    let scalars = changed.first().map(|first| same.iter().map(|column| scalar(column, &first.row)).collect());
    let scalars = scalars.unwrap_or_default();
    if own.is_empty() {
        statement.push_str(" WHERE {at_places}");
        let places = changed.iter().map(|change| change.place.as_str()).collect();
        return Update { statement, items: Items::Places(places), scalars };
    }
    statement.push_str(" FROM {rows} WHERE {at_place}");
    let row = |change: &&Change| -> Value {
        let own = own.iter().map(|column| (column.value)(&change.row));
        std::iter::once(json!(change.place)).chain(own).collect()
    };
    Update { statement, items: Items::Rows(changed.iter().map(row).collect()), scalars }
}

fn scalar(column: &Column, row: &Row) -> Scalar {
    let value = (column.value)(row);
    match column.type_name {
        "TEXT" => Scalar::Text(value.as_str().map(str::to_owned)),
        _ => Scalar::Number(value.as_i64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(item: &str, alter: impl FnOnce(&mut Row)) -> Change {
        let before = Row::new(item.to_owned(), 1, 0, None, 5);
        let mut row = before.clone();
        alter(&mut row);
        Change { place: format!("({item},1)"), before, row }
    }

    #[test]
    fn what_differs_between_items_is_in_the_list() {
        let (one, other) = (change("a", |row| row.attempts = 3), change("b", |row| row.worker = Some("w".to_owned())));
        let update = update(&[&one, &other]);
        let set = "attempts = CAST(v.value->>1 AS BIGINT), worker = CAST(v.value->>2 AS TEXT)";
        assert_eq!(update.statement, format!("UPDATE item SET {set} FROM {{rows}} WHERE {{at_place}}"));
        assert_eq!(update.items, Items::Rows(json!([["(a,1)", 3, null], ["(b,1)", 0, "w"]])));
        assert_eq!(update.scalars, []);
    }

    #[test]
    fn what_is_the_same_for_all_is_sent_once() {
        let items = ["a", "b"].map(|item| {
            change(item, |row| {
                (row.stage, row.wake_ms, row.worker) = (2, None, Some("w".to_owned()));
                row.token = if item == "a" { 7 } else { 8 };
            })
        });
        let update = update(&items.each_ref());
        let set = "stage = $2, worker = $3, token = CAST(v.value->>1 AS BIGINT)";
        assert_eq!(update.statement, format!("UPDATE item SET {set} FROM {{rows}} WHERE {{at_place}}"));
        assert_eq!(update.items, Items::Rows(json!([["(a,1)", 7], ["(b,1)", 8]])));
        assert_eq!(update.scalars, [Scalar::Number(Some(2)), Scalar::Text(Some("w".to_owned()))]);
    }

    #[test]
    fn a_column_that_is_emptied_in_all_items_is_sent_as_nothing() {
        let mut item = change("a", |row| row.wake_ms = None);
        item.before.wake_ms = Some(9);
        let update = update(&[&item]);
        assert_eq!(update.statement, "UPDATE item SET wake_ms = $2 WHERE {at_places}");
        assert_eq!((update.items, update.scalars), (Items::Places(vec!["(a,1)"]), vec![Scalar::Number(None)]));
    }
}
