//! Calls of the pipeline service, and what their errors mean to a worker.

use std::{path::Path, time::Duration};

use http::header::AUTHORIZATION;
use layer_proto::pipeline::v1::{
    Chunk, ClaimRequest, ClaimedDocument, CompleteRequest, CompletedDocument, DocumentGuard, DocumentResult,
    DocumentRows, DocumentStatus, FailRequest, FailedDocument, GetChunksRequest, HeartbeatRequest, PutRowsRequest,
    ReleaseRequest, pipeline_service_client::PipelineServiceClient,
};
use layer_service::config::{ConfigError, Secret};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use tonic_types::StatusExt as _;

use super::settings::WorkSettings;

/// The largest message that is read: a chunk, or the pieces of a document.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// Time to connect.
const CONNECT: Duration = Duration::from_secs(2);
/// The connection is tried when nothing was heard for so long.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The service, or what it needs, is away, or does not let us in: it may be back.
    Away,
    /// This call will never do.
    Never,
    /// The document, or the pipeline, is not ours any more.
    Gone,
}

/// What an error of the service means.
pub(super) fn meaning(status: &Status) -> Meaning {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    match (reason.as_str(), status.code()) {
        ("STALE_VERSION" | "DOCUMENT_NOT_FOUND" | "PIPELINE_NOT_FOUND", _) => Meaning::Gone,
        // Operators repair the keys.
        ("ROUTER_REFUSED", _) => Meaning::Away,
        (_, Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange | Code::NotFound) => Meaning::Never,
        (_, Code::AlreadyExists | Code::DataLoss | Code::Unimplemented) => Meaning::Never,
        _ => Meaning::Away,
    }
}

/// What a document is held by.
pub(super) fn guard(document: &ClaimedDocument) -> DocumentGuard {
    DocumentGuard { document_id: document.document_id.clone(), token: document.token, version: document.version }
}

/// Whether a document took what was said of it.
pub(super) fn is_done(result: &DocumentResult) -> bool {
    result.status == i32::from(DocumentStatus::Done)
}

/// A client of one pipeline.
#[derive(Clone)]
pub(super) struct Client {
    service: PipelineServiceClient<Channel>,
    key: Option<MetadataValue<Ascii>>,
    pipeline_id: String,
    worker_id: String,
    timeout: Duration,
    claim: ClaimRequest,
    input_stage: String,
    lease_ms: u64,
}

impl Client {
    /// A client that connects when it is first used.
    pub(super) fn new(settings: &WorkSettings) -> Result<Self, ConfigError> {
        let service = PipelineServiceClient::new(endpoint(settings)?.connect_lazy())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
            .max_encoding_message_size(usize::MAX);
        let worker_id = match settings.worker_id.as_str() {
            "" => format!("layer-{}-{:08x}", std::process::id(), fastrand::u32(..)),
            named => named.to_owned(),
        };
        let claim = ClaimRequest {
            pipeline_id: settings.pipeline.clone(),
            stage: settings.stage.clone(),
            claim_stage: settings.claim_stage.clone(),
            worker_id: worker_id.clone(),
            lease_ms: settings.lease_ms,
            wait_ms: settings.wait_ms,
            ..ClaimRequest::default()
        };
        Ok(Self {
            service,
            key: settings.api_key.as_ref().map(bearer).transpose()?,
            pipeline_id: settings.pipeline.clone(),
            worker_id,
            timeout: Duration::from_millis(settings.timeout_ms),
            claim,
            input_stage: settings.input_stage.clone(),
            lease_ms: settings.lease_ms,
        })
    }

    pub(super) fn worker_id(&self) -> &str {
        &self.worker_id
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        if let Some(key) = &self.key {
            request.metadata_mut().insert(AUTHORIZATION.as_str(), key.clone());
        }
        request
    }

    /// Takes documents, `limit` at the most. It waits for them as long as the settings say.
    pub(super) async fn claim(&self, limit: u32) -> Result<Vec<ClaimedDocument>, Status> {
        let claim = ClaimRequest { limit, ..self.claim.clone() };
        let answer = self.service.clone().claim(self.request(claim)).await?;
        Ok(answer.into_inner().documents)
    }

    /// The chunks that a document's work begins with.
    pub(super) async fn chunks(&self, document: &ClaimedDocument) -> Result<Vec<Chunk>, Status> {
        let request = self.request(GetChunksRequest {
            pipeline_id: self.pipeline_id.clone(),
            document_id: document.document_id.clone(),
            stage: self.input_stage.clone(),
            version: document.version,
        });
        let mut pieces = self.service.clone().get_chunks(request).await?.into_inner();
        let mut chunks = Vec::new();
        while let Some(piece) = pieces.message().await? {
            chunks.extend(piece.chunks);
        }
        Ok(chunks)
    }

