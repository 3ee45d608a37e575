//! Why a call to another part has no answer of that part.

use std::time::Duration;

use layer_service::grpc::status;
use tonic::{Code, Status};

/// When it is worth to try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No replica answers. The part did nothing.
    Away,
    /// The connection broke off before the answer's end. What the part did is not known.
    BrokenOff,
    /// The time ran out. What the part did is not known.
    Deadline,
    /// Too many calls of this process are in flight. The part did nothing.
    Overloaded {
        /// How many may be.
        limit: usize,
    },
}

impl Failure {
    /// The failure as a status that names the part, with `google.rpc` details. Its reason is the part's name and
    /// `_UNAVAILABLE`, `GATEWAY_TIMEOUT`, or `OVERLOADED`.
    pub fn status(self, part: &str) -> Status {
        let (code, reason) = match self {
            Self::Away | Self::BrokenOff => (Code::Unavailable, unavailable(part)),
            Self::Deadline => (Code::DeadlineExceeded, "GATEWAY_TIMEOUT".to_owned()),
            Self::Overloaded { .. } => (Code::ResourceExhausted, "OVERLOADED".to_owned()),
        };
        let text = match self {
            Self::Away => "no replica answers; try again shortly".to_owned(),
            Self::BrokenOff => {
                "it broke off before it had answered; whether it has done anything is not known".to_owned()
            }
            Self::Deadline => "it did not answer in time; whether it has done anything is not known".to_owned(),
            Self::Overloaded { limit } => format!("this router has {limit} calls to it in flight; try again shortly"),
        };
        let text = format!("{part}: {text}");
        match self {
            Self::Away | Self::Overloaded { .. } => status::passing(code, &reason, text, RETRY_AFTER),
            Self::BrokenOff | Self::Deadline => status::error(code, &reason, text),
        }
    }
}

/// `pipeline-worker` → `PIPELINE_WORKER_UNAVAILABLE`.
fn unavailable(part: &str) -> String {
    format!("{}_UNAVAILABLE", part.to_ascii_uppercase().replace('-', "_"))
}
