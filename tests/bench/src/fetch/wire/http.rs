//! Answers over HTTP/1.1.

use anyhow::{Result, ensure};
use memchr::memmem;

use crate::http::{Body, parse_response};

use super::{Answered, Matching};

/// What the router says of a fetch that was served from the cache.
const HIT: &[u8] = b"x-layer-cache: hit\r\n";

/// The answer under way on one connection.
#[derive(Debug, Default)]
pub struct Reader {
    body: Option<Body>,
    hit: bool,
    matching: Matching,
}

impl Reader {
    pub(super) fn take(&mut self, input: &[u8], expected: &[u8]) -> Result<(usize, Option<Answered>)> {
        let mut used = 0;
        if self.body.is_none() {
            let Some(head) = parse_response(input)? else {
                return Ok((0, None));
            };
            ensure!(head.status == 200, "status {}", head.status);
            used = head.length;
            self.hit = memmem::find(&input[..used], HIT).is_some();
            self.body = Some(Body::new(head.framing));
        }
        let Some(body) = &mut self.body else {
            return Ok((used, None));
        };
        let matching = &mut self.matching;
        used += body.decode(&input[used..], &mut |data| matching.see(data, expected))?;
        Ok((used, if body.is_done() { Some(self.finish(expected)?) } else { None }))
    }

    fn finish(&mut self, expected: &[u8]) -> Result<Answered> {
        let Self { hit, matching, .. } = std::mem::take(self);
        if matching.is_whole(expected) { Ok(Answered { hit }) } else { Err(matching.wrong(expected)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_is_told_from_a_miss_and_a_wrong_body_is_an_error() {
        let wire = |cache: &str| format!("HTTP/1.1 200 OK\r\nx-layer-cache: {cache}\r\ncontent-length: 2\r\n\r\nab");
        let take = |wire: &str, expected: &[u8]| Reader::default().take(wire.as_bytes(), expected);
        assert_eq!(take(&wire("hit"), b"ab").unwrap().1, Some(Answered { hit: true }));
        assert_eq!(take(&wire("miss"), b"ab").unwrap().1, Some(Answered { hit: false }));
        assert_eq!(take(&wire("hit")[..10], b"ab").unwrap(), (0, None));
        assert!(take(&wire("hit"), b"ac").is_err());
        assert!(take(&wire("hit"), b"abc").is_err());
        assert!(take("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", b"").is_err());
    }
}
