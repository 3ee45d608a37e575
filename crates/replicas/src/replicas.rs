//! The replicas of a part: who they are, who answers, and whom to ask next.
//!
//! A replica is `Down` until it has answered a probe. One that fails a call is `Doubtful`: it is asked only while nobody is
//! `Up`, so one dead replica among several costs one late call, not every third. A probe in the background brings it back,
//! or takes it `Down` for good; the time between probes grows within the bounds of [`Backoff`], and starts over only for a
//! replica that has stayed up meanwhile.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

/// An idle replica is asked this often whether it is still there, so that its state is known without demand.
const IDLE_PROBE: Duration = Duration::from_secs(5);

/// What is known of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// It has not answered yet, or not for a while: it is not asked.
    Down,
    /// It has just failed: it is asked only if nobody else is there.
    Doubtful,
    /// It answers.
    Up,
}

/// One replica.
#[derive(Debug)]
pub struct Replica {
    /// Of this replica and no other of this process.
    pub id: u64,
    /// Where it is.
    pub address: SocketAddr,
    /// The name under which the address was found.
    pub host: Arc<str>,
    health: AtomicU8,
    in_flight: AtomicUsize,
    /// Something is known of it: it was probed, or could not be reached.
    judged: AtomicBool,
    schedule: Mutex<Schedule>,
    started: Instant,
    /// When it last answered, in milliseconds after `started`.
    answered_ms: AtomicU64,
}

#[derive(Debug)]
struct Schedule {
    /// The last time between two probes.
    delay: Duration,
    due: Instant,
    up_since: Option<Instant>,
    probing: bool,
}

/// Bounds of the time between probes.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// After the first failure.
    pub min: Duration,
    /// However long it has been away.
    pub max: Duration,
}

impl Backoff {
    /// `delay`, give or take a quarter: what failed together must not come back together.
    pub fn jittered(delay: Duration) -> Duration {
        delay.mul_f64(0.75 + fastrand::f64() / 2.0)
    }
}

impl Replica {
    fn new(id: u64, address: SocketAddr, host: Arc<str>) -> Self {
        let now = Instant::now();
        let schedule = Schedule { delay: Duration::ZERO, due: now, up_since: None, probing: false };
        Self {
            id,
            address,
            host,
            health: AtomicU8::new(Health::Down as u8),
            in_flight: AtomicUsize::new(0),
            judged: AtomicBool::new(false),
            schedule: Mutex::new(schedule),
            started: now,
            answered_ms: AtomicU64::new(0),
        }
    }

    /// What is known of it.
    pub fn health(&self) -> Health {
        match self.health.load(Relaxed) {
            0 => Health::Down,
            1 => Health::Doubtful,
            _ => Health::Up,
        }
    }

    /// It was found and not yet probed to an end: nothing is known of it.
    pub fn is_new(&self) -> bool {
        !self.judged.load(Relaxed)
    }

