//! Bytes into characters: by the byte order mark, by the encoding that is declared, else as UTF-8, and never by a guess.

use encoding_rs::{Encoding, UTF_8};

use super::{ExtractError, Source};

/// How far into an HTML file its encoding may be declared, in bytes; the standard says 1024.
const DECLARED_WITHIN: usize = 1024;

/// The characters of a text file.
pub(super) fn text(source: &Source<'_>) -> Result<String, ExtractError> {
    decode(source.bytes, source.content_type.and_then(charset))
}

/// The characters of an HTML file.
pub(super) fn html(source: &Source<'_>) -> Result<String, ExtractError> {
    let declared = source.content_type.and_then(charset).or_else(|| meta_charset(source.bytes));
    decode(source.bytes, declared)
}

fn decode(bytes: &[u8], declared: Option<&'static Encoding>) -> Result<String, ExtractError> {
    let (encoding, mark) = Encoding::for_bom(bytes).unwrap_or((declared.unwrap_or(UTF_8), 0));
    let bytes = &bytes[mark..];
    let decoded = if encoding == UTF_8 {
        std::str::from_utf8(bytes).map_err(|error| wrong(encoding, mark + error.valid_up_to()))?.to_owned()
    } else {
        let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
        text.ok_or_else(|| wrong(encoding, 0))?.into_owned()
    };
    if decoded.contains('\0') { Err(ExtractError::Binary) } else { Ok(decoded) }
}

fn wrong(encoding: &'static Encoding, offset: usize) -> ExtractError {
    ExtractError::Encoding { encoding: encoding.name(), offset }
}

/// The encoding that a content type names.
fn charset(content_type: &str) -> Option<&'static Encoding> {
    let parameters = content_type.split(';').skip(1);
    let value = parameters.filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })?;
    Encoding::for_label(value.as_bytes())
}

/// The encoding that an HTML file names at its beginning. UTF-16 cannot be meant by what was read as single bytes.
fn meta_charset(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARED_WITHIN)]).to_ascii_lowercase();
    let meta = head.split("<meta").skip(1).find_map(|tag| tag.split('>').next()?.split_once("charset="))?;
    let label = meta.1.trim_start_matches(['"', '\'', ' ']);
    let end = label.find(['"', '\'', ' ', '/', ';', '>']).unwrap_or(label.len());
    Encoding::for_label(&label.as_bytes()[..end]).map(Encoding::output_encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8], content_type: Option<&str>) -> Result<String, ExtractError> {
        text(&Source { bytes, content_type, name: None })
    }

    #[test]
    fn utf_8_with_and_without_a_mark() {
        assert_eq!(of("größe".as_bytes(), None).unwrap(), "größe");
        assert_eq!(of(b"\xef\xbb\xbfhi", None).unwrap(), "hi");
        assert_eq!(of(b"\xff\xfeh\0i\0", None).unwrap(), "hi");
    }

    #[test]
    fn what_does_not_belong_is_refused_and_never_replaced() {
        assert_eq!(of(b"ab\xe4", None), Err(ExtractError::Encoding { encoding: "UTF-8", offset: 2 }));
        assert_eq!(of(b"a\0b", None), Err(ExtractError::Binary));
    }

    #[test]
    fn a_declared_encoding_is_used() {
        assert_eq!(of(b"gr\xf6\xdfe", Some("text/plain; Charset=\"ISO-8859-1\"")).unwrap(), "größe");
        let page = b"<html><head><meta charset='windows-1252'></head>\x80";
        assert!(html(&Source { bytes: page, ..Source::default() }).unwrap().ends_with('€'));
    }
}
