//! What differs between the two databases: some fragments of SQL, and how a connection is prepared.

use std::fmt;

use serde_json::Value;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    Sqlite,
}

impl Dialect {
    /// The one that `url` names, by its scheme.
    pub(crate) fn of(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }

    /// Begins a transaction that will write. SQLite takes its one write lock here: a transaction that asked for it later
    /// could have read what another one changed meanwhile.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Self::Postgres => "BEGIN",
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// The same for one whose loss, with the database's last moments, loses nothing: its commit is not waited for.
    pub(crate) fn begin_unflushed(self) -> &'static str {
        match self {
            Self::Postgres => "BEGIN; SET LOCAL synchronous_commit = off",
            Self::Sqlite => self.begin(),
        }
    }

    /// The statement in this dialect. `{now}` is the clock in milliseconds, the same throughout a statement; `{rows}` the
    /// elements of the JSON list `$1`, as `v.value`; `{ids}` is a condition: to be one of the [`Dialect::list`] `$1`;
    /// `{queue}` is the queue `$2`, of whose rows the planner thinks as of any queue's; `{lock}` locks the rows of table `i` that
    /// are read; `{skip}` too, but leaves out what others have locked.
    ///
    /// `{place}` is where a row of table `i` lies, as a text: it stays there while this transaction holds the row's lock and
    /// has not changed it. `{at_places}` are the rows of table `item` at the places of the [`Dialect::list`] `$1`;
    /// `{at_place}` those at the place that is the first part of an element of `{rows}`.
    pub(crate) fn sql(self, template: &'static str) -> SqlStr {
        if !template.contains('{') {
            return template.into_sql_str();
        }
        self.put(template)
    }

    /// As [`Dialect::sql`], of a text that was put together of constants: nothing that a caller sent may be part of it.
    pub(crate) fn put(self, template: &str) -> SqlStr {
        let put = |text: String, (name, fragment): &(&str, &str)| text.replace(name, fragment);
        AssertSqlSafe(self.fragments().iter().fold(template.to_owned(), put)).into_sql_str()
    }

    /// Texts as one argument: PostgreSQL reads an array in less time than JSON.
    pub(crate) fn list<'a>(self, texts: impl Iterator<Item = &'a str>) -> String {
        match self {
            Self::Postgres => {
                let mut list = "{".to_owned();
                for text in texts {
                    list.push_str(if list.len() == 1 { "\"" } else { ",\"" });
                    for character in text.chars() {
                        if matches!(character, '"' | '\\') {
                            list.push('\\');
                        }
                        list.push(character);
                    }
                    list.push('"');
                }
                list.push('}');
                list
            }
            Self::Sqlite => Value::from_iter(texts).to_string(),
        }
    }

    /// Those that hold others come first.
    fn fragments(self) -> [(&'static str, &'static str); 9] {
        match self {
            Self::Postgres => [
                // An array lets the database walk its index once; of a list of rows it would make a table to join with.
                ("{ids}", "= ANY(CAST($1 AS TEXT[]))"),
                // Were it to see the number, it would look it up in its statistics: a queue that is younger than those has no rows.
                ("{queue}", "(SELECT CAST($2 AS BIGINT))"),
                ("{at_places}", "item.ctid = ANY(CAST($1 AS TID[]))"),
                ("{at_place}", "item.ctid = CAST(v.value->>0 AS TID)"),
                ("{place}", "CAST(i.ctid AS TEXT)"),
                ("{now}", "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)"),
                ("{rows}", "jsonb_array_elements(CAST($1 AS JSONB)) AS v(value)"),
                ("{lock}", "FOR UPDATE OF i"),
                ("{skip}", "FOR UPDATE OF i SKIP LOCKED"),
            ],
            Self::Sqlite => [
                ("{ids}", "IN (SELECT v.value FROM {rows})"),
                ("{queue}", "$2"),
                ("{at_places}", "item.rowid IN (SELECT CAST(v.value AS INTEGER) FROM {rows})"),
                ("{at_place}", "item.rowid = CAST(v.value->>0 AS INTEGER)"),
                ("{place}", "CAST(i.rowid AS TEXT)"),
                ("{now}", "CAST(unixepoch('subsec') * 1000 AS INTEGER)"),
                ("{rows}", "json_each($1) AS v"),
                ("{lock}", ""),
                ("{skip}", ""),
            ],
        }
    }

    /// What each new connection is told.
    pub(crate) fn prepare(self, statement_timeout_ms: u64) -> String {
        match self {
            // Every statement has its index. A plan is kept while a table grows: it must not be one for a few pages.
            Self::Postgres => format!(
                "SET statement_timeout = {statement_timeout_ms}; SET lock_timeout = {statement_timeout_ms}; \
                 SET idle_in_transaction_session_timeout = 5000; SET enable_seqscan = off; SET jit = off"
            ),
            // A commit survives a loss of power; readers do not wait for the writer.
            Self::Sqlite => format!(
                "PRAGMA busy_timeout = {statement_timeout_ms}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
            ),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_known_by_its_scheme() {
        assert_eq!(Dialect::of("postgres://a/b"), Some(Dialect::Postgres));
        assert_eq!(Dialect::of("sqlite:///a"), Some(Dialect::Sqlite));
        assert_eq!((Dialect::of("mysql://a"), Dialect::of("nothing")), (None, None));
    }

    #[test]
    fn texts_are_quoted_in_a_list() {
        let texts = || ["a b", "", r#"{"c,d\e"}"#].into_iter();
        assert_eq!(Dialect::Postgres.list(texts()), r#"{"a b","","{\"c,d\\e\"}"}"#);
        assert_eq!(Dialect::Sqlite.list(texts()), r#"["a b","","{\"c,d\\e\"}"]"#);
        assert_eq!(Dialect::Postgres.list(std::iter::empty()), "{}");
    }

    #[test]
    fn fragments_are_put_in() {
        let template = "SELECT {now} FROM {rows} JOIN item i {skip} {lock}";
        let postgres = Dialect::Postgres.sql(template);
        assert!(postgres.as_str().ends_with("JOIN item i FOR UPDATE OF i SKIP LOCKED FOR UPDATE OF i"), "{postgres:?}");
        assert!(!Dialect::Sqlite.sql(template).as_str().contains('{'));
    }
}
