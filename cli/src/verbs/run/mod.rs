//! `layer pipeline run`: makes a pipeline, stages sources, and runs the built-in workers until all of it is indexed.
//!
//! The workers are the same as `pipeline-worker work`, in this process. What it began, others may finish: when it is
//! interrupted, documents that were staged stay staged, and the same command goes on with them.

mod progress;
mod sources;

use std::{ffi::OsString, time::Duration};

use http::{Method, StatusCode};
use layer_object_store::{ObjectStore, ObjectStoreSettings};
use layer_proto::pipeline::v1::{
    StageDocumentsRequest, StagedDocument, pipeline_service_client::PipelineServiceClient,
};
use layer_service::{
    config::{self, ConfigError, ProcessEnvironment, Secret, Settings, Sources},
    lifecycle::{Lifecycle, Stage},
    metrics::Metrics,
    program::{Program as _, StartError},
};
use pipeline_worker::{ChunkSettings, EmbedSettings, Work, WorkKind, WorkSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, ClientTlsConfig, Endpoint},
};

use super::{
    encoded,
    pipeline::{printed, told},
};
use crate::{
    arguments::{Format, Run},
    client::Router,
    failure::Failure,
    up::own_variables,
};
use progress::Progress;
use sources::{Given, failed};

/// The stages of a pipeline that this command makes.
const STAGES: [&str; 4] = ["pending", "chunking", "embedding", "indexed"];
/// How often it looks how far the pipeline is.
const LOOK: Duration = Duration::from_millis(500);
/// Time to stage a batch.
const STAGE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it may not be seen in a row: the router may be restarting.
const UNSEEN_MAX: u32 = 60;

/// `layer pipeline run FILES… --to NAMESPACE`
pub async fn run(arguments: &Run) -> Result<(), Failure> {
    let objects = object_store_settings()?;
    let store = ObjectStore::open(&objects, &Metrics::default()).await?;
    let mut given = Given::find(&arguments.folder, &arguments.sources, store.as_ref())?;
    let of = |kind| settings(arguments, kind, &objects);
    let (chunk, embed) = (of(WorkKind::Chunk)?, of(WorkKind::Embed)?);
    let router = Router::new(&arguments.mesh)?;
    make(&router, arguments).await?;
    let mut producer = Producer::new(arguments)?;
    let mut progress = Progress::new(arguments.mesh.output == Format::Table);
    let workers = [Running::start(chunk), Running::start(embed)];
    let ended = tokio::select! {
        ended = work(&router, &mut producer, &mut given, &mut progress) => ended,
        failure = Running::early(&workers) => Err(failure),
        _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted: what was staged stays; the same command goes on with it")),
    };
    progress.end();
    for worker in workers {
        worker.stop().await?;
    }
    let status = ended?;
    let failed = status["failed_count"].as_u64().unwrap_or_default();
    match arguments.mesh.output {
        Format::Json => printed(&status)?,
        Format::Table => {
            let done = &status["counts"]["indexed"];
            told(&arguments.mesh, &status, &format!("{done} documents are in {}; {failed} failed", arguments.to))?;
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::new(format!("see them with `layer pipeline failed {}`", arguments.id()))),
    }
}

