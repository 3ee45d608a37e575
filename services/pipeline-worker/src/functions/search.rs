//! The search for rows in the background: rounds that become due are begun, and their pages read.
//!
//! Every replica runs this. What is due, who is at which namespace, and how far it is, is in the state store alone, by the
//! database's clock; so a replica may stop at any moment, and another goes on where it was.

use std::{collections::HashSet, sync::Arc, time::Duration};

use layer_service::lifecycle::{Lifecycle, Stage};
use tokio::{
    sync::OwnedSemaphorePermit,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    FunctionsService, Inner, KIND, RouterCalls,
    discover::Sought,
    errors::Trouble,
    item_id::{item_of, row_of},
    spec::Registered,
};
use crate::state::{self, Page, Queue, Scan};

/// Pages that one scanner reads before others get its place.
const PAGES_MAX: usize = 32;
/// How much longer than a page a namespace is held: the state store takes the page's rows in that time.
const MARGIN_MS: u64 = 15_000;
/// When a page that could not be read is read again, in milliseconds: half of it is random.
const AGAIN_MS: u64 = 10_000;
/// How often it is measured how far functions are.
const MEASURED: Duration = Duration::from_secs(10);
/// The longest that a stop waits for pages that are being read.
const LAST_PAGES: Duration = Duration::from_secs(5);

impl<R: RouterCalls> FunctionsService<R> {
    /// Searches for rows until `lifecycle` says to stop.
    pub async fn run(&self, lifecycle: Lifecycle) {
        let mut search = Search {
            inner: Arc::clone(&self.inner),
            scans: JoinSet::new(),
            after: String::new(),
            away: false,
            measured: None,
            names: HashSet::new(),
        };
        let poll = Duration::from_millis(self.inner.settings.poll_ms);
        loop {
            tokio::select! {
                () = lifecycle.reached(Stage::Noticing) => break,
                () = sleep(poll.mul_f64(0.75 + fastrand::f64() / 2.0)) => {}
            }
            let looked = search.look(&lifecycle).await;
            search.told(looked);
        }
        // What is cut off is read again when its lease is over.
        let last = async { while search.scans.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_PAGES, last).await.is_err() {
            search.scans.shutdown().await;
        }
    }
}

/// The search of one process.
struct Search<R> {
    inner: Arc<Inner<R>>,
    scans: JoinSet<()>,
    /// The function at which the last look ran out of places.
    after: String,
    /// The state store was away at the last look.
    away: bool,
    measured: Option<Instant>,
    /// Functions that have series.
    names: HashSet<String>,
}

impl<R: RouterCalls> Search<R> {
    /// Begins what is due, and gives each function with a round one more scanner.
    async fn look(&mut self, lifecycle: &Lifecycle) -> Result<(), state::Error> {
        while self.scans.try_join_next().is_some() {}
        self.measure().await?;
        loop {
            let queues = self.inner.state.searching(&self.after, 100).await?;
            if queues.is_empty() {
                self.after.clear();
                return Ok(());
            }
            for queue in queues {
                let Ok(place) = Arc::clone(&self.inner.scans).try_acquire_owned() else { return Ok(()) };
                self.after.clone_from(&queue.name);
                self.search_for(queue, place, lifecycle.clone()).await?;
            }
        }
    }

    async fn search_for(
        &mut self,
        queue: Queue,
        place: OwnedSemaphorePermit,
        lifecycle: Lifecycle,
    ) -> Result<(), state::Error> {
        let ready_max = i64::from(self.inner.settings.ready_max);
        let plan = move |queue: &Queue, now_ms| match Registered::read(queue.clone()) {
            Ok(function) => function.plan(ready_max, now_ms),
            // A specification that cannot be read is searched for by nobody.
            Err(_) => state::Plan { namespaces: Vec::new(), interval_ms: None, cron_ms: None, ready_max },
        };
        match self.inner.state.begin_round(&queue.name, &plan).await {
            // Deleted a moment ago.
            Err(state::Error::QueueNotFound { .. }) => return Ok(()),
            began => began?,
        };
        let inner = Arc::clone(&self.inner);
        self.scans.spawn(async move {
            let _place = place;
            inner.scan_pages(&queue.name, &lifecycle).await;
        });
        Ok(())
    }

