//! The one `operate` that each step of the protocol is.

use std::time::Duration;

use aerospike::{
    BatchDeletePolicy, BatchOperation, BatchReadPolicy, BatchWritePolicy, Bin, Bins, Expiration, Key,
    RecordExistsAction, Value,
    expressions::{self as exp, Expression},
    operations::{
        self, MapOrder, MapPolicy, MapReturnType, MapWriteFlags, Operation,
        exp::{ExpReadFlags, ExpWriteFlags},
        maps,
    },
};

use super::record::{
    BIN_COMPRESSION, BIN_DATA, BIN_EPOCH, BIN_EXPIRES, BIN_FORMAT, BIN_GENERATION, BIN_HOLDS, BIN_TOKEN, BIN_TYPE,
    FORMAT, VALUE_BINS, hold_id, number_value,
};
use crate::backend::{Fill, WriteId};

/// How long a record lives that has a token or a hold and no value. Above the longest hold that the service grants
/// (`HOLD_MAX`), so that no hold is lost with its record.
const CONTROL_TTL: Duration = Duration::from_secs(900);

/// How long a namespace's record lives after its last hold, purge or new generation. Its loss is a purge, once a month for
/// who only reads; if it never went, every name that anybody ever asked for would stay for ever.
const NAMESPACE_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The name under which the epoch is read after it was touched: two steps on one bin answer with a list.
pub const TOUCHED: &str = "touched";

/// Reads all bins.
pub fn read(key: Key) -> BatchOperation {
    BatchOperation::read(&BatchReadPolicy::default(), key, Bins::All)
}

/// Removes the record.
pub fn remove(key: Key) -> BatchOperation {
    BatchOperation::delete(&BatchDeletePolicy::default(), key)
}

/// Opens a hold: the value goes, a new token, the hold stands until `until_ms`.
pub fn hold(key: Key, token: u64, write: WriteId, until_ms: i64) -> BatchOperation {
    let mut steps = cleared(token);
    steps.push(maps::put(&map_policy(), BIN_HOLDS, hold_id(write), Value::Int(until_ms)));
    BatchOperation::write(&policy(RecordExistsAction::Update, CONTROL_TTL, None), key, steps)
}

/// Closes a hold: the value goes, a new token. A key without a record stays without.
pub fn release(key: Key, token: u64, write: WriteId) -> BatchOperation {
    let mut steps = cleared(token);
    steps.extend(closed(write));
    BatchOperation::write(&policy(RecordExistsAction::UpdateOnly, CONTROL_TTL, None), key, steps)
}

/// Takes the value away, with a new token. A key without a record stays without.
pub fn clear(key: Key, token: u64) -> BatchOperation {
    BatchOperation::write(&policy(RecordExistsAction::UpdateOnly, CONTROL_TTL, None), key, cleared(token))
}

/// Makes the token of a key that has no record.
pub fn first_token(key: Key, token: u64) -> BatchOperation {
    let steps = vec![put(BIN_TOKEN, number_value(token))];
    BatchOperation::write(&policy(RecordExistsAction::CreateOnly, CONTROL_TTL, None), key, steps)
}

/// Makes a new token for a key all of whose holds have run out, unless something happened to it meanwhile.
pub fn next_token(key: Key, seen: Option<u64>, token: u64) -> BatchOperation {
    let steps = vec![put(BIN_TOKEN, number_value(token)), put(BIN_HOLDS, Value::Nil)];
    let unchanged = match seen {
        Some(seen) => is(BIN_TOKEN, seen),
        None => exp::not(exp::bin_exists(BIN_TOKEN)),
    };
    BatchOperation::write(&policy(RecordExistsAction::UpdateOnly, CONTROL_TTL, Some(unchanged)), key, steps)
}

/// Stores a value if the token still holds.
pub fn fill(key: Key, fill: Fill, expires_ms: i64) -> BatchOperation {
    let steps = vec![
        put(BIN_FORMAT, Value::Int(FORMAT)),
        put(BIN_DATA, Value::Blob(fill.body.data.into())),
        put(BIN_TYPE, Value::String(fill.body.content_type)),
        put(BIN_COMPRESSION, Value::Int(i64::from(fill.body.compression))),
        put(BIN_GENERATION, number_value(fill.lease.generation)),
        put(BIN_EPOCH, number_value(fill.lease.epoch)),
        put(BIN_EXPIRES, Value::Int(expires_ms)),
    ];
    let leased = is(BIN_TOKEN, fill.lease.token);
    BatchOperation::write(&policy(RecordExistsAction::UpdateOnly, fill.ttl, Some(leased)), key, steps)
}

/// Opens a hold on a namespace.
pub fn hold_namespace(key: Key, write: WriteId, until_ms: i64) -> BatchOperation {
    let steps = vec![maps::put(&map_policy(), BIN_HOLDS, hold_id(write), Value::Int(until_ms))];
    BatchOperation::write(&policy(RecordExistsAction::Update, NAMESPACE_TTL, None), key, steps)
}

/// Closes a hold on a namespace.
pub fn release_namespace(key: Key, write: WriteId) -> BatchOperation {
    BatchOperation::write(&policy(RecordExistsAction::UpdateOnly, NAMESPACE_TTL, None), key, closed(write).to_vec())
}

