//! Removes. They go on under stop-writes and device overload: that is what makes room again.

use super::{Context, Failure, check_filter, check_generation, check_key, check_set, find};
use crate::code::Code;
use crate::store::{Digest, Namespace};
use crate::wire::{Message, Reply, info2};

pub(super) fn run(
    context: &Context<'_>,
    namespace: &mut Namespace,
    message: &Message,
    digest: &Digest,
) -> Result<Reply, Failure> {
    if context.is_community && message.info2 & info2::DURABLE_DELETE != 0 {
        return Err(Code::ENTERPRISE_ONLY.into());
    }
    let record = find(context, namespace, digest).ok_or(Code::NOT_FOUND)?;
    check_set(message, &record)?;
    check_generation(message, record.generation)?;
    check_filter(context, message, digest, &record)?;
    check_key(message, &record)?;
    namespace.delete(digest);
    Ok(Reply::of(Code::OK))
}
