//! Which keys an object may have: those that every S3 server and every file system keeps apart.

use crate::Error;

/// S3's own limit, in bytes of UTF-8.
const BYTES_MAX: usize = 1024;

/// Checks a key: 1 to 1,024 bytes of UTF-8 without control characters and backslashes, whose parts between slashes are
/// neither empty nor `.` nor `..`. Servers that keep objects in files refuse those too, or worse, normalise them.
///
/// # Errors
/// [`Error::Key`] that says what is wrong.
pub(crate) fn check(key: &str) -> Result<(), Error> {
    check_text(key)?;
    let wrong = |part: &str| matches!(part, "" | "." | "..");
    match key.split('/').any(wrong) {
        true => Err(Error::Key("its parts between slashes must not be empty, `.` or `..`")),
        false => Ok(()),
    }
}

/// Checks a prefix for listing, which may be empty and may end anywhere in a key.
///
/// # Errors
/// [`Error::Key`] that says what is wrong.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), Error> {
    if prefix.is_empty() { Ok(()) } else { check_text(prefix) }
}

fn check_text(key: &str) -> Result<(), Error> {
    match key {
        "" => Err(Error::Key("must not be empty")),
        _ if key.len() > BYTES_MAX => Err(Error::Key("must be no longer than 1024 bytes")),
        _ if key.contains('\\') => Err(Error::Key("must hold no backslash")),
        _ if key.chars().any(char::is_control) => Err(Error::Key("must hold no control characters")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_servers_would_confuse_are_refused() {
        for good in ["a", "a/b.c", "ä/…/日本", "a b+c%2F~", "..a", &"x".repeat(1024)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", ".", "a/../b", "a/./b", "a\0", "a\nb", "a\\b", &"x".repeat(1025)] {
            assert!(matches!(check(bad), Err(Error::Key(_))), "{bad:?}");
        }
        assert!(check_prefix("").is_ok() && check_prefix("a/").is_ok() && check_prefix("a\n").is_err());
    }
}
