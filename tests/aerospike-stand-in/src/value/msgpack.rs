//! MessagePack as Aerospike uses it: strings and bytes carry their type in a first byte, maps may start with an extension
//! pair that holds their flags, and two extensions stand for infinity and the wildcard.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Map, Value, types};
use crate::code::Code;

/// How deep lists and maps may nest: a message cannot make us recurse without end.
const DEPTH_MAX: usize = 64;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    List,
    /// A string or bytes, typed or raw.
    Bytes,
    Int,
    Other,
    End,
}

/// Reads one message from its start to its end.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    data: Bytes,
    at: usize,
}

impl Reader {
    pub(crate) fn new(data: Bytes) -> Self {
        Self { data, at: 0 }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.data.len()
    }

    pub(crate) fn peek(&self) -> Kind {
        match self.data.get(self.at) {
            None => Kind::End,
            Some(0x90..=0x9f | 0xdc | 0xdd) => Kind::List,
            Some(0xa0..=0xbf | 0xc4..=0xc6 | 0xd9..=0xdb) => Kind::Bytes,
            Some(0x00..=0x7f | 0xcc..=0xcf | 0xd0..=0xd3 | 0xe0..=0xff) => Kind::Int,
            Some(_) => Kind::Other,
        }
    }

    fn take(&mut self, len: usize) -> Result<Bytes, Code> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.data.len()).ok_or(Code::PARAMETER)?;
        let taken = self.data.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Code> {
        Ok(self.take(1)?[0])
    }

    fn unsigned(&mut self, len: usize) -> Result<u64, Code> {
        Ok(self.take(len)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// Sign-extends `len` bytes.
    fn signed(&mut self, len: usize) -> Result<i64, Code> {
        let shift = 64 - 8 * len as u32;
        Ok(((self.unsigned(len)? << shift) as i64) >> shift)
    }

    /// The number of elements of a list.
    pub(crate) fn list_len(&mut self) -> Result<usize, Code> {
        let len = match self.byte()? {
            marker @ 0x90..=0x9f => usize::from(marker & 0x0f),
            0xdc => self.unsigned(2)? as usize,
            0xdd => self.unsigned(4)? as usize,
            _ => return Err(Code::PARAMETER),
        };
        // An element takes at least a byte.
        if len > self.data.len() - self.at { Err(Code::PARAMETER) } else { Ok(len) }
    }

    pub(crate) fn int(&mut self) -> Result<i64, Code> {
        match self.value()? {
            Value::Int(int) => Ok(int),
            _ => Err(Code::PARAMETER),
        }
    }

    /// A string or bytes as they lie, without a look at a type byte.
    pub(crate) fn raw(&mut self) -> Result<Bytes, Code> {
        let len = match self.byte()? {
            marker @ 0xa0..=0xbf => usize::from(marker & 0x1f),
            0xc4 | 0xd9 => self.unsigned(1)? as usize,
            0xc5 | 0xda => self.unsigned(2)? as usize,
            0xc6 | 0xdb => self.unsigned(4)? as usize,
            _ => return Err(Code::PARAMETER),
        };
        self.take(len)
    }

    /// The bytes of the next element, whatever it is.
    pub(crate) fn element(&mut self) -> Result<Bytes, Code> {
        let start = self.at;
        self.skip(0)?;
        Ok(self.data.slice(start..self.at))
    }

    fn skip(&mut self, depth: usize) -> Result<(), Code> {
        if depth > DEPTH_MAX {
            return Err(Code::PARAMETER);
        }
        match self.peek() {
            Kind::List => {
                for _ in 0..self.list_len()? {
                    self.skip(depth + 1)?;
                }
            }
            Kind::Bytes => drop(self.raw()?),
            Kind::End => return Err(Code::PARAMETER),
            _ => drop(self.nested(depth)?),
        }
        Ok(())
    }

    pub(crate) fn value(&mut self) -> Result<Value, Code> {
        self.nested(0)
    }

    fn nested(&mut self, depth: usize) -> Result<Value, Code> {
        if depth > DEPTH_MAX {
            return Err(Code::PARAMETER);
        }
        match self.peek() {
            Kind::List => self.list(depth),
            Kind::Bytes => self.typed_bytes(),
            _ => self.scalar_or_map(depth),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Code> {
        let mut len = self.list_len()?;
        if len > 0 && self.is_extension() {
            // An ordered list's flags.
            self.nested(depth + 1)?;
            len -= 1;
        }
        (0..len).map(|_| self.nested(depth + 1)).collect::<Result<_, _>>().map(Value::List)
    }

    fn typed_bytes(&mut self) -> Result<Value, Code> {
        let mut raw = self.raw()?;
        if raw.is_empty() {
            return Err(Code::PARAMETER);
        }
        let kind = raw.split_to(1)[0];
        Ok(match kind {
            types::STRING => Value::String(raw),
            types::BLOB => Value::Blob(raw),
            other => Value::Opaque(other, raw),
        })
    }

    fn scalar_or_map(&mut self, depth: usize) -> Result<Value, Code> {
        Ok(match self.byte()? {
            int @ 0x00..=0x7f => Value::Int(i64::from(int)),
            marker @ 0x80..=0x8f => self.map(usize::from(marker & 0x0f), depth)?,
            0xc0 => Value::Nil,
            0xc2 => Value::Bool(false),
            0xc3 => Value::Bool(true),
            0xc7 => self.extension(None)?,
            0xca => Value::Float(f64::from(f32::from_bits(self.unsigned(4)? as u32))),
            0xcb => Value::Float(f64::from_bits(self.unsigned(8)?)),
            marker @ 0xcc..=0xcf => Value::Int(self.unsigned(1 << (marker - 0xcc))? as i64),
            marker @ 0xd0..=0xd3 => Value::Int(self.signed(1 << (marker - 0xd0))?),
            marker @ 0xd4..=0xd8 => self.extension(Some(1 << (marker - 0xd4)))?,
            0xde => {
                let len = self.unsigned(2)? as usize;
                self.map(len, depth)?
            }
            0xdf => {
                let len = self.unsigned(4)? as usize;
                self.map(len, depth)?
            }
            marker @ 0xe0..=0xff => Value::Int(i64::from(marker as i8)),
            _ => return Err(Code::PARAMETER),
        })
    }

    fn extension(&mut self, len: Option<usize>) -> Result<Value, Code> {
        let len = match len {
            Some(len) => len,
            None => self.unsigned(1)? as usize,
        };
        let kind = self.byte()?;
        let data = self.take(len)?;
        Ok(match (kind, data.first()) {
            (0xff, Some(0)) => Value::Wildcard,
            (0xff, Some(1)) => Value::Infinity,
            _ => Value::Nil,
        })
    }

    fn is_extension(&self) -> bool {
        // Infinity and the wildcard are extensions of type 0xff; a container's flags are of another type.
        match self.data.get(self.at) {
            Some(0xc7) => true,
            Some(0xd4) => self.data.get(self.at + 1) != Some(&0xff),
            _ => false,
        }
    }

    fn map(&mut self, mut len: usize, depth: usize) -> Result<Value, Code> {
        let mut flags = 0;
        if len > 0 && self.is_extension() {
            flags = if self.data.get(self.at) == Some(&0xc7) {
                self.data.get(self.at + 2).copied().unwrap_or(0)
            } else {
                0
            };
            self.nested(depth + 1)?;
            self.nested(depth + 1)?;
            len -= 1;
        }
        let mut pairs = Vec::new();
        for _ in 0..len {
            pairs.push((self.nested(depth + 1)?, self.nested(depth + 1)?));
        }
        Ok(Value::Map(Map::from_pairs(flags & super::MAP_KEY_ORDERED, pairs)))
    }
}

/// Appends a value.
pub(crate) fn write_value(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Nil => out.put_u8(0xc0),
        Value::Bool(bool) => out.put_u8(if *bool { 0xc3 } else { 0xc2 }),
        Value::Int(int) => write_int(out, *int),
        Value::Float(float) => {
            out.put_u8(0xcb);
            out.put_f64(*float);
        }
        Value::String(data) => write_typed(out, types::STRING, data),
        Value::Blob(data) => write_typed(out, types::BLOB, data),
        Value::Opaque(kind, data) => write_typed(out, *kind, data),
        Value::List(list) => {
            write_len(out, list.len(), 0x90, 0xdc);
            list.iter().for_each(|value| write_value(out, value));
        }
        Value::Map(map) => write_map(out, map),
        Value::Infinity => out.put_slice(&[0xd4, 0xff, 0x01]),
        Value::Wildcard => out.put_slice(&[0xd4, 0xff, 0x00]),
    }
}

fn write_map(out: &mut BytesMut, map: &Map) {
    let flagged = usize::from(map.flags != 0);
    write_len(out, map.pairs.len() + flagged, 0x80, 0xde);
    if flagged == 1 {
        out.put_slice(&[0xc7, 0, map.flags, 0xc0]);
    }
    for (key, value) in &map.pairs {
        write_value(out, key);
        write_value(out, value);
    }
}

/// The head of a list or map: `small` for up to 15 elements, then `large` with 16 bits, then the marker after it with 32.
fn write_len(out: &mut BytesMut, len: usize, small: u8, large: u8) {
    match len {
        0..=15 => out.put_u8(small | len as u8),
        16..=0xffff => {
            out.put_u8(large);
            out.put_u16(len as u16);
        }
        _ => {
            out.put_u8(large + 1);
            out.put_u32(len as u32);
        }
    }
}

fn write_typed(out: &mut BytesMut, kind: u8, data: &[u8]) {
    match data.len() + 1 {
        len @ 0..=31 => out.put_u8(0xa0 | len as u8),
        len @ 32..=0xff => out.put_slice(&[0xd9, len as u8]),
        len @ 0x100..=0xffff => {
            out.put_u8(0xda);
            out.put_u16(len as u16);
        }
        len => {
            out.put_u8(0xdb);
            out.put_u32(len as u32);
        }
    }
    out.put_u8(kind);
    out.put_slice(data);
}

fn write_int(out: &mut BytesMut, int: i64) {
    match int {
        0..=0x7f => out.put_u8(int as u8),
        -32..=-1 => out.put_i8(int as i8),
        0x80..=0xff => out.put_slice(&[0xcc, int as u8]),
        0x100..=0xffff => {
            out.put_u8(0xcd);
            out.put_u16(int as u16);
        }
        0x1_0000..=0xffff_ffff => {
            out.put_u8(0xce);
            out.put_u32(int as u32);
        }
        0x1_0000_0000.. => {
            out.put_u8(0xcf);
            out.put_i64(int);
        }
        -0x80..=-33 => {
            out.put_u8(0xd0);
            out.put_i8(int as i8);
        }
        -0x8000..=-0x81 => {
            out.put_u8(0xd1);
            out.put_i16(int as i16);
        }
        -0x8000_0000..=-0x8001 => {
            out.put_u8(0xd2);
            out.put_i32(int as i32);
        }
        _ => {
            out.put_u8(0xd3);
            out.put_i64(int);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(value: &Value) -> Value {
        let mut out = BytesMut::new();
        write_value(&mut out, value);
        let mut reader = Reader::new(out.freeze());
        let back = reader.value().unwrap();
        assert!(reader.is_at_end());
        back
    }

    #[test]
    fn every_value_comes_back() {
        let ints = [0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 32, i64::MAX, -1, -32, -33, -128, -129, i64::MIN];
        for int in ints {
            assert_eq!(around(&Value::Int(int)).as_int(), Some(int));
        }
        let list: Vec<Value> = (0..40).map(|i| Value::string(&"x".repeat(i * 9))).collect();
        let pairs = list.iter().cloned().zip(ints.map(Value::Int)).collect();
        let value =
            Value::List(vec![Value::List(list), Value::Map(Map::from_pairs(1, pairs)), Value::Float(1.5), Value::Nil]);
        assert_eq!(around(&value), value);
    }

    #[test]
    fn a_cut_message_is_an_error() {
        let mut out = BytesMut::new();
        write_value(&mut out, &Value::List(vec![Value::string("hello"), Value::Int(70_000)]));
        let whole = out.freeze();
        for len in 0..whole.len() {
            assert!(Reader::new(whole.slice(..len)).value().is_err(), "{len}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = Bytes::from(vec![0x91; 100_000]);
        assert!(Reader::new(deep.clone()).value().is_err());
        assert!(Reader::new(deep).element().is_err());
    }
}
