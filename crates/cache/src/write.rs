//! A write in flight, as the cache sees it.
//!
//! Whatever happens to the future that drives a write, one of three things is true afterwards: the cache was told, the
//! backlog will tell it, or its hold stands and runs out. And until the cache was told, this process bypasses it.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    backlog::Job,
    bypass::{BypassGuard, Keys},
    cache::Cache,
    call::sooner,
    channels::Channels,
    deliver::deliver_next,
    error::{Away, Refused, Untold},
    key::Key,
    message::{Message, WriteId, told_pieces},
    moment::Moment,
    observe::Undelivered,
    scope::Scope,
    settings::Coherence,
    shared::Shared,
};

/// What a write may change.
#[derive(Debug, Clone)]
pub enum Affects {
    /// These keys and no others.
    Keys(Vec<Key>),
    /// Keys that are many, or not known before the origin has answered.
    Namespace,
}

/// How the origin has answered a write, definitely.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing was changed: the write was refused, or never sent.
    Nothing,
    /// The keys that were named at the beginning, and these.
    Changed(Vec<Key>),
    /// Any key of the namespace may have changed: it is purged.
    ChangedUnknown,
}

/// A write between its hold and its release. Dropping it without [`Write::finish`] says that its outcome is unknown
/// (a timeout, a broken connection, a cancelled future): its hold stays until it runs out.
#[derive(Debug)]
#[must_use = "a write that is dropped counts as one of unknown outcome"]
pub struct Write {
    cache: Cache,
    scope: Scope,
    id: WriteId,
    affects: Held,
    held: bool,
    /// While the hold could not be placed.
    bypass: Option<BypassGuard>,
    /// Neither finished nor without a cache.
    open: bool,
}

/// What is held.
#[derive(Debug)]
enum Held {
    Keys(Vec<Keys>),
    Namespace,
}

impl Held {
    fn holds(&self, id: WriteId) -> VecDeque<Message> {
        match self {
            Self::Keys(pieces) => pieces.iter().map(|keys| Message::Hold(id, Arc::clone(keys))).collect(),
            Self::Namespace => VecDeque::from([Message::HoldNamespace(id)]),
        }
    }

    fn releases(&self, id: WriteId) -> VecDeque<Message> {
        match self {
            Self::Keys(pieces) => pieces.iter().map(|keys| Message::Release(id, Arc::clone(keys))).collect(),
            Self::Namespace => VecDeque::from([Message::ReleaseNamespace(id)]),
        }
    }
}

/// Messages on their way: what is left when this goes is left to the backlog.
struct Pending<'a> {
    shared: &'a Shared,
    channels: &'a Channels,
    job: Job,
}

impl Pending<'_> {
    /// Delivers one after the other until one cannot be delivered; whether the cache may be there, and just too slow.
    async fn deliver(&mut self) -> bool {
        let (sent, until) = (Moment::now(), self.shared.write_deadline());
        let mut any = false;
        while !self.job.messages.is_empty() {
            if let Err(stuck) = deliver_next(self.shared, self.channels, &mut self.job, until).await {
                let slow = any || stuck.slow;
                if !slow {
                    self.shared.write_failed(sent);
                }
                return slow;
            }
            any = true;
        }
        any
    }

    fn forget(mut self) {
        self.job.messages.clear();
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let empty = Job::new(&self.job.scope, []);
        self.shared.leave(std::mem::replace(&mut self.job, empty));
    }
}

impl Write {
    /// See [`Cache::begin`].
    pub(crate) async fn begin(
        cache: &Cache,
        scope: &Scope,
        affects: Affects,
        deadline: Option<std::time::Instant>,
    ) -> Result<Self, Refused> {
        let affects = match affects {
            Affects::Keys(keys) => Held::Keys(told_pieces(&keys)),
            Affects::Namespace => Held::Namespace,
        };
        let id = fastrand::u128(..).to_be_bytes();
        let mut write =
            Self { cache: cache.clone(), scope: scope.clone(), id, affects, held: false, bypass: None, open: false };
        if !cache.shared.enabled() {
            return Ok(write);
        }
        match write.hold(deadline).await {
            Ok(()) => write.held = true,
            Err(reason) => {
                cache.shared.observe.undelivered(Undelivered::Hold);
                if cache.shared.settings.coherence == Coherence::Strict {
                    return Err(Refused { reason });
                }
                write.bypass = Some(write.bypassed());
            }
        }
        write.open = true;
        Ok(write)
    }

