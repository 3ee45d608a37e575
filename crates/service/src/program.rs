//! `main` of a service: settings, logs, runtime, signals, exit code.

use std::{ffi::OsString, process::ExitCode};

use crate::{
    config::{
        self, AdminSettings, ConfigError, DrainSettings, EXIT_USAGE, LimitSettings, ListenSettings, LogSettings,
        ProcessEnvironment, Settings, Sources, TelemetrySettings, TlsSettings,
    },
    lifecycle::{Lifecycle, Stage, StopSignals},
    server::BindError,
    telemetry,
};

/// What keeps a service from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used: the process ends with 64 then, and with 1 else.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Reflection cannot describe the contract.
    #[error("gRPC reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The names of calls cannot be read from the contract.
    #[error("gRPC contract: {0}")]
    Contract(#[from] prost::DecodeError),
}

/// The sections that the settings of every service have.
pub struct Sections<'a> {
    /// Its logs.
    pub log: &'a LogSettings,
    /// Its traces.
    pub telemetry: &'a TelemetrySettings,
    /// Its data port.
    pub listen: &'a ListenSettings,
    /// Its admin port.
    pub admin: &'a AdminSettings,
    /// Bounds on requests.
    pub limits: &'a LimitSettings,
    /// TLS of the data port.
    pub tls: &'a TlsSettings,
    /// How it stops.
    pub drain: &'a DrainSettings,
}

/// A service's name and how it runs.
pub trait Program {
    /// The service's settings.
    type Settings: Settings;
    /// The program's name.
    const NAME: &'static str;
    /// One line on what it is.
    const ABOUT: &'static str;

    /// What of its settings every service has.
    fn sections(settings: &Self::Settings) -> Sections<'_>;

    /// Runs until `lifecycle` was told to stop and the drain is over. `traces`: spans are wanted.
    ///
    /// # Errors
    /// When it cannot start.
    fn run(
        settings: Self::Settings,
        lifecycle: Lifecycle,
        traces: bool,
    ) -> impl Future<Output = Result<(), StartError>> + Send;
}

/// Runs `P` as this process, and gives its exit code: 0, 1 where it could not start, 64 for wrong settings.
pub fn main<P: Program>() -> ExitCode {
    main_with::<P>(std::env::args_os().collect())
}

/// The same with a command line of the caller's choice, the program's name first.
pub fn main_with<P: Program>(arguments: Vec<OsString>) -> ExitCode {
    let environment = ProcessEnvironment;
    let sources = Sources { program: P::NAME, about: P::ABOUT, environment: &environment, arguments, presets: vec![] };
    match config::load::<P::Settings>(sources) {
        Err(error) => refuse(&error),
        Ok(loaded) if loaded.print => {
            print!("{}", loaded.to_toml());
            ExitCode::SUCCESS
        }
        Ok(loaded) => start::<P>(loaded.settings),
    }
}

/// Says what is wrong with the settings. `--help` and `--version` come this way too, and are no error.
pub fn refuse(error: &ConfigError) -> ExitCode {
    if let ConfigError::Flags(flags) = error {
        // Nothing is left to say it to where the terminal itself is gone.
        let _ = flags.print();
        return if flags.use_stderr() { usage() } else { ExitCode::SUCCESS };
    }
    eprintln!("error: {error}");
    usage()
}

fn usage() -> ExitCode {
    ExitCode::from(u8::try_from(EXIT_USAGE).unwrap_or(1))
}

fn start<P: Program>(settings: P::Settings) -> ExitCode {
    // Accepting, the admin port and background work; requests are answered on the port's own workers.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let Sections { log, telemetry, .. } = P::sections(&settings);
        let telemetry = match telemetry::start(P::NAME, log, telemetry) {
            Ok(telemetry) => telemetry,
            Err(error) => return refuse(&error),
        };
        let lifecycle = Lifecycle::default();
        tokio::spawn(stop_at_signal(lifecycle.clone()));
        let ended = P::run(settings, lifecycle, telemetry.traces()).await;
        // Joining fails only when flushing panicked; the process ends either way.
        let _ = tokio::task::spawn_blocking(|| telemetry.flush()).await;
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        }
    })
}

fn fail(error: &StartError) -> ExitCode {
    match error {
        StartError::Config(wrong) => refuse(wrong),
        _ => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The first signal drains; a second one cuts.
pub async fn stop_at_signal(lifecycle: Lifecycle) {
    let mut signals = match StopSignals::listen() {
        Ok(signals) => signals,
        Err(error) => return tracing::error!(%error, "signals cannot be received"),
    };
    for stage in [Stage::Noticing, Stage::Cut] {
        let signal = signals.next().await;
        tracing::info!(signal, ?stage, "told to stop");
        lifecycle.advance(stage);
    }
}
