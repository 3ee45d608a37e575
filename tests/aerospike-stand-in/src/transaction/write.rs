//! Writes: put, touch, and operate with a write among its operations.

use super::policy::Policy;
use super::{Context, Failure, check_filter, check_generation, check_key, find, ops};
use crate::code::Code;
use crate::control::StopWrites;
use crate::store::{Digest, Namespace, Record};
use crate::wire::{Message, Reply, info2};

/// Times to live with a meaning of their own.
mod ttl {
    pub(super) const DEFAULT: u32 = 0;
    pub(super) const NEVER: u32 = u32::MAX;
    pub(super) const KEEP: u32 = u32::MAX - 1;
    /// Ten years, in seconds.
    pub(super) const MAX: u32 = 10 * 365 * 24 * 60 * 60;
}

pub(super) fn run(
    context: &Context<'_>,
    namespace: &mut Namespace,
    message: &Message,
    digest: &Digest,
) -> Result<Reply, Failure> {
    if context.faults.device_overload {
        return Err(Code::DEVICE_OVERLOAD.into());
    }
    if context.faults.stop_writes == StopWrites::On {
        return Err(Code::OUT_OF_SPACE.into());
    }
    let policy = Policy::of(message)?;
    let old = find(context, namespace, digest);
    if old.is_none() && policy.must_exist {
        return Err(Code::NOT_FOUND.into());
    }
    let mut record = old.clone().unwrap_or_default();
    check(context, namespace, message, digest, old.as_ref())
        .map_err(|code| Failure::with(code, old.as_ref().unwrap_or(&Record::default())))?;
    let is_new = old.is_none();
    prepare(context, namespace, message, &mut record, is_new)?;
    if policy.is_replace {
        record.bins.clear();
    }
    let answers = ops::apply(context, message, digest, &mut record)?;
    if record.bins.is_empty() {
        remove(context, namespace, message, digest, is_new)?;
        return Ok(Reply { answers, ..Reply::of(Code::OK) });
    }
    let (generation, void_time) = (record.generation, record.void_time);
    store(context, namespace, digest, record)?;
    Ok(Reply { code: Code::OK, generation, void_time, answers })
}

/// The checks of the record, in the server's order. A filter is only looked at where there is a record: a write to an
/// absent record goes on, whatever its filter says.
fn check(
    context: &Context<'_>,
    namespace: &Namespace,
    message: &Message,
    digest: &Digest,
    old: Option<&Record>,
) -> Result<(), Code> {
    if old.is_some() && message.info2 & info2::CREATE_ONLY != 0 {
        return Err(Code::EXISTS);
    }
    check_generation(message, old.map_or(0, |record| record.generation))?;
    match old {
        Some(record) if record.set != message.fields.set => return Err(Code::PARAMETER),
        _ => check_limit(namespace, message, old.is_none())?,
    }
    if let Some(record) = old {
        check_filter(context, message, digest, record)?;
        check_key(message, record)?;
    }
    Ok(())
}

fn check_limit(namespace: &Namespace, message: &Message, is_new: bool) -> Result<(), Code> {
    let Some(set) = &message.fields.set else { return Ok(()) };
    let Some(limit) = namespace.limits.get(set) else { return Ok(()) };
    let used = namespace.set_use(set);
    let too_many = is_new && limit.count.is_some_and(|count| used.objects >= count);
    let too_large = limit.bytes.is_some_and(|bytes| used.bytes >= bytes);
    if too_many || too_large { Err(Code::FORBIDDEN) } else { Ok(()) }
}

/// Key, expiry, time and generation of the record to be. They are in place before the operations are done: an expression
/// among those sees the time of this very write as the last update.
fn prepare(
    context: &Context<'_>,
    namespace: &Namespace,
    message: &Message,
    record: &mut Record,
    is_new: bool,
) -> Result<(), Code> {
    let asked = if message.ttl == ttl::KEEP && is_new { ttl::DEFAULT } else { message.ttl };
    if asked > ttl::MAX && asked != ttl::NEVER && asked != ttl::KEEP {
        return Err(Code::PARAMETER);
    }
    let default = namespace.options.default_ttl;
    let expires = asked <= ttl::MAX && (asked != ttl::DEFAULT || default != 0);
    if expires && namespace.options.nsup_period == 0 {
        return Err(Code::FORBIDDEN);
    }
    let now_ms = context.store.clock.now_ms();
    let now_secs = (now_ms / 1000) as u32;
    record.void_time = match asked {
        ttl::DEFAULT if default == 0 => 0,
        ttl::DEFAULT => now_secs + default,
        ttl::NEVER => 0,
        ttl::KEEP => record.void_time,
        seconds => now_secs + seconds,
    };
    record.last_update_ms = now_ms;
    record.advance_generation();
    record.set.clone_from(&message.fields.set);
    record.key = record.key.take().or_else(|| message.fields.key.clone());
    Ok(())
}

/// A record without a bin is no record.
fn remove(
    context: &Context<'_>,
    namespace: &mut Namespace,
    message: &Message,
    digest: &Digest,
    is_new: bool,
) -> Result<(), Code> {
    if is_new {
        return Err(Code::NOT_FOUND);
    }
    if context.is_community && message.info2 & info2::DURABLE_DELETE != 0 {
        return Err(Code::ENTERPRISE_ONLY);
    }
    namespace.delete(digest);
    Ok(())
}

fn store(context: &Context<'_>, namespace: &mut Namespace, digest: &Digest, record: Record) -> Result<(), Code> {
    if record.size() > namespace.options.max_record_bytes {
        return Err(Code::RECORD_TOO_BIG);
    }
    if context.faults.stop_writes == StopWrites::Full {
        return Err(Code::OUT_OF_SPACE);
    }
    namespace.put(*digest, record);
    Ok(())
}
