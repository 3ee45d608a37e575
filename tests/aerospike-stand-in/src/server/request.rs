//! A message with what it asks: of one record, of a batch, or of all records.

use bytes::{Bytes, BytesMut};

use super::Shared;
use crate::code::Code;
use crate::control::{Faults, Tally, count};
use crate::transaction::{self, Context};
use crate::wire::{Batch, Message, OpKind, Reply, write_batch, write_end, write_single};

/// What a message asks.
#[derive(Debug)]
pub(super) enum Request {
    Single(Message),
    Batch(Batch),
    Scan(Message),
    /// It could not be read, or is too long.
    Bad {
        is_batch: bool,
        code: Code,
    },
}

impl Request {
    pub(super) fn read(body: Bytes) -> Self {
        match Message::read(body) {
            Err(_) => Self::Bad { is_batch: false, code: Code::PARAMETER },
            Ok(message) if message.is_batch() => {
                Batch::read(&message).map_or_else(|code| Self::Bad { is_batch: true, code }, Self::Batch)
            }
            Ok(message) if message.fields.query.is_some() => Self::Scan(message),
            Ok(message) => Self::Single(message),
        }
    }

    /// Whether anything may be written or removed.
    pub(super) fn has_write(&self) -> bool {
        match self {
            Self::Single(message) => message.is_write(),
            Self::Batch(batch) => batch.rows.iter().any(|row| row.message.is_write()),
            Self::Scan(_) | Self::Bad { .. } => false,
        }
    }

    pub(super) fn count(&self, tally: &Tally) {
        match self {
            Self::Single(message) => count(single(tally, message)),
            Self::Scan(_) => count(&tally.queries),
            Self::Batch(batch) => {
                count(&tally.batches);
                batch.rows.iter().for_each(|row| count(of_row(tally, &row.message)));
            }
            Self::Bad { .. } => {}
        }
    }

    /// Does it, and gives the whole answer.
    pub(super) fn run(&self, shared: &Shared, faults: &Faults, is_known: bool) -> BytesMut {
        let mut out = BytesMut::new();
        let context = Context { store: &shared.store, faults, is_community: shared.options.is_community };
        match self {
            _ if !is_known => self.refuse(&mut out, Code::NOT_AUTHENTICATED),
            Self::Bad { code, .. } => self.refuse(&mut out, *code),
            Self::Single(message) => {
                let reply = match &message.fields.digest {
                    Some(digest) => transaction::run(&context, message, digest),
                    None => Reply::of(Code::PARAMETER),
                };
                write_single(&mut out, &reply);
            }
            Self::Batch(batch) => run_batch(&context, batch, &mut out),
            Self::Scan(message) => {
                let end = transaction::scan(&context, message, &mut out).err().unwrap_or(Code::OK);
                write_end(&mut out, end);
            }
        }
        out
    }

    fn refuse(&self, out: &mut BytesMut, code: Code) {
        match self {
            Self::Single(_) | Self::Bad { is_batch: false, .. } => write_single(out, &Reply::of(code)),
            _ => write_end(out, code),
        }
    }
}

/// Every row is done, whatever the others come to. Where the caller does not want them all answered, the first code that
/// is more than "no such record" also ends the answer.
fn run_batch(context: &Context<'_>, batch: &Batch, out: &mut BytesMut) {
    let run = |row: &crate::wire::Row| (row.index, transaction::run(context, &row.message, &row.digest));
    let rows: Vec<(u32, Reply)> = batch.rows.iter().map(run).collect();
    let is_failure = |code: &Code| ![Code::OK, Code::NOT_FOUND, Code::FILTERED_OUT].contains(code);
    let failed = rows.iter().map(|(_, reply)| reply.code).find(is_failure).filter(|_| !batch.respond_all);
    let cut = Some(Code::PARAMETER).filter(|_| batch.is_cut);
    write_batch(out, &rows, cut.or(failed).unwrap_or(Code::OK));
}

fn single<'a>(tally: &'a Tally, message: &Message) -> &'a std::sync::atomic::AtomicU64 {
    let only = |kind| message.ops.iter().all(|op| op.kind == kind);
    match message {
        message if message.is_delete() => &tally.deletes,
        message if message.is_write() && only(OpKind::Write) => &tally.puts,
        message if message.is_write() && only(OpKind::Touch) => &tally.touches,
        message if message.is_write() || !only(OpKind::Read) => &tally.operates,
        _ => &tally.gets,
    }
}

fn of_row<'a>(tally: &'a Tally, message: &Message) -> &'a std::sync::atomic::AtomicU64 {
    match message {
        message if message.is_delete() => &tally.batch_deletes,
        message if message.is_write() => &tally.batch_writes,
        _ => &tally.batch_reads,
    }
}
