//! What differs between the two databases: five fragments of SQL, and how a connection is prepared.

use std::fmt;

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

    /// The statement in this dialect. `{now}` is the clock in milliseconds, the same throughout a statement; `{rows}` the
    /// elements of the JSON list `$1`, as `v.value`; `{lock}` locks the rows of table `i` that are read; `{skip}` too, but
    /// leaves out what others have locked.
    pub(crate) fn sql(self, template: &'static str) -> SqlStr {
        if !template.contains('{') {
            return template.into_sql_str();
        }
        self.put(template)
    }

    /// As [`Dialect::sql`], of a text that was put together of constants: nothing that a caller sent may be part of it.
    pub(crate) fn put(self, template: &str) -> SqlStr {
        let [now, rows, lock, skip] = self.fragments();
        let text =
            template.replace("{now}", now).replace("{rows}", rows).replace("{lock}", lock).replace("{skip}", skip);
        AssertSqlSafe(text).into_sql_str()
    }

    fn fragments(self) -> [&'static str; 4] {
        match self {
            Self::Postgres => [
                "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)",
                "jsonb_array_elements(CAST($1 AS JSONB)) AS v(value)",
                "FOR UPDATE OF i",
                "FOR UPDATE OF i SKIP LOCKED",
            ],
            Self::Sqlite => ["CAST(unixepoch('subsec') * 1000 AS INTEGER)", "json_each($1) AS v", "", ""],
        }
    }

    /// What each new connection is told.
    pub(crate) fn prepare(self, statement_timeout_ms: u64) -> String {
        match self {
            Self::Postgres => format!(
                "SET statement_timeout = {statement_timeout_ms}; SET lock_timeout = {statement_timeout_ms}; \
                 SET idle_in_transaction_session_timeout = 5000"
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
    fn fragments_are_put_in() {
        let template = "SELECT {now} FROM {rows} JOIN item i {skip} {lock}";
        let postgres = Dialect::Postgres.sql(template);
        assert!(postgres.as_str().ends_with("JOIN item i FOR UPDATE OF i SKIP LOCKED FOR UPDATE OF i"), "{postgres:?}");
        assert!(!Dialect::Sqlite.sql(template).as_str().contains('{'));
    }
}