/// Stages everything, then waits until nothing is left to do. Answers the last status.
async fn work(
    router: &Router,
    producer: &mut Producer,
    given: &mut Given,
    progress: &mut Progress,
) -> Result<Value, Failure> {
    while let Some(documents) = given.next().await? {
        progress.staged(producer.stage(documents).await?);
    }
    for lines in given.lines() {
        for documents in lines? {
            progress.staged(producer.stage(documents.map_err(failed)?).await?);
        }
    }
    let path = format!("/v2/pipelines/{}/status", encoded(&producer.pipeline));
    let mut unseen = 0;
    loop {
        match router.json(Method::GET, &path, None).await {
            Ok(status) => {
                unseen = 0;
                progress.show(&status);
                if is_over(&status) {
                    return Ok(status);
                }
            }
            Err(failure) if unseen == UNSEEN_MAX => return Err(failure),
            Err(_) => unseen += 1,
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether nothing is left to do.
fn is_over(status: &Value) -> bool {
    let counts = status["counts"].as_object().into_iter().flatten();
    let mut open = counts.filter(|(stage, _)| !matches!(stage.as_str(), "indexed" | "failed"));
    open.all(|(_, count)| count.as_u64() == Some(0))
}

/// Makes the pipeline where there is none of that name.
async fn make(router: &Router, arguments: &Run) -> Result<(), Failure> {
    let body = json!({
        "id": arguments.id(),
        "target_namespace": arguments.to,
        "distance_metric": arguments.distance_metric,
        "stages": STAGES,
    });
    let (status, bytes) = router.ask(Method::POST, "/v2/pipelines", Some(&body)).await?;
    if status.is_success() || status == StatusCode::CONFLICT {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&bytes).into_owned();
    Err(Failure::new(format!("the pipeline cannot be made: {}: {said}", status.as_u16())))
}

/// Who stages documents.
struct Producer {
    client: PipelineServiceClient<Channel>,
    authorization: Option<MetadataValue<Ascii>>,
    pipeline: String,
}

impl Producer {
    fn new(arguments: &Run) -> Result<Self, Failure> {
        let mesh = &arguments.mesh;
        let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("--url `{}`: {error}", mesh.url));
        let mut endpoint = Endpoint::from_shared(mesh.url.clone()).map_err(|error| wrong(&error))?;
        if mesh.url.starts_with("https://") {
            let tls = ClientTlsConfig::new().with_native_roots();
            endpoint = endpoint.tls_config(tls).map_err(|error| wrong(&error))?;
        }
        let authorization = mesh.api_key.as_ref().map(|key| format!("Bearer {key}").parse()).transpose();
        Ok(Self {
            client: PipelineServiceClient::new(endpoint.connect_lazy()).max_encoding_message_size(usize::MAX),
            authorization: authorization
                .map_err(|_| Failure::usage("--api-key has characters that no header can carry"))?,
            pipeline: arguments.id().to_owned(),
        })
    }

    /// Stages documents; answers how many. What was staged already and has not changed stays as it is.
    async fn stage(&mut self, documents: Vec<StagedDocument>) -> Result<u64, Failure> {
        let count = documents.len() as u64;
        let mut request = Request::new(StageDocumentsRequest { pipeline_id: self.pipeline.clone(), documents });
        request.set_timeout(STAGE_TIMEOUT);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        let staged = self.client.stage_documents(request).await;
        staged.map_err(|status| Failure::new(format!("documents cannot be staged: {}", status.message())))?;
        Ok(count)
    }
}

/// The settings of a built-in worker.
fn settings(arguments: &Run, kind: WorkKind, objects: &ObjectStoreSettings) -> Result<WorkSettings, Failure> {
    let mut settings = WorkSettings::default();
    settings.kind = kind;
    settings.pipeline = arguments.id().to_owned();
    settings.url = arguments.mesh.url.clone();
    settings.api_key = arguments.mesh.api_key.as_deref().map(Secret::new);
    settings.object_store = objects.clone();
    // Any free port: nobody asks these workers.
    settings.admin.address = "127.0.0.1:0".to_owned();
    match kind {
        WorkKind::Chunk => {
            (settings.stage, settings.claim_stage) = (STAGES[0].to_owned(), STAGES[1].to_owned());
            settings.to_stage = STAGES[2].to_owned();
            settings.chunk = ChunkSettings {
                size: arguments.chunk_size,
                overlap: arguments.chunk_overlap,
                directory: Some(arguments.folder.clone()),
                ..ChunkSettings::default()
            };
        }
        WorkKind::Embed => {
            settings.stage = STAGES[2].to_owned();
            settings.input_stage = STAGES[1].to_owned();
            settings.embed = EmbedSettings {
                model_dir: arguments.model.clone(),
                url: arguments.endpoint.clone(),
                model: arguments.endpoint_model.clone().unwrap_or_default(),
                api_key: arguments.endpoint_key.as_deref().map(Secret::new),
                ..EmbedSettings::default()
            };
        }
    }
    settings.validate()?;
    Ok(settings)
}

/// What of the environment's settings this command reads: where objects are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Environs {
    object_store: ObjectStoreSettings,
}

impl Settings for Environs {
    fn validate(&self) -> Result<(), ConfigError> {
        self.object_store.validate()
    }
}

fn object_store_settings() -> Result<ObjectStoreSettings, Failure> {
    let own = own_variables(&ProcessEnvironment, &["LAYER_OBJECT_STORE_"]);
    let sources = Sources {
        program: "layer pipeline run",
        about: "",
        environment: &own,
        arguments: vec![OsString::from("layer")],
        presets: Vec::new(),
    };
    Ok(config::load::<Environs>(sources)?.settings.object_store)
}

/// A worker in this process.
struct Running {
    lifecycle: Lifecycle,
    ended: tokio::sync::watch::Receiver<Option<String>>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(settings: WorkSettings) -> Self {
        let lifecycle = Lifecycle::default();
        let (tell, ended) = tokio::sync::watch::channel(None);
        let life = lifecycle.clone();
        let task = tokio::spawn(async move {
            let outcome: Result<(), StartError> = Work::run(settings, life, false).await;
            let said = outcome.err().map_or_else(|| "a worker stopped by itself".to_owned(), |error| error.to_string());
            tell.send_replace(Some(said));
        });
        Self { lifecycle, ended, task }
    }

    /// The end of one that nobody told to end.
    async fn early(workers: &[Self]) -> Failure {
        let ends = workers.iter().map(|worker| {
            let mut ended = worker.ended.clone();
            Box::pin(async move { ended.wait_for(Option::is_some).await.map(|said| said.clone()).ok().flatten() })
        });
        let (said, ..) = futures_util::future::select_all(ends).await;
        Failure::new(said.unwrap_or_else(|| "a worker failed".to_owned()))
    }

    async fn stop(self) -> Result<(), Failure> {
        self.lifecycle.advance(Stage::Noticing);
        self.task.await.map_err(|error| Failure::new(format!("a worker failed: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_when_nothing_is_left_to_do() {
        let status = |counts: Value| is_over(&json!({"counts": counts}));
        assert!(status(json!({"pending": 0, "chunking": 0, "embedding": 0, "indexed": 7, "failed": 1})));
        assert!(!status(json!({"pending": 0, "chunking": 0, "embedding": 1, "indexed": 7, "failed": 0})));
    }
}
