//! What an answer of the origin, or its absence, says of a write.
//!
//! Only what is certain closes a hold. A write that may still be under way, somewhere behind a proxy or in a queue, is of
//! unknown outcome, and its hold stays until it runs out. In doubt the outcome is unknown: that costs a cold key for a
//! minute, while a hold that was closed too early could leave an old row in the cache for an hour.

use http::StatusCode;

/// What is certain of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was not applied and will not be.
    Nothing,
    /// It was applied.
    Applied,
    /// It may be applied now, later, or not at all.
    Unknown,
}

impl Verdict {
    /// By the status that came back.
    ///
    /// - 2xx: applied, since Turbopuffer answers when a write is durable; but not 202, which promises it for later.
    /// - 4xx: refused as a whole, for a write is atomic. Not so 408 and 499, by which a proxy or server gives up waiting
    ///   while the write may go on, and 409, which says that something happened at the same time and not what. 429 is
    ///   certain: whoever counts rates refuses before it acts.
    /// - 5xx: a proxy's word (502, 503, 504) says nothing of what the origin did, and an origin that failed (500) may have
    ///   failed after its commit.
    /// - All else is not of this wire.
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            202 | 408 | 409 | 499 => Self::Unknown,
            200..=299 => Self::Applied,
            400..=499 => Self::Nothing,
            _ => Self::Unknown,
        }
    }

    /// By an error of the connection. `begun`: a part of the body may have left.
    pub fn of_error(error: &layer_origin::Error, begun: bool) -> Self {
        match error {
            layer_origin::Error::Broken(_) if begun => Self::Unknown,
            _ => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_is_certain_closes_a_hold() {
        let of = |code: u16| Verdict::of_status(StatusCode::from_u16(code).unwrap());
        for code in [200, 201, 204] {
            assert_eq!(of(code), Verdict::Applied, "{code}");
        }
        for code in [400, 401, 403, 404, 413, 415, 422, 429] {
            assert_eq!(of(code), Verdict::Nothing, "{code}");
        }
        for code in [100, 202, 301, 307, 408, 409, 499, 500, 502, 503, 504, 520, 599] {
            assert_eq!(of(code), Verdict::Unknown, "{code}");
        }
    }

    #[test]
    fn what_was_never_sent_changed_nothing() {
        let unsent = [
            layer_origin::Error::Saturated { limit: 1 },
            layer_origin::Error::ConnectTimeout { address: "x:1".to_owned(), limit: Duration::ZERO },
        ];
        for error in unsent {
            assert_eq!(Verdict::of_error(&error, false), Verdict::Nothing, "{error}");
        }
    }
}
