//! What a call to the state store may answer instead.

use super::model::Kind;

/// Why a call did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database is away, too slow or too busy. What was asked for may have happened: repeat the call.
    #[error("the state store is not available: {0}")]
    Unavailable(String),
    /// There is no such queue.
    #[error("there is no {kind} `{name}`")]
    QueueNotFound {
        /// Pipeline or function.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// There is one of that name already.
    #[error("there is a {kind} `{name}` already")]
    QueueExists {
        /// Pipeline or function.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// The call is wrong; nothing was done.
    #[error("`{field}` {reason}")]
    Invalid {
        /// The field that is wrong.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A body was made so long ago that it may be swept before a row names it. Make it anew; nothing was changed.
    #[error("the body was stored too long ago to be referred to")]
    BodyExpired,
    /// The database answered what it cannot have: a wrong schema, or a fault of ours.
    #[error("the state store's answer makes no sense: {0}")]
    Broken(String),
}

/// PostgreSQL: deadlock, serialization, lock not available. SQLite: busy, locked, busy by an old snapshot.
const LOST_RACES: [&str; 6] = ["40P01", "40001", "55P03", "5", "6", "517"];
/// PostgreSQL's undefined table: the schema is not there yet.
const NO_SCHEMA: &str = "42P01";
/// Classes of PostgreSQL's codes that pass: connection, resources, operator intervention, system.
const PASSING: [&str; 4] = ["08", "53", "57", "58"];
/// SQLite's codes that pass when the machine has room again: out of memory, a failed read or write, a full disk, no more files.
const SQLITE_PASSING: [u32; 4] = [7, 10, 13, 14];

impl Error {
    /// A wrong field.
    pub(crate) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }

    /// For metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::QueueNotFound { .. } => "not_found",
            Self::QueueExists { .. } => "exists",
            Self::Invalid { .. } => "invalid",
            Self::BodyExpired => "body_expired",
            Self::Broken(_) => "broken",
        }
    }
}

/// What became of one attempt of a call.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// Another transaction came first; the next attempt may go through.
    Raced(String),
    /// No attempt will be different.
    Failed(Error),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Whether what the database complains about may be over at another time. PostgreSQL's codes have five characters; SQLite's are
/// numbers with fewer, of which the last eight bits are the kind.
fn passes(code: &str) -> bool {
    match code.len() {
        5 => code == NO_SCHEMA || PASSING.contains(&&code[..2]),
        _ => code.parse::<u32>().is_ok_and(|code| SQLITE_PASSING.contains(&(code & 0xff))),
    }
}

impl From<sqlx::Error> for Attempt {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(answer) => {
                let code = answer.code().unwrap_or_default();
                if LOST_RACES.contains(&code.as_ref()) {
                    return Self::Raced(answer.to_string());
                }
                if passes(&code) {
                    return Self::Failed(Error::Unavailable(answer.to_string()));
                }
                Self::Failed(Error::Broken(answer.to_string()))
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Failed(Error::Unavailable(error.to_string())),
            _ => Self::Failed(Error::Broken(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_does_not_in_both_databases() {
        // PostgreSQL: too many connections, disk full, shutdown. SQLite: a full disk, a failed write, a failed growth of the index
        // of its log.
        for code in ["53300", "53100", "57P01", "42P01", "13", "778", "4874"] {
            assert!(passes(code), "{code}");
        }
        // PostgreSQL: unique violation, syntax, and two of which the last bits are those of a full disk. SQLite: constraint, corrupt.
        for code in ["23505", "42601", "23053", "22029", "1555", "11", ""] {
            assert!(!passes(code), "{code}");
        }
    }
}
