//! Whether the operations of a write go together.

use crate::code::Code;
use crate::wire::{Message, Op, OpKind, info1, info3};

/// The longest name of a bin, in bytes.
const BIN_NAME_MAX: usize = 15;

/// What the operations and flags of a write mean for the record.
pub(super) struct Policy {
    /// No record, no write.
    pub(super) must_exist: bool,
    /// Bins that are not written go.
    pub(super) is_replace: bool,
}

impl Policy {
    pub(super) fn of(message: &Message) -> Result<Self, Code> {
        if message.ops.is_empty() {
            return Err(Code::PARAMETER);
        }
        let is_replace = message.is_replace();
        message.ops.iter().try_for_each(|op| check_op(op, is_replace))?;
        check_reads(message)?;
        let touches = message.ops.iter().any(|op| op.kind == OpKind::Touch);
        let must_exist = touches || message.info3 & (info3::UPDATE_ONLY | info3::REPLACE_ONLY) != 0;
        Ok(Self { must_exist, is_replace })
    }
}

fn check_op(op: &Op, is_replace: bool) -> Result<(), Code> {
    if op.kind != OpKind::Touch && op.bin.len() > BIN_NAME_MAX {
        return Err(Code::BIN_NAME);
    }
    // A replace writes whole bins or expressions' results; it cannot change what it replaces.
    let removes_bin = op.kind == OpKind::Write && op.particle == 0;
    let goes_with_replace =
        op.kind.is_read() || matches!(op.kind, OpKind::Write | OpKind::ExpressionModify) && !removes_bin;
    if is_replace && !goes_with_replace { Err(Code::PARAMETER) } else { Ok(()) }
}

fn check_reads(message: &Message) -> Result<(), Code> {
    let has_read = message.ops.iter().any(|op| op.kind.is_read());
    let read_alls = message.ops.iter().filter(|op| message.is_read_all(op)).count();
    let answers_bins = |op: &Op| op.kind == OpKind::CdtModify || op.kind.is_read() && !message.is_read_all(op);
    let mixes = read_alls > 0 && (message.responds_to_all() || message.ops.iter().any(answers_bins));
    let flag_without_read = has_read && message.info1 & info1::READ == 0;
    let flag_without_op = message.info1 & info1::GET_ALL != 0 && read_alls == 0;
    if read_alls > 1 || mixes || flag_without_read || flag_without_op { Err(Code::PARAMETER) } else { Ok(()) }
}
