//! Starting and stopping: which stage a service is in, and who waits for what.
//!
//! A service is `Starting` until its dependencies are ready, `Serving` until it is told to stop, then `Noticing` (not
//! ready any more, still open, so that load balancers look away), `Draining` (port closed, requests in flight finish) and
//! at last `Cut`. Each stage is bounded by [`DrainSettings`], so that a stop always ends.

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::config::DrainSettings;

/// Where a service is in its life. Stages only ever advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not ready yet.
    Starting,
    /// Ready.
    Serving,
    /// Told to stop; not ready, still accepting.
    Noticing,
    /// The port is closed; connections are told to go.
    Draining,
    /// Idle connections are closed, requests in flight finish.
    Closing,
    /// Out of time: what is left is cut.
    Cut,
}

/// A cheap handle on a service's stage; every clone sees and moves the same one.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    stage: watch::Sender<Stage>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self { stage: watch::Sender::new(Stage::Starting) }
    }
}

impl Lifecycle {
    /// The stage now.
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Whether `/ready` says yes.
    pub fn is_ready(&self) -> bool {
        self.stage() == Stage::Serving
    }

    /// Whether the service was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stage() >= Stage::Noticing
    }

    /// Moves on to `stage`; an earlier one is ignored.
    pub fn advance(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let later = stage > *now;
            *now = stage.max(*now);
            later
        });
    }

    /// Waits until the service has come to `stage` or beyond.
    pub async fn reached(&self, stage: Stage) {
        let mut watched = self.stage.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = watched.wait_for(|now| *now >= stage).await;
    }

    /// Leads a service from its stop signal to its end. `idle` resolves when nothing is in flight any more. Being cut
    /// meanwhile, by a second signal, ends every wait.
    pub async fn stop(&self, drain: &DrainSettings, idle: impl Future<Output = ()>) {
        tokio::select! {
            () = self.drain(drain, idle) => {}
            () = self.reached(Stage::Cut) => tracing::warn!("cut while draining"),
        }
        self.advance(Stage::Cut);
    }

    async fn drain(&self, drain: &DrainSettings, idle: impl Future<Output = ()>) {
        self.advance(Stage::Noticing);
        tokio::time::sleep(Duration::from_millis(drain.notice_ms)).await;
        self.advance(Stage::Draining);
        tokio::pin!(idle);
        let linger = tokio::time::timeout(Duration::from_millis(drain.linger_ms), &mut idle).await;
        self.advance(Stage::Closing);
        let limit = Duration::from_millis(drain.timeout_ms);
        if linger.is_err() && tokio::time::timeout(limit, &mut idle).await.is_err() {
            tracing::warn!(timeout_ms = drain.timeout_ms, "drain timed out; cutting the requests that are left");
        }
    }
}

/// SIGTERM and SIGINT, listened for without a gap: a second signal right after the first is not lost.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    /// The next signal's name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stages_only_advance() {
        let life = Lifecycle::default();
        life.advance(Stage::Serving);
        assert!(life.is_ready());
        life.advance(Stage::Draining);
        life.advance(Stage::Serving);
        assert_eq!(life.stage(), Stage::Draining);
        life.reached(Stage::Serving).await;
    }

    #[tokio::test(start_paused = true)]
    async fn being_cut_ends_every_wait() {
        let life = Lifecycle::default();
        let drain = DrainSettings { notice_ms: 3_600_000, linger_ms: 0, timeout_ms: 0 };
        let began = tokio::time::Instant::now();
        tokio::join!(life.stop(&drain, std::future::pending()), async { life.advance(Stage::Cut) });
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_is_bounded_though_work_never_ends() {
        let life = Lifecycle::default();
        let drain = DrainSettings { notice_ms: 10, linger_ms: 10, timeout_ms: 1000 };
        life.stop(&drain, std::future::pending()).await;
        assert_eq!(life.stage(), Stage::Cut);
    }
}
