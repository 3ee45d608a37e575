//! Named points before and after each durable step, at which tests end the process, or hold it.
//!
//! Only the feature `failpoints` gives them anything to do; in every other build, and so in all that is shipped, they are
//! nothing at all. Two variables say what happens, read once as the process starts:
//!
//! - `LAYER_CRASH_AT=POINT:N`: the process aborts as it comes to the point for the N-th time, from 1;
//! - `LAYER_HOLD_AT=POINT:FILE`: the first to come to the point makes `FILE.held`, and goes on when `FILE` is there;
//! - `LAYER_POINTS_FILE=FILE`: each point that is come to is written there, once, a name a line.
//!
//! Calls of the state store have three points each: `state.CALL.before`, `state.CALL.commit` (all of its statements are
//! done, and nothing is durable yet) and `state.CALL.after`.

#[cfg(not(feature = "failpoints"))]
pub(crate) use off::{call, commit, reach, set_up};
#[cfg(feature = "failpoints")]
pub(crate) use on::{call, commit, reach, set_up};

#[cfg(not(feature = "failpoints"))]
mod off {
    use layer_service::config::ConfigError;

    #[allow(clippy::unnecessary_wraps, reason = "with the feature there are variables to be wrong")]
    pub(crate) fn set_up() -> Result<(), ConfigError> {
        Ok(())
    }

    #[inline]
    pub(crate) fn reach(_: &'static str) {}

    #[inline]
    pub(crate) fn commit() {}

    #[inline]
    pub(crate) fn call<F: Future>(_: &'static str, attempt: F) -> F {
        attempt
    }
}

#[cfg(feature = "failpoints")]
mod on {
    use std::{
        collections::BTreeSet,
        fs::File,
        io::Write as _,
        path::{Path, PathBuf},
        sync::{
            Mutex, PoisonError,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    use layer_service::config::ConfigError;

    tokio::task_local! {
        /// The call of the state store that is being carried out.
        static CALL: &'static str;
    }

    const CRASH: &str = "LAYER_CRASH_AT";
    const HOLD: &str = "LAYER_HOLD_AT";
    const LIST: &str = "LAYER_POINTS_FILE";
    /// How often a held process looks whether it may go on.
    const LOOK_EVERY: Duration = Duration::from_millis(5);

    /// Points that were come to, where somebody wants to know them.
    static SEEN: Mutex<Option<(File, BTreeSet<String>)>> = Mutex::new(None);

    /// Reads the variables.
    pub(crate) fn set_up() -> Result<(), ConfigError> {
        if let Some((point, hit)) = variable(CRASH)? {
            let hit = hit.parse::<u64>().ok().filter(|hit| *hit > 0);
            let hit = hit.ok_or_else(|| ConfigError::invalid(CRASH, "must be POINT:N, N from 1"))?;
            crash(&point, hit)?;
        }
        if let Some((point, file)) = variable(HOLD)? {
            hold(&point, file.into())?;
        }
        if let Ok(file) = std::env::var(LIST) {
            let file = File::create(&file).map_err(|error| ConfigError::invalid(LIST, error.to_string()))?;
            *SEEN.lock().unwrap_or_else(PoisonError::into_inner) = Some((file, BTreeSet::new()));
        }
        Ok(())
    }

    fn variable(name: &str) -> Result<Option<(String, String)>, ConfigError> {
        let Ok(text) = std::env::var(name) else { return Ok(None) };
        let (point, rest) = text.split_once(':').ok_or_else(|| ConfigError::invalid(name, "must be POINT:…"))?;
        Ok(Some((point.to_owned(), rest.to_owned())))
    }

    fn crash(point: &str, hit: u64) -> Result<(), ConfigError> {
        let (name, hits) = (point.to_owned(), AtomicU64::new(0));
        let at = move || {
            if hits.fetch_add(1, Ordering::Relaxed) + 1 == hit {
                eprintln!("the process ends at point {name}, hit {hit}");
                std::process::abort();
            }
        };
        fail::cfg_callback(point, at).map_err(|error| ConfigError::invalid(CRASH, error))
    }

    fn hold(point: &str, file: PathBuf) -> Result<(), ConfigError> {
        let hits = AtomicU64::new(0);
        let at = move || {
            if hits.fetch_add(1, Ordering::Relaxed) == 0 {
                wait_for(&file);
            }
        };
        fail::cfg_callback(point, at).map_err(|error| ConfigError::invalid(HOLD, error))
    }

    /// Holds this thread: a process that stands still is what is tested.
    fn wait_for(file: &Path) {
        let held = File::create(file.with_extension("held"));
        held.expect("a test gives a file in a directory of its own");
        while !file.exists() {
            std::thread::sleep(LOOK_EVERY);
        }
    }

    pub(crate) fn reach(point: &str) {
        note(point);
        fail::fail_point!(point);
    }

    fn note(point: &str) {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((file, names)) = seen.as_mut() else { return };
        if names.insert(point.to_owned()) {
            writeln!(file, "{point}").expect("a test gives a file that can be written");
        }
    }

    /// All statements of a call are done; it is about to commit.
    pub(crate) fn commit() {
        let _ = CALL.try_with(|call| reach(&format!("state.{call}.commit")));
    }

    /// One attempt of a call of the state store.
    pub(crate) async fn call<T, E, F: Future<Output = Result<T, E>>>(name: &'static str, attempt: F) -> F::Output {
        reach(&format!("state.{name}.before"));
        let outcome = CALL.scope(name, attempt).await;
        if outcome.is_ok() {
            reach(&format!("state.{name}.after"));
        }
        outcome
    }
}
