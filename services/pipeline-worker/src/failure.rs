//! Every error of this service's calls, in one place: what went wrong becomes a status with google.rpc details.
//!
//! The reasons are listed for callers in `docs/grpc-errors.md`, each with what to do.

use std::{collections::HashMap, time::Duration};

use layer_object_store::Error as StoreError;
use layer_service::grpc::status;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    bodies::ReadError,
    router::RouterError,
    state::{Error as StateError, Kind},
};

/// When to try again what failed because a part is away.
const RETRY: Duration = Duration::from_secs(1);

/// Why a call fails as a whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The state store's error.
    #[error(transparent)]
    State(#[from] StateError),
    /// The object store's error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored body cannot be read.
    #[error(transparent)]
    Body(#[from] ReadError),
    /// The router's error, or the origin's.
    #[error(transparent)]
    Router(#[from] RouterError),
    /// Any other, as callers are told it.
    #[error("{0}")]
    Status(#[from] Status),
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::State(error) => state(&error),
            Failure::Store(error) | Failure::Body(ReadError::Store(error)) => store(&error),
            Failure::Body(ReadError::Damaged(what)) => {
                tracing::error!(what, "a stored body cannot be read");
                status::error(Code::DataLoss, "BODY_DAMAGED", format!("the stored body is damaged: {what}"))
            }
            Failure::Router(error) => router(&error),
            Failure::Status(status) => status,
        }
    }
}

fn state(error: &StateError) -> Status {
    let message = error.to_string();
    let named = |kind: &Kind, pipeline: &'static str, function: &'static str| match kind {
        Kind::Pipeline => pipeline,
        Kind::Function => function,
    };
    match error {
        StateError::Unavailable(reason) => {
            tracing::warn!(%reason, "the state store is not available");
            status::passing(Code::Unavailable, "STATE_UNAVAILABLE", "the state store is not available", RETRY)
        }
        StateError::QueueNotFound { kind, .. } => {
            status::error(Code::NotFound, named(kind, "PIPELINE_NOT_FOUND", "FUNCTION_NOT_FOUND"), message)
        }
        StateError::QueueExists { kind, .. } => {
            status::error(Code::AlreadyExists, named(kind, "PIPELINE_EXISTS", "FUNCTION_EXISTS"), message)
        }
        StateError::Invalid { field, reason } => status::invalid_field(*field, reason),
        StateError::BodyExpired => status::passing(Code::Aborted, "BODY_EXPIRED", message, Duration::ZERO),
        StateError::Broken(reason) => {
            tracing::error!(%reason, "the state store's answer makes no sense");
            status::error(Code::Internal, "STATE_BROKEN", "the state store's answer makes no sense")
        }
    }
}

fn store(error: &StoreError) -> Status {
    let message = error.to_string();
    match error {
        StoreError::NotFound => {
            tracing::error!("a body that the state names is not in the object store");
            status::error(Code::DataLoss, "BODY_LOST", "the stored body is gone")
        }
        StoreError::TooLarge { .. } => status::error(Code::InvalidArgument, "INVALID_ARGUMENT", message),
        StoreError::Key(_) | StoreError::Range { .. } | StoreError::Precondition => {
            tracing::error!(%error, "the object store refused a call that should be right");
            status::error(Code::Internal, "OBJECT_STORE_FAILED", message)
        }
        // Credentials and buckets are repaired by operators, and then the same call succeeds.
        _ => {
            tracing::warn!(%error, "the object store is not available");
            status::passing(Code::Unavailable, "OBJECT_STORE_UNAVAILABLE", message, RETRY)
        }
    }
}

fn router(error: &RouterError) -> Status {
    let message = error.to_string();
    match error {
        RouterError::Unavailable { retry, .. } => {
            status::passing(Code::Unavailable, "ROUTER_UNAVAILABLE", message, *retry)
        }
        RouterError::Origin { code, http_status, message } => {
            let status = http_status.iter().map(|status| ("http_status".to_owned(), status.to_string()));
            let details = ErrorDetails::with_error_info("ORIGIN_ERROR", "layer", status.collect::<HashMap<_, _>>());
            Status::with_error_details(*code, message, details)
        }
        RouterError::Refused { .. } => {
            tracing::error!(%error, "the query-router refuses this service: see router.api_key and router.internal_key");
            status::error(Code::FailedPrecondition, "ROUTER_REFUSED", message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(failure: impl Into<Failure>) -> (Code, String) {
        let status = Status::from(failure.into());
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.domain, "layer");
        (status.code(), info.reason)
    }

    #[test]
    fn every_part_that_is_away_is_named() {
        let text = || "x".to_owned();
        assert_eq!(told(StateError::Unavailable(text())), (Code::Unavailable, "STATE_UNAVAILABLE".to_owned()));
        assert_eq!(told(StoreError::Unavailable(text())), (Code::Unavailable, "OBJECT_STORE_UNAVAILABLE".to_owned()));
        assert_eq!(told(StoreError::Denied(text())), (Code::Unavailable, "OBJECT_STORE_UNAVAILABLE".to_owned()));
        let away = RouterError::Unavailable { reason: text(), retry: RETRY };
        assert_eq!(told(away), (Code::Unavailable, "ROUTER_UNAVAILABLE".to_owned()));
    }

    #[test]
    fn what_is_not_there_is_told_by_its_kind() {
        let name = || "p".to_owned();
        let pipeline = StateError::QueueNotFound { kind: Kind::Pipeline, name: name() };
        assert_eq!(told(pipeline), (Code::NotFound, "PIPELINE_NOT_FOUND".to_owned()));
        let function = StateError::QueueExists { kind: Kind::Function, name: name() };
        assert_eq!(told(function), (Code::AlreadyExists, "FUNCTION_EXISTS".to_owned()));
    }

    #[test]
    fn the_origins_own_error_keeps_its_status() {
        let error =
            RouterError::Origin { code: Code::InvalidArgument, http_status: Some(400), message: "no".to_owned() };
        let status = Status::from(Failure::from(error));
        assert_eq!(status.get_details_error_info().unwrap().metadata["http_status"], "400");
    }
}
