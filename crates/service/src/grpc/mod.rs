//! What a service does for every gRPC call before the call's own code runs, and the errors that are the same everywhere.
//!
//! A call has a deadline, the caller's or the service's own, and is answered by then; calls in flight have a bound; a call
//! within a trace has its span. Errors carry google.rpc details with a reason that callers decide by
//! (`docs/grpc-errors.md`).

mod front;
pub mod status;

use std::time::{Duration, Instant};

pub use front::{Answer, Front, MakeFront, Shape};

/// When a call must be answered; [`Front`] puts it on every call as an extension.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// Of a call. One that did not come through a [`Front`] has no time.
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        request.extensions().get::<Self>().copied().unwrap_or_else(|| Self(Instant::now()))
    }

    /// The time left of a call.
    pub fn left<T>(request: &tonic::Request<T>) -> Duration {
        Self::of(request).remaining()
    }

    /// The time left.
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
