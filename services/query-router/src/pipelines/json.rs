//! Bodies and queries: read strictly where a caller's mistake would be silent, leniently where published clients are.
//!
//! Members that are not known are ignored, as the published models allow any; a member that is known and wrong is refused
//! with its path. Null is the same as absent.

use std::fmt::Display;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, de::DeserializeOwned};

use crate::refusal::Refusal;

/// A count or a time in a body: one that is 0 would mean the default in the contract, so it is refused.
pub(crate) type Number = Option<std::num::NonZeroU64>;

/// What a worker says of a failure: whether trying again is of use.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Transient,
    Permanent,
}

impl Kind {
    /// The one of a contract's two words that it is.
    pub(crate) fn of<T>(self, transient: T, permanent: T) -> T {
        match self {
            Self::Transient => transient,
            Self::Permanent => permanent,
        }
    }
}

/// A refusal that names what is wrong.
pub(crate) fn refuse(field: impl Display, reason: impl Display) -> Refusal {
    Refusal::Invalid(format!("{field}: {reason}"))
}

/// Reads a body; an empty one is taken for an object without members.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.is_empty() { b"{}" } else { body };
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.into_inner());
        match path.as_str() {
            // Of the whole, or where it is no JSON.
            "." | "?" => refuse("body", error),
            path => refuse(path, error),
        }
    })?;
    json.end().map_err(|error| refuse("body", error))?;
    Ok(value)
}

/// A number that fits the contract's field; 0 where it is absent.
pub(crate) fn present<T: TryFrom<u64> + Default>(field: &str, number: Number) -> Result<T, Refusal> {
    let Some(number) = number else { return Ok(T::default()) };
    T::try_from(number.get()).map_err(|_| refuse(field, "is too large"))
}

/// An id out of a path.
pub(crate) fn decoded(field: &str, raw: &str) -> Result<String, Refusal> {
    let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| refuse(field, "must be UTF-8"))?;
    Ok(decoded.into_owned())
}

/// The value of `name` in a query string.
pub(crate) fn parameter(query: Option<&str>, name: &str) -> Result<Option<String>, Refusal> {
    let pairs = query.unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut found = pairs.filter(|(key, _)| *key == name);
    let Some((_, value)) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(refuse(name, "is given twice"));
    }
    decoded(name, &value.replace('+', " ")).map(Some)
}

/// A whole number from 1 in a query string; 0 where it is absent.
pub(crate) fn count<T: TryFrom<u64> + Default>(query: Option<&str>, name: &str) -> Result<T, Refusal> {
    let Some(text) = parameter(query, name)? else { return Ok(T::default()) };
    let number = text.parse::<u64>().ok().filter(|number| *number > 0).and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| refuse(name, "must be a whole number from 1"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Outer {
        inner: Vec<Inner>,
        limit: Number,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        id: String,
        more: Option<BTreeMap<String, Box<RawValue>>>,
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        for (body, named) in [
            ("{\"inner\":[{\"id\":1}]}", "inner[0].id: invalid type: integer `1`, expected a string"),
            ("{\"inner\":[{}]}", "inner[0]: missing field `id`"),
            ("{}", "body: missing field `inner`"),
            ("[]", "body: "),
            ("", "body: missing field `inner`"),
            ("{\"inner\":[],\"limit\":0}", "limit: invalid value: integer `0`"),
            ("{\"inner\":[],\"limit\":-1}", "limit: "),
            ("{\"inner\":[],\"limit\":1.5}", "limit: "),
            ("{\"inner\":[{\"id\":\"a\",\"more\":[]}]}", "inner[0].more: "),
            ("{\"inner\":[]} x", "body: trailing characters"),
            ("{\"inner\":[],\"inner\":[]}", "duplicate field `inner`"),
            ("{", "EOF"),
        ] {
            let refused = read::<Outer>(body.as_bytes()).expect_err(body).to_string();
            assert!(refused.contains(named), "{body}: {refused}");
        }
    }

    #[test]
    fn unknown_members_are_ignored_and_values_kept_to_the_digit() {
        let body = br#"{"new":1,"limit":null,"inner":[{"id":"a","new":[],"more":{"n":18446744073709551615 }}]}"#;
        let read: Outer = read(body).unwrap();
        assert!(read.limit.is_none() && read.inner[0].id == "a");
        assert_eq!(read.inner[0].more.as_ref().unwrap()["n"].get(), "18446744073709551615");
    }

    #[test]
    fn queries_are_read_by_name() {
        let query = Some("page_size=10&page_token=a%2Fb+c&x");
        assert_eq!(count::<u32>(query, "page_size").unwrap(), 10);
        assert_eq!(parameter(query, "page_token").unwrap().as_deref(), Some("a/b c"));
        assert_eq!((count::<u32>(None, "page_size").unwrap(), parameter(query, "y").unwrap()), (0, None));
        for wrong in ["page_size=0", "page_size=", "page_size=-1", "page_size=4294967296", "page_size=1&page_size=1"] {
            let refused = count::<u32>(Some(wrong), "page_size").expect_err(wrong).to_string();
            assert!(refused.starts_with("page_size: "), "{refused}");
        }
        assert!(parameter(Some("a=%ff"), "a").is_err());
    }
}