    /// Places the hold. A future dropped meanwhile leaves its release behind: nothing was sent to the origin.
    async fn hold(&self, deadline: Option<std::time::Instant>) -> Result<(), Away> {
        let (shared, channels) = (&*self.cache.shared, &*self.cache.channels);
        if shared.may_skip() {
            return Err(Away::BreakerOpen);
        }
        let sent = Moment::now();
        let limit = shared.write_deadline();
        let until = sooner(limit, deadline);
        let undo = Pending { shared, channels, job: Job::new(&self.scope, self.affects.releases(self.id)) };
        let (mut holds, mut any) = (Job::new(&self.scope, self.affects.holds(self.id)), false);
        while !holds.messages.is_empty() {
            if let Err(stuck) = deliver_next(shared, channels, &mut holds, until).await {
                // Whether a hold stands is not known; if so, the release of the end closes it, or it runs out.
                undo.forget();
                // A caller in a hurry, or with too much for the time, says nothing about the cache.
                let in_time = stuck.away != Away::Deadline || until == limit;
                if !any && !stuck.slow && in_time {
                    shared.write_failed(sent);
                }
                return Err(stuck.away);
            }
            any = true;
        }
        undo.forget();
        Ok(())
    }

    fn bypassed(&self) -> BypassGuard {
        match &self.affects {
            Held::Keys(pieces) => self.cache.shared.bypass.keys(&self.scope, pieces.clone()),
            Held::Namespace => self.cache.shared.bypass.namespace(&self.scope),
        }
    }

    /// Whether the cache holds what the write affects. Where not, this process bypasses the cache for it.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Tells the cache what became of the write. Acknowledge the write only after this has returned: then the cache has
    /// cleared what changed, or the backlog has it and this process bypasses the cache for it. Takes up to
    /// `cache.hold_deadline_ms` when the cache went away since, twice that when it is too slow for all the keys, and no
    /// time while it is known to be away. When the returned future is dropped half-way, what is left goes to the backlog.
    ///
    /// # Errors
    /// [`Untold`], with coherence `strict` only: do not acknowledge the write.
    pub async fn finish(mut self, outcome: Outcome) -> Result<(), Untold> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        let (shared, channels) = (&*self.cache.shared, &*self.cache.channels);
        let job = Job::new(&self.scope, self.messages(outcome));
        let mut pending = Pending { shared, channels, job };
        if !shared.may_skip() && pending.deliver().await {
            // A cache that is too slow for so many keys would be read by others before the backlog is through. Only keys
            // that are held have no value that could be read.
            let readable = !self.held || pending.job.owes();
            if readable && pending.job.shorten() {
                pending.deliver().await;
            }
        }
        let owes = pending.job.owes();
        match shared.settings.coherence {
            Coherence::Strict if owes => Err(Untold),
            _ => Ok(()),
        }
    }

    /// What the cache must be told, in this order: a namespace's hold is closed only after what changed was cleared.
    fn messages(&self, outcome: Outcome) -> VecDeque<Message> {
        let releases = self.affects.releases(self.id);
        let first = match outcome {
            // What was never held needs no release, and a hold that went through unheard of runs out.
            Outcome::Nothing if !self.held => return VecDeque::new(),
            Outcome::Nothing => VecDeque::new(),
            // More than the backlog could ever take is cheaper to purge than to name.
            Outcome::Changed(keys) if keys.len() > self.cache.shared.settings.backlog_keys_max => {
                [Message::Purge].into()
            }
            Outcome::Changed(keys) => told_pieces(&keys).into_iter().map(Message::Clear).collect(),
            Outcome::ChangedUnknown => [Message::Purge].into(),
        };
        first.into_iter().chain(releases).collect()
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // The origin may apply the write from now on for as long as a hold stands: it is placed anew, whether it stood
        // before or not, and what it concerns is bypassed until that is done.
        self.cache.shared.leave(Job::new(&self.scope, self.affects.holds(self.id)));
    }
}
