//! The ids of documents: as callers spell them, and as the origin tells them apart.

use layer_cache::Key;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::refusal::Refusal;

/// The longest string id that the origin has, in bytes.
const TEXT_BYTES_MAX: usize = 64;
const ACCEPTS: &str = "must be an unsigned 64-bit integer or a string of at most 64 bytes";

/// An id as the origin has it: 1 and "1" are two.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DocId {
    /// An unsigned integer.
    Uint(u64),
    /// A string; a UUID is one too.
    Text(Box<str>),
}

/// What can be asked for in one query: the origin refuses a filter whose values do not all have the type of its ids, and
/// one caller's wrong id must not spoil another's query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Integers.
    Uint,
    /// Strings that spell a UUID.
    Uuid,
    /// Other strings.
    Text,
}

impl DocId {
    /// The id as JSON text, always in the same spelling.
    pub fn json(&self) -> String {
        match self {
            Self::Uint(number) => number.to_string(),
            Self::Text(text) => json_text(text),
        }
    }

    /// The cache's key. Several spellings may share one.
    pub fn key(&self) -> Key {
        match self {
            Self::Uint(number) => Key::uint(*number),
            Self::Text(text) => Key::text(text),
        }
    }

    /// What it can be asked for together with.
    pub fn class(&self) -> Class {
        match self {
            Self::Uint(_) => Class::Uint,
            Self::Text(text) if Uuid::try_parse(text).is_ok() => Class::Uuid,
            Self::Text(_) => Class::Text,
        }
    }

    /// Whether the origin may call this one `other`: it does so with the spellings of a UUID.
    pub fn is(&self, other: &Self) -> bool {
        self == other || (self.class() == Class::Uuid && other.class() == Class::Uuid && self.key() == other.key())
    }

    /// The id of a row that the origin answered.
    pub fn of_row(raw: &RawValue) -> Option<Self> {
        match raw.get().as_bytes().first()? {
            b'"' => serde_json::from_str::<String>(raw.get()).ok().map(|text| Self::Text(text.into())),
            _ => serde_json::from_str(raw.get()).ok().map(Self::Uint),
        }
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An id as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Asked {
    /// Its type is known.
    Exactly(DocId),
    /// A string of digits, which may mean an integer: paths have no types, and published clients send every id as a
    /// string. The namespace's own ids decide.
    Digits(u64),
}

impl Asked {
    /// The id as JSON text, as it was asked for.
    pub fn json(&self) -> String {
        match self {
            Self::Exactly(id) => id.json(),
            Self::Digits(number) => format!("\"{number}\""),
        }
    }

    /// The cache's key.
    pub fn key(&self) -> Key {
        match self {
            Self::Exactly(id) => id.key(),
            Self::Digits(number) => Key::uint(*number),
        }
    }

    /// The ids that may be meant.
    pub fn candidates(&self) -> impl Iterator<Item = DocId> + use<> {
        let (first, second) = match self {
            Self::Exactly(id) => (id.clone(), None),
            Self::Digits(number) => (DocId::Uint(*number), Some(DocId::Text(number.to_string().into()))),
        };
        std::iter::once(first).chain(second)
    }
}

/// What a caller says of the type of its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdType {
    /// Integers.
    Uint,
    /// UUIDs.
    Uuid,
    /// Strings, whatever they look like.
    Text,
}

impl IdType {
    /// Reads the parameter `id_type`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] where it is none of them.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "uint" => Ok(Self::Uint),
            "uuid" => Ok(Self::Uuid),
            "string" => Ok(Self::Text),
            _ => Err(Refusal::Invalid("id_type: must be uint, uuid or string".to_owned())),
        }
    }
}

/// Reads an id that came as text; `field` is its name in errors.
///
/// # Errors
/// [`Refusal::Invalid`] where it is no id of that type.
pub fn from_text(text: &str, id_type: Option<IdType>, field: impl Fn() -> String) -> Result<Asked, Refusal> {
    let invalid = |accepts: &str| Refusal::Invalid(format!("{}: {accepts}", field()));
    if text.len() > TEXT_BYTES_MAX {
        return Err(invalid(ACCEPTS));
    }
    let number = canonical(text);
    let exact = || Asked::Exactly(DocId::Text(text.into()));
    match (id_type, number) {
        (Some(IdType::Uint), Some(number)) => Ok(Asked::Exactly(DocId::Uint(number))),
        (Some(IdType::Uint), None) => Err(invalid("must be an unsigned 64-bit integer without leading zeros")),
        (Some(IdType::Uuid), _) if Uuid::try_parse(text).is_err() => Err(invalid("must be a UUID")),
        (None, Some(number)) => Ok(Asked::Digits(number)),
        _ => Ok(exact()),
    }
}

