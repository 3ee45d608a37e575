//! The queue as users get it: pipeline-worker over gRPC, with bodies in a directory.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use layer_proto::pipeline::v1::{
    Chunk, ClaimRequest, CompleteRequest, CompletedDocument, CreatePipelineRequest, DocumentGuard, DocumentStatus,
    PipelineSpec, StageDocumentsRequest, StagedDocument, pipeline_service_client::PipelineServiceClient,
};
use tonic::transport::{Channel, Endpoint};

use crate::process::{Process, free_address};

use super::drive::{Job, Queue};
use super::library::{LEASE_MS, PIPELINE};

/// What a document says: a page of text, no two lines the same.
const TEXT_BYTES: usize = 1_024;
/// Time for pipeline-worker to make its schema.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than any call of a run.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running pipeline-worker.
#[derive(Debug)]
pub(super) struct Worker {
    process: Process,
    address: SocketAddr,
}

impl Worker {
    /// Starts the program on the database at `url`.
    pub(super) fn start(program: &Path, directory: &Path, url: &str, more: &[String]) -> Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let flags = [
            format!("--listen-address={address}"),
            format!("--admin-address={admin}"),
            format!("--state-url={url}"),
            "--object-store-backend=directory".to_owned(),
            format!("--object-store-directory={}", directory.join("bodies").display()),
        ];
        let mut process = Process::start("pipeline-worker", program, &[&flags[..], more].concat(), directory)?;
        process.wait_until(|| TcpStream::connect(address).map(drop).context("connecting"))?;
        Ok(Self { process, address })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// A client with a connection of its own.
    pub(super) async fn connect(&self) -> Result<Service> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?.timeout(TIMEOUT).tcp_nodelay(true);
        Ok(Service { client: PipelineServiceClient::new(endpoint.connect().await?) })
    }
}

/// A client of it; clones share a connection.
#[derive(Debug, Clone)]
pub(super) struct Service {
    client: PipelineServiceClient<Channel>,
}

impl Service {
    /// Declares a pipeline, as soon as the service has a schema to put it in.
    pub(super) async fn create(&self, pipeline: &str) -> Result<()> {
        let spec = PipelineSpec { target_namespace: "bench".to_owned(), ..PipelineSpec::default() };
        let request = CreatePipelineRequest { pipeline_id: pipeline.to_owned(), spec: Some(spec) };
        let begun = Instant::now();
        loop {
            match self.client.clone().create_pipeline(request.clone()).await {
                Err(status) if status.code() == tonic::Code::Unavailable && begun.elapsed() < PATIENCE => {}
                answer => return Ok(answer.map(drop)?),
            }
        }
    }

    /// Waits for documents of a pipeline that has none; how many came all the same.
    pub(super) async fn wait(&self, pipeline: &str, time: Duration) -> Result<usize> {
        let request = ClaimRequest { wait_ms: u32::try_from(time.as_millis())?, ..claim(pipeline, 100) };
        Ok(self.client.clone().claim(request).await?.into_inner().documents.len())
    }
}

fn claim(pipeline: &str, limit: usize) -> ClaimRequest {
    ClaimRequest {
        pipeline_id: pipeline.to_owned(),
        worker_id: "bench".to_owned(),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        lease_ms: LEASE_MS,
        ..ClaimRequest::default()
    }
}

fn document(id: String) -> StagedDocument {
    let line = |n: usize| format!("{id}, line {n}: a queue keeps what is to be done until it is done.\n");
    let mut text: String = (0..TEXT_BYTES / 64).map(line).collect();
    text.truncate(TEXT_BYTES);
    let chunk = Chunk { chunk_id: id.replace('/', "-"), text: Some(text), metadata_json: String::new() };
    StagedDocument { document_id: id, chunks: vec![chunk], priority: 0 }
}

impl Queue for Service {
    async fn stage(&self, ids: Vec<String>) -> Result<()> {
        let documents: Vec<_> = ids.into_iter().map(document).collect();
        let count = documents.len();
        let request = StageDocumentsRequest { pipeline_id: PIPELINE.to_owned(), documents };
        let results = self.client.clone().stage_documents(request).await?.into_inner().results;
        ensure!(results.len() == count && results.iter().all(|result| !result.restaged), "not all were new");
        Ok(())
    }

    async fn claim(&self, limit: usize) -> Result<Vec<Job>> {
        let documents = self.client.clone().claim(claim(PIPELINE, limit)).await?.into_inner().documents;
        Ok(documents.into_iter().map(|one| Job { id: one.document_id, token: one.token }).collect())
    }

    async fn complete(&self, jobs: Vec<Job>) -> Result<usize> {
        let guard = |job: Job| DocumentGuard { document_id: job.id, token: job.token, version: 0 };
        let documents =
            jobs.into_iter().map(|job| CompletedDocument { document: Some(guard(job)), output: Vec::new() });
        let request = CompleteRequest {
            pipeline_id: PIPELINE.to_owned(),
            documents: documents.collect(),
            holder: None,
            to_stage: String::new(),
        };
        let results = self.client.clone().complete(request).await?.into_inner().results;
        ensure!(results.iter().all(|result| result.status() == DocumentStatus::Done), "a completion was refused");
        Ok(results.len())
    }
}
