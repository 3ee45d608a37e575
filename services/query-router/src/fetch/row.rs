//! A row as it is kept: as the JSON text that callers get, so that a hit is sent as it lies.
//!
//! The origin's own text of every value is kept: no digit of a number above 2^53 or of a vector's element changes. Layer's
//! own attributes are kept behind the text that is shown, for callers that ask for them by name. All of it is one piece of
//! memory, the same that goes into the cache: a row is never held twice.

use std::{borrow::Cow, fmt, marker::PhantomData};

use bytes::{BufMut, Bytes, BytesMut};
use layer_cache::Body;
use layer_wire::RESERVED_PREFIX;
use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{id::DocId, request::Include};

/// Content type of a cached row that has attributes of Layer's own: the text that is shown, those attributes as a JSON
/// object, and the length of the first as four bytes, the highest first. A row without any is plain JSON.
const WITH_RESERVED: &str = "application/x-layer-document";
const LENGTH_BYTES: usize = 4;

/// A row. A clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `{"id":…,"attributes":{…}}`, and what [`WITH_RESERVED`] puts behind it.
    data: Bytes,
    /// The length of the first.
    shown: usize,
}

impl Row {
    /// Reads a row of the origin's answer: its id, and the row.
    pub fn of_origin(raw: &RawValue) -> Option<(DocId, Self)> {
        let Members(members) = serde_json::from_str(raw.get()).ok()?;
        let id = members.iter().find(|(name, _)| name == "id").and_then(|(_, raw)| DocId::of_row(raw))?;
        let mut data = BytesMut::with_capacity(raw.get().len() + 32);
        let mut reserved = BytesMut::new();
        open(&mut data, &id);
        reserved.put_u8(b'{');
        for (name, value) in &members {
            match name.as_ref() {
                "id" | "$dist" => {}
                name if name.starts_with(RESERVED_PREFIX) => member(&mut reserved, name, value),
                name => member(&mut data, name, value),
            }
        }
        data.put_slice(b"}}");
        reserved.put_u8(b'}');
        let shown = data.len();
        // Of 4 GiB there is no row.
        if reserved.len() > 2
            && let Ok(length) = u32::try_from(shown)
        {
            data.put_slice(&reserved);
            data.put_u32(length);
        }
        Some((id, Self { data: data.freeze(), shown }))
    }

    /// Reads a cached row; `None` where it is none that this version writes.
    pub fn of_cache(body: Body) -> Option<Self> {
        let Body { data, content_type } = body;
        if content_type == layer_cache::DOCUMENT {
            return Some(Self { shown: data.len(), data });
        }
        if content_type != WITH_RESERVED {
            return None;
        }
        let end = data.len().checked_sub(LENGTH_BYTES)?;
        let shown = u32::from_be_bytes(data[end..].try_into().ok()?) as usize;
        (shown <= end).then_some(Self { data, shown })
    }

    /// The row as the cache keeps it.
    pub fn to_cache(&self) -> Body {
        match self.shown == self.data.len() {
            true => Body::document(self.data.clone()),
            false => Body { data: self.data.clone(), content_type: Cow::Borrowed(WITH_RESERVED) },
        }
    }

    fn shown(&self) -> &[u8] {
        &self.data[..self.shown]
    }

    /// Layer's own attributes, as a JSON object; empty where there are none.
    fn reserved(&self) -> &[u8] {
        match self.shown == self.data.len() {
            true => &[],
            false => &self.data[self.shown..self.data.len() - LENGTH_BYTES],
        }
    }

    /// Whether this is the row of that very id.
    pub fn answers(&self, id: &DocId) -> bool {
        let mut start = BytesMut::with_capacity(96);
        open(&mut start, id);
        self.shown().starts_with(&start) && self.shown().ends_with(b"}}")
    }

    /// The JSON text for a caller: `{"id":…,"attributes":{…}}` with the attributes that it asked for.
    pub fn show(&self, include: &Include) -> Bytes {
        match include {
            Include::All => self.data.slice(..self.shown),
            Include::Names(names) => self.project(names).unwrap_or_else(|| self.data.slice(..self.shown)),
        }
    }

    fn project(&self, names: &[String]) -> Option<Bytes> {
        let text = std::str::from_utf8(self.shown()).ok()?;
        let Shown { id, attributes } = serde_json::from_str(text).ok()?;
        let mut out = BytesMut::new();
        open(&mut out, &DocId::of_row(id)?);
        let own = match names.iter().any(|name| name.starts_with(RESERVED_PREFIX)) && !self.reserved().is_empty() {
            true => serde_json::from_slice(self.reserved()).ok()?,
            false => Members(Vec::new()),
        };
        for (name, value) in attributes.0.iter().chain(&own.0) {
            if names.iter().any(|asked| asked == name) {
                member(&mut out, name, value);
            }
        }
        out.put_slice(b"}}");
        Some(out.freeze())
    }