/// Reads an id of a JSON body; `field` is its name in errors.
///
/// # Errors
/// [`Refusal::Invalid`] where it is no id.
pub fn from_json(raw: &RawValue, id_type: Option<IdType>, field: impl Fn() -> String) -> Result<Asked, Refusal> {
    let invalid = |accepts: &str| Refusal::Invalid(format!("{}: {accepts}", field()));
    match DocId::of_row(raw) {
        Some(DocId::Text(text)) => from_text(&text, id_type, field),
        Some(DocId::Uint(_)) if id_type.is_some_and(|id_type| id_type != IdType::Uint) => {
            Err(invalid("is an integer, and id_type says another type"))
        }
        Some(id) => Ok(Asked::Exactly(id)),
        None => Err(invalid(ACCEPTS)),
    }
}

/// The integer that `text` is the usual spelling of.
fn canonical(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (text.len() == 1 || !text.starts_with(['0', '+'])).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, id_type: Option<IdType>) -> Result<Asked, String> {
        from_text(text, id_type, || "id".to_owned()).map_err(|refusal| refusal.to_string())
    }

    fn exactly(text: &str) -> Result<Asked, String> {
        Ok(Asked::Exactly(DocId::Text(text.into())))
    }

    #[test]
    fn only_the_usual_spelling_of_a_number_may_mean_one() {
        assert_eq!(text("0", None), Ok(Asked::Digits(0)));
        assert_eq!(text("18446744073709551615", None), Ok(Asked::Digits(u64::MAX)));
        for other in ["007", "+7", "-7", "7.0", " 7", "", "18446744073709551616", "٧"] {
            assert_eq!(text(other, None), exactly(other), "{other}");
            assert!(text(other, Some(IdType::Uint)).is_err(), "{other}");
        }
        assert_eq!(text("7", Some(IdType::Text)), exactly("7"));
        assert_eq!(text("7", Some(IdType::Uint)), Ok(Asked::Exactly(DocId::Uint(7))));
    }

    #[test]
    fn a_uuid_must_be_one_and_no_id_is_too_long() {
        assert!(text("x", Some(IdType::Uuid)).unwrap_err().starts_with("id: must be a UUID"));
        let uuid = "67E55044-10B1-426F-9247-BB680E5FE0C8";
        assert_eq!(text(uuid, Some(IdType::Uuid)), exactly(uuid));
        assert!(text(&"x".repeat(65), None).unwrap_err().contains("64 bytes"));
        assert!(text(&"x".repeat(64), None).is_ok());
    }

    #[test]
    fn json_ids_keep_their_type_and_their_digits() {
        let read = |json: &str| {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            from_json(&raw, None, || "ids[3]".to_owned()).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(read("18446744073709551615"), Ok(Asked::Exactly(DocId::Uint(u64::MAX))));
        assert_eq!(read(r#""\u0061""#), exactly("a"));
        assert_eq!(read(r#""12""#), Ok(Asked::Digits(12)));
        for bad in ["-1", "1.5", "null", "true", "[]", "{}", "1e3", "18446744073709551616"] {
            assert!(read(bad).unwrap_err().starts_with("ids[3]: "), "{bad}");
        }
    }

    #[test]
    fn only_uuids_have_several_spellings() {
        let id = |text: &str| DocId::Text(text.into());
        let (upper, lower) = (id("67E55044-10B1-426F-9247-BB680E5FE0C8"), id("67e55044-10b1-426f-9247-bb680e5fe0c8"));
        assert!(upper.is(&lower) && upper != lower);
        assert!(!id("007").is(&id("7")) && !id("7").is(&DocId::Uint(7)));
        assert_eq!((id("7").class(), upper.class(), DocId::Uint(7).class()), (Class::Text, Class::Uuid, Class::Uint));
    }
}
