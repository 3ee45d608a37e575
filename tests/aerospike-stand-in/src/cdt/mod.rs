//! Operations on maps, from operations of a message and from calls in expressions. Lists, and maps inside of maps (contexts),
//! are left out: code 16.

mod map;
mod pick;

use bytes::Bytes;

use crate::code::Code;
use crate::value::{Kind, Map, Reader, Value};

/// What stands for "a context comes first" where an operation's code would.
const CONTEXT: i64 = 0xff;
/// What stands for "a path comes first".
const PATH: i64 = 0xfe;

/// Reads from a bin.
pub(crate) fn read(bin: &Value, data: Bytes) -> Result<Value, Code> {
    let (code, args) = parse(data)?;
    read_with(bin, code, &args)
}

/// Changes a bin: its new value (`Nil`: the bin stays or becomes absent), and the result.
pub(crate) fn modify(bin: Option<&Value>, data: Bytes) -> Result<(Value, Value), Code> {
    let (code, args) = parse(data)?;
    modify_with(bin, code, &args)
}

/// Reads, with an operation that is taken apart already.
pub(crate) fn read_with(bin: &Value, code: i64, args: &[Value]) -> Result<Value, Code> {
    check(code)?;
    match bin {
        Value::Map(map) => map::read(map, code, args),
        _ => Err(Code::INCOMPATIBLE_TYPE),
    }
}

/// Changes, with an operation that is taken apart already.
pub(crate) fn modify_with(bin: Option<&Value>, code: i64, args: &[Value]) -> Result<(Value, Value), Code> {
    check(code)?;
    let map = match bin {
        None | Some(Value::Nil) => None,
        Some(Value::Map(map)) => Some(map),
        Some(_) => return Err(Code::INCOMPATIBLE_TYPE),
    };
    let (map, result) = map::modify(map, code, args)?;
    Ok((map.map_or(Value::Nil, Value::Map), result))
}

/// Operations below this code are on lists.
fn check(code: i64) -> Result<(), Code> {
    /// The first code of operations on maps, and one past the last.
    const MAPS: std::ops::Range<i64> = 64..111;
    if MAPS.contains(&code) { Ok(()) } else { Err(Code::UNSUPPORTED) }
}

fn parse(data: Bytes) -> Result<(i64, Vec<Value>), Code> {
    let mut reader = Reader::new(data);
    let len = reader.list_len()?;
    if len == 0 || reader.peek() != Kind::Int {
        return Err(Code::PARAMETER);
    }
    let code = reader.int()?;
    if code == CONTEXT || code == PATH {
        return Err(Code::UNSUPPORTED);
    }
    let args = (1..len).map(|_| reader.value()).collect::<Result<_, _>>()?;
    if reader.is_at_end() { Ok((code, args)) } else { Err(Code::PARAMETER) }
}

/// An empty map of those flags.
fn empty(flags: u8) -> Map {
    Map { flags, pairs: Vec::new() }
}
