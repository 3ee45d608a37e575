//! The names that belong to Layer, and the reading of JSON strings well enough to recognise a name.
//!
//! A name can be spelled with escapes (`"\u005fhevlayer_x"` is `_hevlayer_x` to the origin), so every comparison is
//! made on the decoded text. Decoding never fails: what no JSON parser accepts is kept as it stands, since the origin
//! refuses the body anyway, and half a surrogate pair becomes U+FFFD, so that it cannot hide the prefix before it.

use std::borrow::Cow;

/// The attribute that holds the time of a row's last write through Layer: integer, milliseconds since the Unix epoch.
pub const UPSERTED_AT: &str = "_hevlayer_upserted_at";

/// Every attribute name with this prefix belongs to Layer.
pub const RESERVED_PREFIX: &str = "_hevlayer_";

/// The attributes that Layer writes into rows and that a query for "all attributes" must not show.
pub const RESERVED_ATTRIBUTES: &[&str] = &[UPSERTED_AT];

/// How much of a key or of a compared value is looked at, in bytes as spelled in the body.
///
/// The longest name of interest has 25 characters; spelled wholly in escapes it takes 6 bytes a character. Whatever is
/// longer than this limit cannot be one of them, and whether it starts with the prefix is known by then.
pub(crate) const TEXT_LIMIT: usize = 1024;

/// The decoded text of a JSON string, given the bytes between its quotes.
pub(crate) fn decode(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', raw) else {
        return Cow::Borrowed(raw);
    };
    let mut text = Vec::with_capacity(raw.len());
    text.extend_from_slice(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(&byte) = rest.first() {
        let taken = if byte == b'\\' {
            escape(rest, &mut text)
        } else {
            text.push(byte);
            1
        };
        rest = &rest[taken..];
    }
    Cow::Owned(text)
}

/// Decodes the escape at the start of `rest`; returns how many bytes it took.
fn escape(rest: &[u8], text: &mut Vec<u8>) -> usize {
    let plain = match rest.get(1) {
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
        Some(b'u') => return unicode_escape(rest, text),
        _ => {
            text.push(b'\\');
            return 1;
        }
    };
    text.push(plain);
    2
}

/// Decodes `\uXXXX`, with its low surrogate if it is the first half of a pair.
fn unicode_escape(rest: &[u8], text: &mut Vec<u8>) -> usize {
    let Some(high) = hex4(rest) else {
        text.push(b'\\');
        return 1;
    };
    let low = hex4(&rest[6..]).filter(|low| (0xdc00..0xe000).contains(low));
    let (scalar, taken) = match (high, low) {
        (0xd800..=0xdbff, Some(low)) => (0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12),
        _ => (high, 6),
    };
    let character = char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER);
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    taken
}

/// The value of the `\uXXXX` that `bytes` starts with, if it does.
fn hex4(bytes: &[u8]) -> Option<u32> {
    if bytes.len() < 6 || &bytes[..2] != b"\\u" {
        return None;
    }
    bytes[2..6].iter().try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}

/// A decoded key for a message: text, cut to a length that no real attribute name reaches.
pub(crate) fn display(key: &[u8]) -> String {
    const LONGEST: usize = 128;
    String::from_utf8_lossy(&key[..key.len().min(LONGEST)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_every_spelling_of_a_name() {
        for spelled in [r"_hevlayer_x", r"\u005fhevlayer_x", r"\u005Fhev\u006cayer_\u0078"] {
            assert_eq!(&*decode(spelled.as_bytes()), b"_hevlayer_x", "{spelled}");
        }
        assert_eq!(&*decode(br#"\"\\\/\b\f\n\r\t"#), b"\"\\/\x08\x0c\n\r\t");
        assert_eq!(&*decode(br"\ud83d\ude00!"), "\u{1f600}!".as_bytes());
        assert_eq!(&*decode(br"\ud800\udc00\udbff\udfff"), "\u{10000}\u{10ffff}".as_bytes());
    }

    #[test]
    fn agrees_with_serde_json_on_every_escape_of_the_basic_plane() {
        for unit in 0..=0xffff_u32 {
            let quoted = format!("\"a\\u{unit:04x}b\"");
            if let Ok(expected) = serde_json::from_str::<String>(&quoted) {
                let raw = &quoted.as_bytes()[1..quoted.len() - 1];
                assert_eq!(&*decode(raw), expected.as_bytes(), "{quoted}");
            }
        }
    }

    #[test]
    fn what_no_parser_accepts_cannot_hide_the_prefix() {
        for broken in [r"_hevlayer_\q", r"_hevlayer_\ud800", r"_hevlayer_\u12", r"_hevlayer_\"] {
            let decoded = decode(broken.as_bytes());
            assert!(decoded.starts_with(RESERVED_PREFIX.as_bytes()), "{broken}");
        }
        assert!(decode(b"\\u005fhevlayer_\xff").starts_with(RESERVED_PREFIX.as_bytes()));
        assert_eq!(&*decode(br"\ud800\ud800"), "\u{fffd}\u{fffd}".as_bytes());
    }

    #[test]
    fn long_keys_are_cut_for_messages() {
        assert_eq!(display(&[b'a'; 500]).len(), 128);
    }
}