    /// Bytes that the row takes.
    pub fn size(&self) -> u64 {
        self.data.len() as u64
    }
}

/// The beginning of a row's text, which is the same for every row of an id.
fn open(out: &mut BytesMut, id: &DocId) {
    out.put_slice(b"{\"id\":");
    out.put_slice(id.json().as_bytes());
    out.put_slice(b",\"attributes\":{");
}

fn member(out: &mut BytesMut, name: &str, value: &RawValue) {
    if out.last() != Some(&b'{') {
        out.put_u8(b',');
    }
    out.put_slice(serde_json::Value::from(name).to_string().as_bytes());
    out.put_u8(b':');
    out.put_slice(value.get().as_bytes());
}

#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    attributes: Members<'a>,
}

/// The members of an object in their order, each value as its text.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor(PhantomData))
    }
}

struct MembersVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for MembersVisitor<'a> {
    type Value = Members<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'a>, A::Error> {
        let mut members = Vec::with_capacity(map.size_hint().unwrap_or(8));
        while let Some(Name(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(Members(members))
    }
}

/// A name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> Row {
        Row::of_origin(&serde_json::from_str::<Box<RawValue>>(json).unwrap()).unwrap().1
    }

    fn shown(row: &Row, names: &[&str]) -> String {
        let include = Include::Names(names.iter().map(|name| (*name).to_owned()).collect());
        String::from_utf8(row.show(&include).to_vec()).unwrap()
    }

    const ORIGIN: &str = r#"{"$dist":0.5,"big":18446744073709551615,"id":7,"_hevlayer_upserted_at":1700000000000,
        "f":0.10000000149011612,"vector":[0.7, 1e-7],"a\u0022b":{"x":1},"t":"ü\n","n":-0.0}"#;

    #[test]
    fn the_origins_text_of_every_value_is_kept() {
        let row = row(ORIGIN);
        let expected = r#"{"id":7,"attributes":{"big":18446744073709551615,"f":0.10000000149011612,"vector":[0.7, 1e-7],"a\"b":{"x":1},"t":"ü\n","n":-0.0}}"#;
        assert_eq!(row.show(&Include::All), expected);
    }

    #[test]
    fn layers_own_attributes_are_shown_by_name_only_also_from_the_cache() {
        for row in [row(ORIGIN), Row::of_cache(row(ORIGIN).to_cache()).unwrap()] {
            assert!(!shown(&row, &["big"]).contains("hevlayer"));
            assert_eq!(
                shown(&row, &["_hevlayer_upserted_at", "t"]),
                r#"{"id":7,"attributes":{"t":"ü\n","_hevlayer_upserted_at":1700000000000}}"#
            );
            assert_eq!(shown(&row, &["a\"b", "none"]), r#"{"id":7,"attributes":{"a\"b":{"x":1}}}"#);
            assert_eq!(shown(&row, &[]), r#"{"id":7,"attributes":{}}"#);
        }
    }

    #[test]
    fn a_row_comes_back_from_the_cache_as_it_went_in() {
        for json in [ORIGIN, r#"{"id":"a"}"#, r#"{"id":"","x":[]}"#] {
            let row = row(json);
            assert_eq!(Row::of_cache(row.to_cache()), Some(row));
        }
    }

    #[test]
    fn a_body_of_another_making_is_no_row() {
        let body =
            |data: &'static [u8], kind| Body { data: Bytes::from_static(data), content_type: Cow::Borrowed(kind) };
        for data in [b"".as_slice(), b"abc", b"{}\0\0\0\x03", b"\xff\xff\xff\xff"] {
            assert_eq!(Row::of_cache(body(data, WITH_RESERVED)), None);
        }
        assert_eq!(Row::of_cache(body(b"{}", "text/plain")), None);
    }

    #[test]
    fn a_row_answers_for_its_own_id_and_no_other() {
        let (one, text) = (row(r#"{"id":1}"#), row(r#"{"id":"1"}"#));
        let id = |text: &str| DocId::Text(text.into());
        assert!(one.answers(&DocId::Uint(1)) && !one.answers(&id("1")) && !one.answers(&DocId::Uint(11)));
        assert!(text.answers(&id("1")) && !text.answers(&DocId::Uint(1)) && !text.answers(&id("")));
        assert!(row(r#"{"id":"\u00fc\u0022"}"#).answers(&id("ü\"")));
    }
}
