//! Ids of chunks as they are given out: the client's own, and the version of what was staged.
//!
//! Published clients send neither token nor version. So the version is part of each id that they are given, and a vector
//! that comes under an older one is refused.

/// Between a chunk's own id and its version.
const MARK: char = '~';

/// `id` as it is given out.
pub(super) fn given_out(id: &str, version: i64) -> String {
    format!("{id}{MARK}{}", base36(version.unsigned_abs()))
}

/// The chunk's own id, and the version that it was given out with, if it was.
pub(super) fn read(id: &str) -> (&str, Option<i64>) {
    match id.rsplit_once(MARK) {
        Some((own, version)) if is_version(version) => {
            let version = i64::from_str_radix(version, 36).unwrap_or(i64::MAX);
            (own, Some(version))
        }
        _ => (id, None),
    }
}

/// Whether an id of a client's own could be taken for one that was given out.
pub(super) fn looks_given_out(id: &str) -> bool {
    read(id).1.is_some()
}

fn is_version(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        digits.extend(char::from_digit(digit, 36));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_are_read_as_they_were_given_out(id in "[a-z~/ä]{1,20}", version in 0..i64::MAX) {
            let out = given_out(&id, version);
            prop_assert_eq!(read(&out), (id.as_str(), Some(version)));
        }
    }

    #[test]
    fn a_clients_own_ids_are_told_apart() {
        for own in ["a", "a~", "a~B", "~x/", "a~1 ", "a~ä"] {
            assert_eq!(read(own), (own, None), "{own}");
            assert!(!looks_given_out(own));
        }
        assert!(looks_given_out("a~1") && looks_given_out("a~b~lz3k"));
        assert_eq!(read("a~zzzzzzzzzzzzzzzzzz"), ("a", Some(i64::MAX)), "no version is so large: it is stale");
    }
}