    /// Notes how far all functions are, now and then.
    async fn measure(&mut self) -> Result<(), state::Error> {
        if self.measured.is_some_and(|last| last.elapsed() < MEASURED) {
            return Ok(());
        }
        self.measured = Some(Instant::now());
        let (mut names, mut after) = (HashSet::new(), String::new());
        loop {
            let queues = self.inner.state.list(KIND, &after, 1000).await?;
            let Some(last) = queues.last() else { break };
            after.clone_from(&last.name);
            for queue in queues {
                self.measure_one(&queue.name).await?;
                names.insert(queue.name);
            }
        }
        // Others may have deleted them.
        self.names.difference(&names).for_each(|name| self.inner.observe.forget(name));
        self.names = names;
        Ok(())
    }

    async fn measure_one(&self, name: &str) -> Result<(), state::Error> {
        let state = &self.inner.state;
        let (status, searched) = tokio::join!(state.status(KIND, name), state.searched(name));
        match (status, searched) {
            // Deleted a moment ago.
            (Err(state::Error::QueueNotFound { .. }), _) | (_, Err(state::Error::QueueNotFound { .. })) => {}
            (status, searched) => self.inner.observe.status(name, &status?, searched?.completed),
        }
        Ok(())
    }

    /// Says when the state store goes away and comes back, not at every look.
    fn told(&mut self, looked: Result<(), state::Error>) {
        let was_away = std::mem::replace(&mut self.away, looked.is_err());
        match looked {
            Ok(()) if was_away => tracing::info!("the search for functions' rows goes on"),
            Err(error) if !was_away => tracing::warn!(%error, "the search for functions' rows stands still"),
            _ => {}
        }
    }
}

impl<R: RouterCalls> Inner<R> {
    /// Reads pages of a function's round as long as there are some that nobody is at.
    async fn scan_pages(&self, function: &str, lifecycle: &Lifecycle) {
        for _ in 0..PAGES_MAX {
            if lifecycle.is_stopping() {
                return;
            }
            match self.scan_page(function).await {
                Ok(true) => {}
                Ok(false) | Err(state::Error::QueueNotFound { .. }) => return,
                Err(error) => {
                    tracing::debug!(%error, "a page was not noted");
                    return;
                }
            }
        }
    }

    /// Reads one page; answers whether there was one.
    async fn scan_page(&self, name: &str) -> Result<bool, state::Error> {
        let function = Registered::read(self.state.get(KIND, name).await?)?;
        let scans_max = function.schedule().scans_max.max(1);
        let lease_ms = self.settings.page_timeout_ms.saturating_add(MARGIN_MS);
        let waiting_max = i64::from(self.settings.waiting_max);
        let Some(scan) = self.state.take_scan(name, scans_max, waiting_max, lease_ms).await? else {
            return Ok(false);
        };
        let (page, items) = self.read_page(&scan).await?;
        let new = self.state.scanned(&scan, &page, &items).await?;
        self.observe.enqueued(name, "discovery", new.unwrap_or_default());
        Ok(!matches!(page, Page::Failed(_)))
    }

    async fn read_page(&self, scan: &Scan) -> Result<(Page, Vec<String>), state::Error> {
        let function = Registered::read(scan.queue.clone())?;
        let after = row_of(&scan.after).map(|(_, id)| id);
        let (namespace, total) = (scan.namespace.as_str(), self.settings.page_rows);
        let sought = Sought { namespace, after: after.as_ref(), every: scan.every, now_ms: scan.now_ms, total };
        let within = Duration::from_millis(self.settings.page_timeout_ms);
        Ok(match self.page(&function, sought, within).await {
            Ok(ids) => {
                let items: Vec<_> = ids.iter().filter_map(|id| item_of(namespace, id)).collect();
                let full = ids.len() >= total as usize;
                let page = items.last().filter(|_| full).map_or(Page::Last, |last| Page::More(last.clone()));
                (page, items)
            }
            Err(Trouble::NoNamespace) => (Page::Missing, Vec::new()),
            Err(Trouble::Refused(message)) => {
                // The next round tries again; until then the other namespaces are not held up by this one.
                tracing::warn!(function = function.id(), namespace, message, "the origin refuses a function's filter");
                (Page::Last, Vec::new())
            }
            Err(Trouble::Away(_)) => (Page::Failed(AGAIN_MS / 2 + fastrand::u64(..AGAIN_MS / 2)), Vec::new()),
        })
    }
}
