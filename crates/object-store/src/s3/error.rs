//! The SDK's errors as ours.

use std::{error::Error as StdError, time::Duration};

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::{Condition, Error};

/// The time limits that errors name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) operation: Duration,
    pub(super) stall: Duration,
}

impl Limits {
    pub(super) fn error<E>(self, error: SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        match &error {
            SdkError::TimeoutError(_) => Error::Timeout { limit: self.operation },
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Error::Timeout { limit: self.operation },
            SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => Error::Unavailable(chain(&error)),
            SdkError::ServiceError(answer) => answered(answer.raw().status().as_u16(), answer.err().code()),
            _ => Error::Refused(chain(&error)),
        }
    }
}

/// What an answer of `status` with the protocol's error `code` means.
fn answered(status: u16, code: Option<&str>) -> Error {
    let said = format!("{status} {}", code.unwrap_or_default()).trim_end().to_owned();
    match (status, code) {
        (404, Some("NoSuchBucket")) => Error::Refused(said),
        (404, _) => Error::NotFound,
        (409, Some("ConditionalRequestConflict" | "OperationAborted")) | (412, _) => Error::Precondition,
        (416, _) => Error::Range { size: 0 },
        (401 | 403, _) => Error::Denied(said),
        (408 | 429 | 500.., _) => Error::Unavailable(said),
        _ => Error::Refused(said),
    }
}

/// An error with its causes, outermost first. The SDK's texts hold no keys of objects and no secrets.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

impl Error {
    /// The error of a put: S3 answers 404 to `If-Match` where there is no object.
    pub(super) fn of_put(self, condition: Condition<'_>) -> Self {
        match (self, condition) {
            (Self::NotFound, Condition::Matches(_)) => Self::Precondition,
            (other, _) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        assert!(matches!(answered(404, Some("NoSuchKey")), Error::NotFound));
        assert!(matches!(answered(404, Some("NoSuchBucket")), Error::Refused(_)));
        assert!(matches!(answered(412, None), Error::Precondition));
        assert!(matches!(answered(409, Some("ConditionalRequestConflict")), Error::Precondition));
        assert!(matches!(answered(403, Some("SignatureDoesNotMatch")), Error::Denied(_)));
        for status in [429, 500, 503] {
            assert!(answered(status, None).is_transient(), "{status}");
        }
        assert!(matches!(Error::NotFound.of_put(Condition::Matches("e")), Error::Precondition));
        assert!(matches!(Error::NotFound.of_put(Condition::Always), Error::NotFound));
        assert!(!answered(400, None).is_transient() && !answered(403, None).is_transient());
    }
}
