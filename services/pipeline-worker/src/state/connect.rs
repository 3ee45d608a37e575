//! Opening the state store.

use std::{
    borrow::Cow,
    sync::{Arc, Once, atomic::Ordering},
    time::Duration,
};

use layer_service::{
    config::{ConfigError, Secret},
    metrics::Metrics,
};
use sqlx::{
    Any, ConnectOptions, Connection, Executor, SqlSafeStr, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::{Error, State, StateSettings, dialect::Dialect, error::Attempt, observe::Observe};

/// The schema's steps, oldest first. What was released is never changed: the database knows its checksum.
const STEPS: [(&str, &str, &str); 4] = [
    (
        "queues",
        include_str!("../../migrations/postgres/0001_queues.sql"),
        include_str!("../../migrations/sqlite/0001_queues.sql"),
    ),
    (
        "functions",
        include_str!("../../migrations/postgres/0002_functions.sql"),
        include_str!("../../migrations/sqlite/0002_functions.sql"),
    ),
    (
        "packs",
        include_str!("../../migrations/postgres/0003_packs.sql"),
        include_str!("../../migrations/sqlite/0003_packs.sql"),
    ),
    (
        "statistics",
        include_str!("../../migrations/postgres/0004_statistics.sql"),
        include_str!("../../migrations/sqlite/0004_statistics.sql"),
    ),
];

static DRIVERS: Once = Once::new();

impl State {
    /// Prepares the store that `settings` name, or answers `None` where they name none. The database is not called yet:
    /// one that is away keeps no service from starting. [`State::migrate`] must go through before anything else.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting that cannot be used.
    pub fn open(settings: &StateSettings, metrics: &Metrics) -> Result<Option<Self>, ConfigError> {
        settings.validate()?;
        let Some((url, dialect)) = settings.url.as_ref().and_then(known) else { return Ok(None) };
        DRIVERS.call_once(install_default_drivers);
        let options: AnyConnectOptions = parse(url, dialect)?;
        let prepare = dialect.prepare(settings.statement_timeout_ms);
        let pool = AnyPoolOptions::new()
            .max_connections(if dialect == Dialect::Sqlite { 1 } else { settings.connections_max })
            .acquire_timeout(Duration::from_millis(settings.acquire_timeout_ms))
            .after_connect(move |connection, _| {
                let prepare = prepare.clone();
                Box::pin(async move {
                    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(prepare))).await?;
                    Ok(())
                })
            })
            // SQLite ends a transaction by itself when its disk is full. sqlx then fails to, counts it as open for ever, and
            // would begin no other on this connection. The ping waits until sqlx has tried.
            .after_release(move |connection, _| {
                Box::pin(async move {
                    if dialect == Dialect::Sqlite {
                        connection.ping().await?;
                        return Ok(!connection.is_in_transaction());
                    }
                    Ok(true)
                })
            })
            // Statements have names in the metrics; their text is no news and is not logged.
            .connect_lazy_with(options.disable_statement_logging());
        Ok(Some(Self {
            pool,
            dialect,
            observe: Observe::new(metrics),
            attempt_max: Duration::from_millis(
                settings.acquire_timeout_ms.saturating_add(settings.statement_timeout_ms.saturating_mul(STATEMENTS)),
            ),
            migrated: Arc::default(),
            late_write_ms: i64::try_from(settings.late_write_ms).unwrap_or(i64::MAX),
            body_grace_ms: i64::try_from(settings.body_grace_ms).unwrap_or(i64::MAX),
        }))
    }

    /// Brings the schema up to date. Several processes may do so at once. Until then every call is answered
    /// [`Error::Unavailable`]: between two steps of it a call would find half of a schema.
    ///
    /// # Errors
    /// [`Error::Unavailable`], or [`Error::Broken`] where the schema is of a newer release or was changed by hand.
    pub async fn migrate(&self) -> Result<(), Error> {
        let migrations: Vec<_> = (1..).zip(STEPS).map(|(version, step)| self.step(version, step)).collect();
        let migrator = Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT };
        migrator.run(&self.pool).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => plain(error),
            other => Error::Broken(other.to_string()),
        })?;
        self.migrated.store(true, Ordering::Release);
        Ok(())
    }

    fn step(&self, version: i64, (name, postgres, sqlite): (&'static str, &'static str, &'static str)) -> Migration {
        let text = match self.dialect {
            Dialect::Postgres => postgres,
            Dialect::Sqlite => sqlite,
        };
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, text.into_sql_str(), false)
    }

    /// The database's clock, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn now_ms(&self) -> Result<i64, Error> {
        let read = sqlx::query_scalar(self.dialect.sql("SELECT {now}")).fetch_one(&self.pool);
        let read = async { Ok(read.await?) };
        self.bounded(read).await.map_err(settled)
    }

    /// Begins a transaction that will write, by a statement of the [`Dialect`].
    ///
    /// It begins in a task of its own, which goes on where its caller is gone (a deadline, a client that hangs up): sqlx
    /// knows of no transaction yet while PostgreSQL begins it, and would give the connection back with the transaction
    /// open. What others did there alone would then be lost with it, although they were told that it was done.
    pub(crate) async fn transaction(&self, begin: &'static str) -> Result<Transaction<'static, Any>, sqlx::Error> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(begin).await });
        begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    /// An attempt of a call, given up when it takes longer than any that succeeds. What it asked for may happen yet.
    pub(crate) async fn bounded<T>(&self, attempt: impl Future<Output = Result<T, Attempt>>) -> Result<T, Attempt> {
        if !self.migrated.load(Ordering::Acquire) {
            return Err(Error::Unavailable("its schema is not up to date yet".to_owned()).into());
        }
        let outcome = tokio::time::timeout(self.attempt_max, attempt).await;
        outcome.unwrap_or_else(|_| Err(Error::Unavailable("no answer in time".to_owned()).into()))
    }

    /// Closes all connections; calls that come later are answered [`Error::Unavailable`].
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A transaction whose statements take longer than so many statements may is given up. It is less than the ten that
/// `state.body_grace_ms` leaves between a body's last naming and its sweep.
const STATEMENTS: u64 = 4;

fn known(url: &Secret) -> Option<(&str, Dialect)> {
    Some((url.reveal(), Dialect::of(url.reveal())?))
}

/// A file of SQLite that is not there is made, unless the URL says otherwise.
fn parse(url: &str, dialect: Dialect) -> Result<AnyConnectOptions, ConfigError> {
    let made = match dialect {
        Dialect::Sqlite if !url.contains('?') => Cow::Owned(format!("{url}?mode=rwc")),
        _ => Cow::Borrowed(url),
    };
    made.parse().map_err(|_| ConfigError::invalid("state.url", "is no URL of a database"))
}

/// The error of a call that is not tried again.
pub(crate) fn plain(error: sqlx::Error) -> Error {
    settled(Attempt::from(error))
}

fn settled(attempt: Attempt) -> Error {
    match attempt {
        Attempt::Raced(reason) => Error::Unavailable(reason),
        Attempt::Failed(error) => error,
    }
}
