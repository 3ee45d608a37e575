//! What a backend's failures become: statuses with google.rpc details.
//!
//! The reasons are listed for callers in `docs/grpc-errors.md`, each with what to do.

use layer_service::grpc::status;
use tonic::{Code, Status};

use crate::backend::BackendError;

/// The backend failed a call as a whole.
pub(super) fn backend(error: &BackendError) -> Status {
    let (code, reason) = match error {
        BackendError::StopWrites => (Code::ResourceExhausted, "STOP_WRITES"),
        BackendError::Unavailable(_) => (Code::Unavailable, "BACKEND_UNAVAILABLE"),
        BackendError::Timeout => (Code::DeadlineExceeded, "BACKEND_TIMEOUT"),
        BackendError::Failed(_) => (Code::Internal, "BACKEND_FAILED"),
    };
    status::error(code, reason, error.to_string())
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn every_failure_of_a_backend_has_its_reason() {
        let told = |error: BackendError| {
            let status = backend(&error);
            let info = status.get_details_error_info().unwrap();
            assert_eq!(info.domain, "layer");
            (status.code(), info.reason)
        };
        let text = || "x".to_owned();
        assert_eq!(told(BackendError::StopWrites), (Code::ResourceExhausted, "STOP_WRITES".to_owned()));
        assert_eq!(told(BackendError::Unavailable(text())), (Code::Unavailable, "BACKEND_UNAVAILABLE".to_owned()));
        assert_eq!(told(BackendError::Timeout), (Code::DeadlineExceeded, "BACKEND_TIMEOUT".to_owned()));
        assert_eq!(told(BackendError::Failed(text())), (Code::Internal, "BACKEND_FAILED".to_owned()));
    }
}
