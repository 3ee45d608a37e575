//! How changed items are written back: only the columns that changed.
//!
//! A claim changes half of an item's columns and a completion fewer. What a statement does not name is neither sent, nor read out of
//! the list, which is a good part of what an item costs the database.

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

/// The statement that writes items back, with `$1` the list and `$2` the queue, and the list: at least one has changed.
pub(super) fn update(changed: &[&Change]) -> (String, Value) {
    let differs = |column: &&Column| changed.iter().any(|change| (column.differs)(&change.before, &change.row));
    let columns: Vec<_> = COLUMNS.iter().filter(differs).collect();
    let mut statement = "UPDATE item SET ".to_owned();
    for (place, Column { name, type_name, .. }) in columns.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        write!(statement, "{comma}{name} = CAST(v.value->>{} AS {type_name})", place + 1).expect("a String takes it");
    }
    statement.push_str(" FROM {rows} WHERE item.queue = $2 AND item.item = v.value->>0");
    let of =
        |row: &Row| std::iter::once(json!(row.item)).chain(columns.iter().map(|column| (column.value)(row))).collect();
    (statement, Value::Array(changed.iter().map(|change| Value::Array(of(&change.row))).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(item: &str, alter: impl FnOnce(&mut Row)) -> Change {
        let before = Row::new(item.to_owned(), 1, 0, None, 5);
        let mut row = before.clone();
        alter(&mut row);
        Change { before, row }
    }

    #[test]
    fn only_what_changed_is_written() {
        let (one, other) = (change("a", |row| row.attempts = 3), change("b", |row| row.worker = Some("w".to_owned())));
        let (statement, list) = update(&[&one, &other]);
        let set = "attempts = CAST(v.value->>1 AS BIGINT), worker = CAST(v.value->>2 AS TEXT)";
        assert_eq!(
            statement,
            format!("UPDATE item SET {set} FROM {{rows}} WHERE item.queue = $2 AND item.item = v.value->>0")
        );
        assert_eq!(list, json!([["a", 3, null], ["b", 0, "w"]]));
    }
}
