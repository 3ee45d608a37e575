//! What went wrong, in one line that says what to do.

use std::process::ExitCode;

use layer_service::config::{ConfigError, EXIT_USAGE};

/// An error for the person at the terminal.
#[derive(Debug)]
pub struct Failure {
    message: String,
    usage: bool,
}

impl Failure {
    /// Something failed.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), usage: false }
    }

    /// Something was asked for wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), usage: true }
    }

    /// Prints it and gives the exit code: 64 for wrong use, else 1.
    pub fn tell(self) -> ExitCode {
        eprintln!("error: {}", self.message);
        match self.usage {
            true => ExitCode::from(u8::try_from(EXIT_USAGE).unwrap_or(1)),
            false => ExitCode::FAILURE,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}