    /// Marks a call in flight until the guard goes.
    pub fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// It answered a call. True where that is news.
    pub fn answered(&self) -> bool {
        self.answered_ms.store(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
        match self.health() {
            Health::Up => false,
            // Only a probe brings it back from there: an answer that was long under way says nothing of now.
            Health::Down => false,
            Health::Doubtful => self.rise(),
        }
    }

    /// It failed a call. True where that is news.
    pub fn failed(&self, backoff: Backoff) -> bool {
        self.health() == Health::Up && self.fall(Health::Doubtful, backoff)
    }

    /// It is not to be asked until a probe says otherwise.
    pub fn shut(&self, backoff: Backoff) {
        self.judged.store(true, Relaxed);
        match self.health() {
            Health::Up => drop(self.fall(Health::Down, backoff)),
            _ => self.health.store(Health::Down as u8, Relaxed),
        }
    }

    /// A probe was answered, or not. True where that is news.
    pub fn probed(&self, ok: bool, backoff: Backoff) -> bool {
        self.lock().probing = false;
        self.judged.store(true, Relaxed);
        if ok {
            self.answered();
            return self.health() != Health::Up && self.rise();
        }
        match self.health() {
            Health::Up => self.fall(Health::Doubtful, backoff),
            other => {
                let mut schedule = self.lock();
                schedule.delay = (schedule.delay * 2).clamp(backoff.min, backoff.max);
                schedule.due = Instant::now() + Backoff::jittered(schedule.delay);
                self.health.store(Health::Down as u8, Relaxed);
                other != Health::Down
            }
        }
    }

    fn rise(&self) -> bool {
        let mut schedule = self.lock();
        schedule.up_since = Some(Instant::now());
        self.health.swap(Health::Up as u8, Relaxed) != Health::Up as u8
    }

    fn fall(&self, to: Health, backoff: Backoff) -> bool {
        let mut schedule = self.lock();
        let now = Instant::now();
        let stayed = schedule.up_since.take().is_some_and(|since| now - since > schedule.delay * 2);
        let longer = if stayed { backoff.min } else { schedule.delay * 2 };
        schedule.delay = longer.clamp(backoff.min, backoff.max);
        schedule.due = now + Backoff::jittered(schedule.delay);
        self.health.swap(to as u8, Relaxed) != to as u8
    }

    /// When it should be probed next; `None` while a probe is under way.
    pub fn probe_due(&self) -> Option<Instant> {
        let schedule = self.lock();
        if schedule.probing {
            return None;
        }
        match self.health() {
            Health::Up => Some(self.started + Duration::from_millis(self.answered_ms.load(Relaxed)) + IDLE_PROBE),
            _ => Some(schedule.due),
        }
    }

    /// A probe is under way from now on, until [`Replica::probed`].
    pub fn begin_probe(&self) {
        self.lock().probing = true;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in flight.
#[derive(Debug)]
pub struct InFlight(Arc<Replica>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// All replicas.
#[derive(Debug, Default)]
pub struct Replicas {
    list: RwLock<Arc<Vec<Arc<Replica>>>>,
    version: AtomicU64,
    next_id: AtomicU64,
}

impl Replicas {
    /// Who is known now.
    pub fn list(&self) -> Arc<Vec<Arc<Replica>>> {
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes with the list.
    pub fn version(&self) -> u64 {
        self.version.load(Relaxed)
    }

    /// How many answer, or did so lately.
    pub fn connected(&self) -> usize {
        self.list().iter().filter(|replica| replica.health() != Health::Down).count()
    }

    /// Replaces the list; a replica whose address and host stay, stays. True where anything changed.
    pub fn set(&self, found: &[(SocketAddr, Arc<str>)]) -> bool {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let mut next: Vec<Arc<Replica>> = Vec::with_capacity(found.len());
        for (address, host) in found {
            if next.iter().any(|replica| replica.address == *address) {
                continue;
            }
            let same = list.iter().find(|known| known.address == *address && known.host == *host);
            let new = || Arc::new(Replica::new(self.next_id.fetch_add(1, Relaxed), *address, Arc::clone(host)));
            next.push(same.map_or_else(new, Arc::clone));
        }
        let changed = next.len() != list.len() || next.iter().any(|new| !list.iter().any(|old| old.id == new.id));
        if changed {
            *list = Arc::new(next);
            self.version.fetch_add(1, Relaxed);
        }
        changed
    }

    /// Whom to ask: the less busy of two that are up, or else one in doubt. Never `not`, which was just asked.
    pub fn pick(&self, not: Option<u64>) -> Option<Arc<Replica>> {
        let list = self.list();
        let of = |health: Health| {
            let fits = |replica: &&Arc<Replica>| replica.health() == health && Some(replica.id) != not;
            let count = list.iter().filter(fits).count();
            let nth = |n: usize| list.iter().filter(fits).nth(n).map(Arc::clone);
            match count {
                0 => None,
                1 => nth(0),
                _ => {
                    let first = fastrand::usize(..count);
                    let second = (first + 1 + fastrand::usize(..count - 1)) % count;
                    let busy = |replica: &Arc<Replica>| replica.in_flight.load(Relaxed);
                    [nth(first), nth(second)].into_iter().flatten().min_by_key(busy)
                }
            }
        };
        of(Health::Up).or_else(|| of(Health::Doubtful))
    }

    /// All of them, those first that are likely to answer.
    pub fn in_order(&self) -> Vec<Arc<Replica>> {
        let mut all = self.list().to_vec();
        fastrand::shuffle(&mut all);
        all.sort_by_key(|replica| std::cmp::Reverse(replica.health() as u8));
        all
    }
}
