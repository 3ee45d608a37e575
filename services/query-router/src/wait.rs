//! How long a call may wait for what.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use crate::{body::Progress, refusal::Refusal};

/// Waits for `work` until the caller's deadline, if there is one.
pub async fn within<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Result<T, Refusal> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), work).await.map_err(|_| Refusal::Timeout),
        None => Ok(work.await),
    }
}

/// Waits for `answer`: until the caller's deadline, or else for `patience` after the body last moved. `None`: out of
/// time.
pub async fn in_time<T>(
    deadline: Option<Instant>,
    patience: Duration,
    progress: &Progress,
    mut answer: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    // What was read ahead moved before there was anybody to wait for.
    let asked = Instant::now();
    let limit = || deadline.unwrap_or_else(|| progress.moved_at().max(asked) + patience);
    let mut until = limit();
    loop {
        if let Ok(answer) = tokio::time::timeout_at(until.into(), answer.as_mut()).await {
            return Some(answer);
        }
        // A large body may take longer than an answer, as long as it moves.
        let later = limit();
        if later <= until {
            return None;
        }
        until = later;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn the_callers_deadline_ends_a_wait() {
        let soon = Instant::now() + Duration::from_millis(20);
        assert!(matches!(within(Some(soon), pending::<()>()).await, Err(Refusal::Timeout)));
        assert!(matches!(within(None, async { 7 }).await, Ok(7)));
    }
}
