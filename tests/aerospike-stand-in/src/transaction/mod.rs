//! What the server does with a message for one record. The order of the checks is that of the Community Edition 8.1.2: it
//! decides which code a caller sees when several would do.

mod delete;
mod modify;
mod ops;
mod policy;
mod query;
mod read;
mod write;

pub(crate) use query::scan;

use crate::code::Code;
use crate::control::Faults;
use crate::expression::{self, Subject};
use crate::store::{Digest, Namespace, Record, Store};
use crate::wire::{Message, Reply, info1, info2};

/// What a transaction needs beside its message.
pub(crate) struct Context<'a> {
    pub(crate) store: &'a Store,
    pub(crate) faults: &'a Faults,
    /// Whether durable deletes are refused, as the Community Edition does.
    pub(crate) is_community: bool,
}

/// A transaction that came to nothing, with what is told of the record all the same.
#[derive(Debug)]
struct Failure {
    code: Code,
    generation: u16,
    void_time: u32,
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self { code, generation: 0, void_time: 0 }
    }
}

impl Failure {
    fn with(code: Code, record: &Record) -> Self {
        Self { code, generation: record.generation, void_time: record.void_time }
    }

    fn reply(&self) -> Reply {
        Reply { generation: self.generation, void_time: self.void_time, ..Reply::of(self.code) }
    }
}

/// Does what the message asks of the record of that digest.
pub(crate) fn run(context: &Context<'_>, message: &Message, digest: &Digest) -> Reply {
    if let Some(code) = forced(context.faults, message) {
        return Reply::of(code);
    }
    let Some(mut namespace) = message.fields.namespace.as_ref().and_then(|name| context.store.namespace(name)) else {
        return Reply::of(Code::NAMESPACE);
    };
    if message.fields.unsupported {
        return Reply::of(Code::UNSUPPORTED);
    }
    let outcome = if message.is_delete() {
        delete::run(context, &mut namespace, message, digest)
    } else if message.is_write() {
        write::run(context, &mut namespace, message, digest)
    } else if message.info1 & info1::READ != 0 {
        read::run(context, &mut namespace, message, digest)
    } else {
        Err(Code::PARAMETER.into())
    };
    outcome.unwrap_or_else(|failure| failure.reply())
}

fn forced(faults: &Faults, message: &Message) -> Option<Code> {
    let for_writes = faults.answer_writes.filter(|_| message.is_write());
    faults.answer_all.or(for_writes).map(Code)
}

/// Whether the record's generation is the one that the message asks for.
fn check_generation(message: &Message, generation: u16) -> Result<(), Code> {
    let generation = u32::from(generation);
    let fits = if message.info2 & info2::GENERATION != 0 {
        message.generation == generation
    } else if message.info2 & info2::GENERATION_GT != 0 {
        message.generation > generation
    } else {
        true
    };
    if fits { Ok(()) } else { Err(Code::GENERATION) }
}

/// A read or remove may leave out the set; one that names it must name the record's.
fn check_set(message: &Message, record: &Record) -> Result<(), Code> {
    match &message.fields.set {
        Some(set) if record.set.as_ref() != Some(set) => Err(Code::PARAMETER),
        _ => Ok(()),
    }
}

fn check_key(message: &Message, record: &Record) -> Result<(), Code> {
    match (&message.fields.key, &record.key) {
        (Some(sent), Some(stored)) if sent != stored => Err(Code::KEY_MISMATCH),
        _ => Ok(()),
    }
}

/// Applies the filter, if there is one, to a record that exists.
fn check_filter(context: &Context<'_>, message: &Message, digest: &Digest, record: &Record) -> Result<(), Code> {
    let Some(filter) = &message.fields.filter else { return Ok(()) };
    let subject = Subject { record, digest, now_ms: context.store.clock.now_ms() };
    if expression::matches(filter.clone(), &subject)? { Ok(()) } else { Err(Code::FILTERED_OUT) }
}

fn find(context: &Context<'_>, namespace: &mut Namespace, digest: &Digest) -> Option<Record> {
    namespace.get(digest, context.store.clock.now_secs()).cloned()
}
