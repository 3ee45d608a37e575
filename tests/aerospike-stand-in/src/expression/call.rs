//! Calls of a map's operations inside an expression. Whatever fails in one is unknown, not an error.

use super::Subject;
use super::compile::{Call, Type};
use super::eval::{Scope, eval_in};
use crate::cdt;
use crate::code::Code;
use crate::value::Value;

pub(super) fn call(call: &Call, subject: &Subject<'_>, scope: &mut Scope) -> Result<Option<Value>, Code> {
    let mut args = Vec::new();
    for arg in &call.args {
        match eval_in(arg, subject, scope)? {
            Some(value) => args.push(value),
            None => return Ok(None),
        }
    }
    let Some(on) = eval_in(&call.on, subject, scope)? else { return Ok(None) };
    let outcome = if call.is_modify {
        cdt::modify_with(Some(&on), call.code, &args).map(|(map, _)| map)
    } else {
        cdt::read_with(&on, call.code, &args)
    };
    match outcome {
        Ok(value) => Ok(Some(value).filter(|value| Type::of_value(value) == call.gives)),
        Err(Code::UNSUPPORTED) => Err(Code::UNSUPPORTED),
        Err(_) => Ok(None),
    }
}
