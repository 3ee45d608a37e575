//! Where jobs are kept: in the object store, so that every router sees them and any can go on with them.
//!
//! Each namespace has one slot, `warm/{tenant}/slots/{namespace}`: the job that runs, or `{}`. It only ever changes by
//! puts under the condition of the version before, which makes a namespace's jobs single flight across routers. A job
//! that ends says so in the slot first, then in its record (`warm/{tenant}/jobs/{namespace}/…`), then frees the slot; who
//! finds an ended job in a slot does the rest.

use std::fmt::Write as _;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use layer_object_store::{Condition, Error, ObjectStore, Page};

use super::job::{self, Job, Slot, Status};

/// The slot of a namespace that no job runs in.
const FREE: &[u8] = b"{}";
/// The largest slot or record, in bytes.
const BYTES_MAX: u64 = 64 * 1024;
/// Records that are kept of a namespace, and listed.
const JOBS_KEPT: usize = 50;
/// Records that are read at once.
const READS: usize = 8;
/// How often a change is tried that met another.
const TRIES: usize = 8;

/// A slot's job, and the version of the slot.
#[derive(Debug, Clone)]
pub struct Held {
    /// The job.
    pub slot: Slot,
    etag: String,
}

impl Held {
    /// Whether this is that very run, and goes on.
    fn is_run_of(&self, slot: &Slot) -> bool {
        self.slot.owner == slot.owner && self.slot.job.status == Status::Running
    }
}

/// What became of a wish to run a job.
#[derive(Debug)]
pub enum Claimed {
    /// It may.
    Ours(Box<Held>),
    /// This one runs already.
    Running(Box<Job>),
}

enum Seen {
    /// No job; with the slot's version where there is a slot.
    Free(Option<String>),
    Held(Box<Held>),
}

/// The jobs of one tenant.
#[derive(Debug, Clone)]
pub struct Ledger {
    store: ObjectStore,
    prefix: String,
}