    /// Extends leases.
    pub(super) async fn heartbeat(&self, documents: Vec<DocumentGuard>) -> Result<Vec<DocumentResult>, Status> {
        let (pipeline_id, lease_ms) = (self.pipeline_id.clone(), self.lease_ms);
        let beat = HeartbeatRequest { pipeline_id, documents, holder: None, lease_ms };
        Ok(self.service.clone().heartbeat(self.request(beat)).await?.into_inner().results)
    }

    /// Returns documents.
    pub(super) async fn release(&self, documents: Vec<DocumentGuard>) -> Result<Vec<DocumentResult>, Status> {
        let release = ReleaseRequest { pipeline_id: self.pipeline_id.clone(), documents, holder: None };
        Ok(self.service.clone().release(self.request(release)).await?.into_inner().results)
    }

    /// Says that documents failed.
    pub(super) async fn fail(&self, documents: Vec<FailedDocument>) -> Result<Vec<DocumentResult>, Status> {
        let fail = FailRequest { pipeline_id: self.pipeline_id.clone(), documents, holder: None };
        Ok(self.service.clone().fail(self.request(fail)).await?.into_inner().results)
    }

    /// Says that documents are done with the stage, and what it put out.
    pub(super) async fn complete(
        &self,
        documents: Vec<CompletedDocument>,
        to_stage: &str,
    ) -> Result<Vec<DocumentResult>, Status> {
        let (pipeline_id, to_stage) = (self.pipeline_id.clone(), to_stage.to_owned());
        let complete = CompleteRequest { pipeline_id, documents, holder: None, to_stage };
        Ok(self.service.clone().complete(self.request(complete)).await?.into_inner().results)
    }

    /// Writes rows.
    pub(super) async fn put_rows(&self, documents: Vec<DocumentRows>) -> Result<Vec<DocumentResult>, Status> {
        let rows = PutRowsRequest { pipeline_id: self.pipeline_id.clone(), documents, holder: None };
        Ok(self.service.clone().put_rows(self.request(rows)).await?.into_inner().results)
    }
}

fn bearer(key: &Secret) -> Result<MetadataValue<Ascii>, ConfigError> {
    let value = MetadataValue::try_from(format!("Bearer {}", key.reveal()));
    let mut value = value.map_err(|_| ConfigError::invalid("api_key", "has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn endpoint(settings: &WorkSettings) -> Result<Endpoint, ConfigError> {
    let wrong = |error: tonic::transport::Error| ConfigError::invalid("url", error.to_string());
    let endpoint = Endpoint::from_shared(settings.url.clone()).map_err(wrong)?;
    let endpoint = endpoint
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true);
    if !settings.url.starts_with("https://") {
        return Ok(endpoint);
    }
    let tls = match &settings.ca_file {
        Some(file) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authorities(file)?)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    endpoint.tls_config(tls).map_err(wrong)
}

fn authorities(file: &Path) -> Result<Vec<u8>, ConfigError> {
    // It refuses a file that holds no certificate, which tonic would take as no authority at all.
    layer_service::tls::client("ca_file", Some(file), &[])?;
    std::fs::read(file).map_err(|error| ConfigError::invalid("ca_file", format!("{}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn status(code: Code, reason: &str) -> Status {
        Status::with_error_details(code, "", ErrorDetails::with_error_info(reason, "layer", []))
    }

    #[test]
    fn errors_mean_what_the_contract_says() {
        assert_eq!(meaning(&status(Code::Aborted, "STALE_VERSION")), Meaning::Gone);
        assert_eq!(meaning(&status(Code::NotFound, "PIPELINE_NOT_FOUND")), Meaning::Gone);
        assert_eq!(meaning(&status(Code::Aborted, "BODY_EXPIRED")), Meaning::Away);
        assert_eq!(meaning(&status(Code::FailedPrecondition, "ROUTER_REFUSED")), Meaning::Away);
        assert_eq!(meaning(&status(Code::Unavailable, "STATE_UNAVAILABLE")), Meaning::Away);
        assert_eq!(meaning(&status(Code::InvalidArgument, "ORIGIN_ERROR")), Meaning::Never);
        assert_eq!(meaning(&status(Code::DataLoss, "BODY_LOST")), Meaning::Never);
        assert_eq!(meaning(&Status::unauthenticated("")), Meaning::Away);
    }
}