/// Makes a namespace's first generation, unless it has one.
pub fn first_generation(key: Key, generation: u64) -> BatchOperation {
    let steps = vec![put(BIN_GENERATION, number_value(generation))];
    BatchOperation::write(&policy(RecordExistsAction::CreateOnly, NAMESPACE_TTL, None), key, steps)
}

/// Makes a namespace's next generation and forgets the holds that ran out, unless it has got another meanwhile.
pub fn next_generation(key: Key, seen: Option<u64>, generation: u64, expired: Vec<Value>) -> BatchOperation {
    let mut steps = vec![put(BIN_GENERATION, number_value(generation))];
    if !expired.is_empty() {
        steps.push(maps::remove_by_key_list(BIN_HOLDS, expired, MapReturnType::NONE));
    }
    let unchanged = match seen {
        Some(seen) => is(BIN_GENERATION, seen),
        None => exp::not(exp::bin_exists(BIN_GENERATION)),
    };
    BatchOperation::write(&policy(RecordExistsAction::UpdateOnly, NAMESPACE_TTL, Some(unchanged)), key, steps)
}

/// Gives a namespace a new generation, whatever it has.
pub fn purge(key: Key, generation: u64) -> BatchOperation {
    let steps = vec![put(BIN_GENERATION, number_value(generation))];
    BatchOperation::write(&policy(RecordExistsAction::Update, NAMESPACE_TTL, None), key, steps)
}

/// Touches the epoch and reads it, as [`TOUCHED`], only if somebody has touched it within `lapse` by the server's own clock:
/// without that a touch that was long on its way would hide that nobody's canary went through meanwhile. The condition must
/// be the filter's: by the time the steps are done the record counts as updated.
pub fn touch_epoch(key: Key, lapse: Duration) -> BatchOperation {
    let steps = vec![
        operations::exp::write_exp(BIN_EPOCH, exp::int_bin(BIN_EPOCH), ExpWriteFlags::DEFAULT),
        operations::exp::read_exp(TOUCHED, exp::int_bin(BIN_EPOCH), ExpReadFlags::DEFAULT),
    ];
    let young = exp::lt(exp::since_update(), millis(lapse));
    BatchOperation::write(&lasting(RecordExistsAction::UpdateOnly, Some(young)), key, steps)
}

/// Makes a new epoch if nobody has touched the present one for `lapse`, and reads it, as [`TOUCHED`].
pub fn replace_epoch(key: Key, fresh: u64, lapse: Duration) -> BatchOperation {
    let old = exp::ge(exp::since_update(), millis(lapse));
    BatchOperation::write(&lasting(RecordExistsAction::UpdateOnly, Some(old)), key, epoch_steps(fresh))
}

/// Makes the first epoch, and reads it, as [`TOUCHED`].
pub fn first_epoch(key: Key, fresh: u64) -> BatchOperation {
    BatchOperation::write(&lasting(RecordExistsAction::CreateOnly, None), key, epoch_steps(fresh))
}

/// Makes a new epoch, whatever there is, and reads it, as [`TOUCHED`].
pub fn new_epoch(key: Key, fresh: u64) -> BatchOperation {
    BatchOperation::write(&lasting(RecordExistsAction::Update, None), key, epoch_steps(fresh))
}

fn epoch_steps(fresh: u64) -> Vec<Operation> {
    vec![
        put(BIN_EPOCH, number_value(fresh)),
        operations::exp::read_exp(TOUCHED, exp::int_bin(BIN_EPOCH), ExpReadFlags::DEFAULT),
    ]
}

fn millis(time: Duration) -> Expression {
    exp::int_val(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

fn cleared(token: u64) -> Vec<Operation> {
    let mut steps = vec![put(BIN_TOKEN, number_value(token))];
    steps.extend(VALUE_BINS.iter().map(|bin| put(bin, Value::Nil)));
    steps
}

/// A removal from a map that is not there is an error in some servers: the hold is put once more, then taken out.
fn closed(write: WriteId) -> [Operation; 2] {
    [
        maps::put(&map_policy(), BIN_HOLDS, hold_id(write), Value::Int(0)),
        maps::remove_by_key(BIN_HOLDS, hold_id(write), MapReturnType::NONE),
    ]
}

fn put(bin: &str, value: Value) -> Operation {
    operations::put(&Bin::new(bin, value))
}

fn is(bin: &str, number: u64) -> Expression {
    exp::eq(exp::int_bin(bin), exp::int_val(number.cast_signed()))
}

fn map_policy() -> MapPolicy {
    MapPolicy::new(MapOrder::KeyOrdered, MapWriteFlags::DEFAULT)
}

fn policy(exists: RecordExistsAction, ttl: Duration, filter: Option<Expression>) -> BatchWritePolicy {
    let seconds = u32::try_from(ttl.as_millis().div_ceil(1000)).unwrap_or(u32::MAX / 2);
    BatchWritePolicy {
        record_exists_action: exists,
        expiration: Expiration::Seconds(seconds.max(1)),
        filter_expression: filter,
        ..BatchWritePolicy::default()
    }
}

/// The epoch's record does not expire: there is one, and its loss is a purge of all.
fn lasting(exists: RecordExistsAction, filter: Option<Expression>) -> BatchWritePolicy {
    BatchWritePolicy {
        record_exists_action: exists,
        expiration: Expiration::Never,
        filter_expression: filter,
        ..BatchWritePolicy::default()
    }
}