impl Ledger {
    /// The jobs of `tenant` in `store`.
    pub fn new(store: ObjectStore, tenant: &str) -> Self {
        let mut prefix = "warm/".to_owned();
        for byte in tenant.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => prefix.push(char::from(byte)),
                other => write!(prefix, "%{other:02X}").expect("a String takes all that is written"),
            }
        }
        Self { store, prefix }
    }

    /// Puts a job into its namespace's slot, unless one runs there.
    ///
    /// # Errors
    /// As the store's.
    pub async fn claim(&self, slot: Slot) -> Result<Claimed, Error> {
        for _ in 0..TRIES {
            match self.look(&slot.job.namespace).await? {
                // Its own put went through, and the answer to it was lost on the way.
                Seen::Held(held) if held.is_run_of(&slot) => return Ok(Claimed::Ours(held)),
                Seen::Held(held) if held.slot.job.status == Status::Running || held.slot.owner == slot.owner => {
                    return Ok(Claimed::Running(Box::new(held.slot.job)));
                }
                Seen::Held(held) => self.settle(&held).await?,
                Seen::Free(etag) => {
                    let condition = etag.as_deref().map_or(Condition::Absent, Condition::Matches);
                    match self.put(&slot, condition).await {
                        Ok(held) => return Ok(Claimed::Ours(Box::new(held))),
                        Err(Error::Precondition) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Err(Error::Unavailable("the namespace's warm jobs change all the time".to_owned()))
    }

    /// Takes a job over whose router is gone; nothing where it is not as it was seen, or has ended.
    ///
    /// # Errors
    /// As the store's.
    pub async fn take_over(&self, namespace: &str, etag: &str) -> Result<Option<Held>, Error> {
        let Seen::Held(mut held) = self.look(namespace).await? else { return Ok(None) };
        if held.etag != etag {
            return Ok(None);
        }
        if held.slot.job.status != Status::Running {
            self.settle(&held).await?;
            return Ok(None);
        }
        held.slot.owner = job::owner();
        match self.put(&held.slot, Condition::Matches(etag)).await {
            Err(Error::Precondition) => {}
            other => return other.map(Some),
        }
        // Another was first, or the answer to its own put was lost on the way.
        match self.look(namespace).await? {
            Seen::Held(now) if now.is_run_of(&held.slot) => Ok(Some(*now)),
            _ => Ok(None),
        }
    }

    /// Writes what is known of a job that this run owns. False where it is not its own any more.
    ///
    /// # Errors
    /// As the store's; whether it was written is unknown then.
    pub async fn renew(&self, held: &mut Held) -> Result<bool, Error> {
        for _ in 0..TRIES {
            held.slot.beat += 1;
            match self.put(&held.slot, Condition::Matches(&held.etag)).await {
                Ok(now) => {
                    held.etag = now.etag;
                    return Ok(true);
                }
                Err(Error::Precondition) => {}
                Err(error) => return Err(error),
            }
            // An answer that was lost on the way may have been this run's own.
            match self.look(&held.slot.job.namespace).await? {
                Seen::Held(now) if is_own(&now.slot, &held.slot) => held.etag = now.etag,
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Ends a job that this run owns. False where it is not its own any more.
    ///
    /// # Errors
    /// As the store's.
    pub async fn end(&self, held: &mut Held, job: Job) -> Result<bool, Error> {
        held.slot.job = job;
        let ours = self.renew(held).await?;
        if ours {
            self.settle(held).await?;
        }
        Ok(ours)
    }

    /// Ends a job, whoever runs it; and whether it did. One that has ended stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none, or as the store's.
    pub async fn cancel(&self, namespace: &str, id: &str, place: &str) -> Result<(Job, bool), Error> {
        let mut tried = None;
        for _ in 0..TRIES {
            let mut held = match self.look(namespace).await? {
                Seen::Held(held) if held.slot.job.id == id => held,
                _ => return self.record(namespace, place).await.map(|job| (job, false)),
            };
            if held.slot.job.status == Status::Running {
                held.slot.job = held.slot.job.ended(Status::Cancelled, None);
                tried.clone_from(&held.slot.job.completed_at);
                match self.put(&held.slot, Condition::Matches(&held.etag)).await {
                    Ok(now) => *held = now,
                    // Where it was this very put that changed the slot, the next look finds what was tried.
                    Err(Error::Precondition) => continue,
                    Err(error) => return Err(error),
                }
            }
            self.settle(&held).await?;
            let did = tried.is_some() && tried == held.slot.job.completed_at;
            return Ok((held.slot.job, did));
        }
        Err(Error::Unavailable("the job changes all the time".to_owned()))
    }

    /// A job.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none, or as the store's.
    pub async fn get(&self, namespace: &str, id: &str, place: &str) -> Result<Job, Error> {
        match self.look(namespace).await? {
            Seen::Held(held) if held.slot.job.id == id => Ok(held.slot.job),
            _ => self.record(namespace, place).await,
        }
    }

    /// The job that runs in a namespace.
    ///
    /// # Errors
    /// As the store's.
    pub async fn running(&self, namespace: &str) -> Result<Option<Job>, Error> {
        match self.look(namespace).await? {
            Seen::Held(held) if held.slot.job.status == Status::Running => Ok(Some(held.slot.job)),
            _ => Ok(None),
        }
    }

    /// The jobs of a namespace, the newest first; no more than are kept.
    ///
    /// # Errors
    /// As the store's.
    pub async fn list(&self, namespace: &str) -> Result<Vec<Job>, Error> {
        let slot = match self.look(namespace).await? {
            Seen::Held(held) => Some(held.slot.job),
            Seen::Free(_) => None,
        };
        let page = self.store.list(&self.records(namespace), None, JOBS_KEPT).await?;
        let keys = page.objects.into_iter().map(|object| object.key);
        let mut read = stream::iter(keys).map(|key| self.read_record(key)).buffered(READS);
        let mut jobs: Vec<Job> = slot.into_iter().collect();
        while let Some(record) = read.next().await {
            match record {
                Ok(job) if jobs.first().is_some_and(|first| first.id == job.id) => {}
                Ok(job) => jobs.push(job),
                // Removed meanwhile: it was one too many.
                Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        jobs.truncate(JOBS_KEPT);
        Ok(jobs)
    }

    /// The next slots in which a job is: namespace and version.
    ///
    /// # Errors
    /// As the store's.
    pub async fn slots(&self, after: Option<&str>) -> Result<(Vec<(String, String)>, Option<String>), Error> {
        let prefix = format!("{}/slots/", self.prefix);
        let Page { objects, more } = self.store.list(&prefix, after, usize::MAX).await?;
        let last = objects.last().filter(|_| more).map(|object| object.key.clone());
        let taken = objects.into_iter().filter(|object| object.meta.size > FREE.len() as u64);
        let named = taken.filter_map(|object| Some((object.key.strip_prefix(&prefix)?.to_owned(), object.meta.etag)));
        Ok((named.collect(), last))
    }

    /// Keeps the record of a job that has ended, and frees its slot.
    async fn settle(&self, held: &Held) -> Result<(), Error> {
        let (namespace, job) = (&held.slot.job.namespace, &held.slot.job);
        let place = job::place(&job.id).map_err(|_| Error::Key("the slot holds no job's id"))?;
        let key = format!("{}{place}", self.records(namespace));
        self.store.put(&key, bytes(job), Condition::Always).await?;
        let condition = Condition::Matches(&held.etag);
        match self.store.put(&self.slot(namespace), Bytes::from_static(FREE), condition).await {
            // Somebody else has freed it.
            Ok(_) | Err(Error::Precondition) => {}
            Err(error) => return Err(error),
        }
        self.prune(namespace).await
    }

    /// Removes what is too much.
    async fn prune(&self, namespace: &str) -> Result<(), Error> {
        let page = self.store.list(&self.records(namespace), None, 2 * JOBS_KEPT).await?;
        for old in page.objects.iter().skip(JOBS_KEPT) {
            self.store.delete(&old.key).await?;
        }
        Ok(())
    }

    async fn record(&self, namespace: &str, place: &str) -> Result<Job, Error> {
        self.read_record(format!("{}{place}", self.records(namespace))).await
    }

    async fn read_record(&self, key: String) -> Result<Job, Error> {
        let body = self.store.get(&key, None).await?.body.collect(BYTES_MAX).await?;
        serde_json::from_slice(&body).map_err(|_| Error::Refused("a warm job's record cannot be read".to_owned()))
    }

    async fn look(&self, namespace: &str) -> Result<Seen, Error> {
        let object = match self.store.get(&self.slot(namespace), None).await {
            Ok(object) => object,
            Err(Error::NotFound) => return Ok(Seen::Free(None)),
            Err(error) => return Err(error),
        };
        let etag = object.meta.etag.clone();
        let body = object.body.collect(BYTES_MAX).await?;
        // What no version of this program can read is no job that anybody runs.
        Ok(serde_json::from_slice(&body)
            .map_or(Seen::Free(Some(etag.clone())), |slot| Seen::Held(Box::new(Held { slot, etag }))))
    }

    async fn put(&self, slot: &Slot, condition: Condition<'_>) -> Result<Held, Error> {
        let meta = self.store.put(&self.slot(&slot.job.namespace), bytes(slot), condition).await?;
        Ok(Held { slot: slot.clone(), etag: meta.etag })
    }

    fn slot(&self, namespace: &str) -> String {
        format!("{}/slots/{namespace}", self.prefix)
    }

    fn records(&self, namespace: &str) -> String {
        format!("{}/jobs/{namespace}/", self.prefix)
    }
}

/// Whether the slot is as this run wrote it: another's cancellation keeps the owner, and another's run the job.
fn is_own(now: &Slot, own: &Slot) -> bool {
    now.owner == own.owner && (now.job.status == Status::Running || now.job.status == own.job.status)
}

fn bytes(value: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(value).expect("strings and numbers are JSON").into()
}
