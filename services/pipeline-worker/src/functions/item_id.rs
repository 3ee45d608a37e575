//! The id of a row's item: canonical text that operators can read in a list of dead letters.
//!
//! `namespace#7` is the row with the integer id 7, `namespace/7` the one with the text "7". A namespace's name has neither
//! character, so the first of them divides. Control characters, `%` and U+10FFFF, which items may not have, are
//! written as in a URL.

use layer_proto::types::v1::{Id, id::Kind};
use percent_encoding::percent_decode_str;

/// The item of a row. `None` for an id without a value.
pub(crate) fn item_of(namespace: &str, id: &Id) -> Option<String> {
    Some(match id.kind.as_ref()? {
        Kind::UintValue(number) => format!("{namespace}#{number}"),
        Kind::StringValue(text) => format!("{namespace}/{}", escaped(text)),
    })
}

/// The row of an item: its namespace and id.
pub(crate) fn row_of(item: &str) -> Option<(&str, Id)> {
    let at = item.find(['#', '/'])?;
    let (namespace, id) = (&item[..at], &item[at + 1..]);
    let kind = if item.as_bytes()[at] == b'#' {
        Kind::UintValue(id.parse().ok()?)
    } else {
        Kind::StringValue(percent_decode_str(id).decode_utf8().ok()?.into_owned())
    };
    Some((namespace, Id { kind: Some(kind) }))
}

/// The integer that a text spells as the origin would write it, if it is one. Clients over HTTP know ids as text only.
pub(crate) fn as_integer(id: &Id) -> Option<Id> {
    let Some(Kind::StringValue(text)) = &id.kind else { return None };
    let number: u64 = text.parse().ok()?;
    (number.to_string() == *text).then_some(Id { kind: Some(Kind::UintValue(number)) })
}

/// What is the same for all spellings of a UUID, and for other ids the id itself: the origin answers its own spelling.
pub(crate) fn spelled_alike(id: &Id) -> Id {
    match &id.kind {
        Some(Kind::StringValue(text)) => match uuid::Uuid::try_parse(text) {
            Ok(uuid) => Id { kind: Some(Kind::StringValue(uuid.to_string())) },
            Err(_) => id.clone(),
        },
        _ => id.clone(),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut bytes = [0; 4];
    for c in text.chars() {
        if c == '%' || c == char::MAX || c.is_control() {
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Id {
        Id { kind: Some(Kind::StringValue(text.to_owned())) }
    }

    fn number(number: u64) -> Id {
        Id { kind: Some(Kind::UintValue(number)) }
    }

    #[test]
    fn every_row_has_an_item_of_its_own_and_back() {
        let long = "\u{85}".repeat(32);
        let ids = ["", "1", "a/b#c", "50%", "%2F", "\u{0}\n", "é\u{10ffff}", long.as_str()];
        for id in ids.map(text).into_iter().chain([0, 1, u64::MAX].map(number)) {
            let item = item_of("name-space_1.2", &id).unwrap();
            assert_eq!(row_of(&item), Some(("name-space_1.2", id)), "{item}");
            assert!(!item.chars().any(|c| c.is_control() || c == char::MAX), "{item:?}");
        }
        assert_ne!(item_of("n", &text("1")), item_of("n", &number(1)));
        assert_eq!(item_of("n", &Id { kind: None }), None);
    }

    #[test]
    fn the_longest_item_fits() {
        let longest = item_of(&"n".repeat(128), &text(&"%".repeat(64))).unwrap();
        assert!(longest.len() <= 512, "{}", longest.len());
    }

    #[test]
    fn what_is_no_item_is_no_row() {
        assert_eq!((row_of("none"), row_of("n#x"), row_of("n/%FF")), (None, None, None));
    }

    #[test]
    fn only_what_the_origin_would_write_is_an_integer() {
        assert_eq!(as_integer(&text("18446744073709551615")), Some(number(u64::MAX)));
        for other in ["", "01", "+1", "-1", "1.0", "18446744073709551616", "a"] {
            assert_eq!(as_integer(&text(other)), None, "{other}");
        }
        assert_eq!(as_integer(&number(1)), None);
    }

    #[test]
    fn spellings_of_a_uuid_are_alike() {
        let plain = "00000000-0000-0000-0000-00000000abcd";
        for spelling in ["00000000-0000-0000-0000-00000000ABCD", "0000000000000000000000000000abcd"] {
            assert_eq!(spelled_alike(&text(spelling)), text(plain));
        }
        assert_eq!(spelled_alike(&text("A")), text("A"));
    }
}
