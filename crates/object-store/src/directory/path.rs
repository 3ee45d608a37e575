//! From keys to paths and back.
//!
//! A key's parts between slashes become directories and a file. Every byte but `a-z 0-9 _ - = .` is written `%xx`, so that
//! keys that differ in case or in Unicode form stay apart on file systems that would mix them, and a leading dot too, so
//! that no part is `.`, `..` or one of the store's own names. A directory's name ends in `+`, so that `a` and `a/b` can
//! both be objects. A part that is too long for a file's name goes on in a directory whose name ends in `~`.

use std::path::{Path, PathBuf};

/// Longest file name, with room for the mark; file systems take 255 bytes.
const NAME_BYTES_MAX: usize = 240;
/// Marks the directory of a part.
const PART: char = '+';
/// Marks the directory in which a long part goes on.
const LONG: char = '~';

/// Where `key` is kept below `root`.
pub(super) fn of_key(root: &Path, key: &str) -> PathBuf {
    let mut path = root.to_owned();
    let mut parts = key.split('/').peekable();
    while let Some(part) = parts.next() {
        let mut name = push_long(&mut path, part);
        if parts.peek().is_some() {
            name.push(PART);
        }
        path.push(name);
    }
    path
}

/// Pushes all but the last piece of a part, and gives that.
fn push_long(path: &mut PathBuf, part: &str) -> String {
    let mut name = String::new();
    for (at, byte) in part.bytes().enumerate() {
        let piece = encoded(at == 0, byte);
        if name.len() + piece.len() > NAME_BYTES_MAX {
            name.push(LONG);
            path.push(std::mem::take(&mut name));
        }
        name.push_str(&piece);
    }
    name
}

fn encoded(first: bool, byte: u8) -> String {
    match byte {
        b'.' if first => "%2e".to_owned(),
        b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'=' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    }
}

/// What a name in a directory of the store is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// An object: the last bytes of its key.
    Object(Vec<u8>),
    /// A part of keys that go on behind a slash.
    Part(Vec<u8>),
    /// The beginning of a long part.
    Long(Vec<u8>),
}

/// What `name` is, or `None` where the store did not write it.
pub(super) fn entry(name: &str) -> Option<Entry> {
    if let Some(part) = name.strip_suffix(PART) {
        return decoded(part).map(Entry::Part);
    }
    match name.strip_suffix(LONG) {
        Some(part) => decoded(part).map(Entry::Long),
        None => decoded(name).map(Entry::Object),
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = match first {
            b'%' => {
                let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok())?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                behind.get(2..)?
            }
            b'.' if bytes.is_empty() && rest.len() == text.len() => return None,
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'=' | b'.' => {
                bytes.push(*first);
                behind
            }
            _ => return None,
        };
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relative(key: &str) -> String {
        of_key(Path::new(""), key).to_str().expect("names are ASCII").to_owned()
    }

    #[test]
    fn keys_become_paths_that_nothing_mixes_up() {
        assert_eq!(relative("blobs/ns/ab.bin"), "blobs+/ns+/ab.bin");
        assert_eq!(relative("A/../b"), "%41+/%2e.+/b");
        assert_eq!(relative("ä+~%"), "%c3%a4%2b%7e%25");
        assert_eq!(relative(".tmp"), "%2etmp");
    }

    #[test]
    fn long_parts_go_on_and_every_name_fits() {
        for key in ["x".repeat(1024), "ä".repeat(512), format!("{}/{}", "y".repeat(500), "Z".repeat(500))] {
            let path = relative(&key);
            assert!(path.split('/').all(|name| name.len() <= 255), "{path}");
            let mut bytes = Vec::new();
            for name in path.split('/') {
                match entry(name).expect("own names are read") {
                    Entry::Object(part) | Entry::Long(part) => bytes.extend(part),
                    Entry::Part(part) => bytes.extend(part.into_iter().chain([b'/'])),
                }
            }
            assert_eq!(bytes, key.as_bytes());
        }
    }

    #[test]
    fn names_that_the_store_did_not_write_are_none() {
        for name in [".tmp", "%2", "%zz", "A", "a b", "..", "lost+found "] {
            assert_eq!(entry(name), None, "{name}");
        }
    }
}
