//! The settings of a built-in worker.

use std::{path::PathBuf, time::Duration};

use layer_chunk::{Limits, Options as Splitting, Unit};
use layer_embed::{Encoding, Options as Endpoint};
use layer_object_store::ObjectStoreSettings;
use layer_service::config::{
    AdminSettings, ConfigError, DrainSettings, LimitSettings, ListenSettings, LogSettings, Secret, Settings,
    TelemetrySettings, TlsSettings, one_or_more, printable_url,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a worker does with documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WorkKind {
    /// Takes the text out of a document's source, and puts out its chunks.
    Chunk,
    /// Embeds a document's chunks, and writes their rows.
    Embed,
}

/// Every setting of `pipeline-worker work`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorkSettings {
    /// What is done with documents: `chunk` or `embed`.
    pub kind: WorkKind,
    /// The pipeline's id; required.
    pub pipeline: String,
    /// The stage that documents are taken from; required.
    pub stage: String,
    /// The stage that they are in while they are worked on; empty: the next one.
    pub claim_stage: String,
    /// The stage that they go to; empty: the next one after chunking, the last one after embedding.
    pub to_stage: String,
    /// The stage whose output is worked on; empty: what was staged.
    pub input_stage: String,
    /// Where the pipeline service is: pipeline-worker, or the router.
    pub url: String,
    /// The key that the service is shown.
    pub api_key: Option<Secret>,
    /// PEM file of authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Who claims, for operators; empty: a random name.
    pub worker_id: String,
    /// Documents of a claim at the most.
    pub batch: u32,
    /// Documents that this process has claimed at the most.
    pub in_flight_max: u32,
    /// How long a claim holds without a heartbeat, in milliseconds; a third of it is the time between two heartbeats.
    pub lease_ms: u64,
    /// How long a claim waits for documents, in milliseconds.
    pub wait_ms: u32,
    /// Time for one call of the service, in milliseconds.
    pub timeout_ms: u64,
    /// Chunking.
    pub chunk: ChunkSettings,
    /// Embedding.
    pub embed: EmbedSettings,
    /// Where sources named `object:…` are.
    pub object_store: ObjectStoreSettings,
    /// The admin port.
    pub admin: AdminSettings,
    /// Stopping: `drain.timeout_ms` is for the documents that were begun; then they are returned.
    pub drain: DrainSettings,
    /// Logs.
    pub log: LogSettings,
    /// Traces.
    pub telemetry: TelemetrySettings,
    /// A worker has no data port.
    #[serde(skip)]
    pub(super) listen: ListenSettings,
    #[serde(skip)]
    pub(super) limits: LimitSettings,
    #[serde(skip)]
    pub(super) tls: TlsSettings,
}

/// What the size of a chunk is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChunkUnit {
    /// Tokens of `chunk.tokenizer_file`.
    Tokens,
    /// Sentences.
    Sentences,
    /// Characters.
    Characters,
}

/// Chunking.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChunkSettings {
    /// What `chunk.size` and `chunk.overlap` count: `tokens`, `sentences` or `characters`.
    pub unit: ChunkUnit,
    /// The largest chunk.
    pub size: u32,
    /// How much of a chunk's end is repeated at the beginning of the next.
    pub overlap: u32,
    /// The model's `tokenizer.json`, for tokens.
    pub tokenizer_file: Option<PathBuf>,
    /// The folder that sources named `file:…` are in; unset: such sources are refused.
    pub directory: Option<PathBuf>,
    /// The largest source, in bytes.
    pub source_bytes: u64,
    /// The most text of a source, in bytes.
    pub text_bytes: u64,
    /// Time to take the text out of one source, in milliseconds.
    pub extract_timeout_ms: u64,
    /// Sources that are read at a time; 0: one per core.
    pub threads: u32,
}

/// In which form an endpoint's numbers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EmbedEncoding {
    /// As base64: a quarter of the size.
    Base64,
    /// As numbers, for servers that refuse a request for base64.
    Float,
}

/// Embedding: by `embed.model_dir`, or by `embed.url` and `embed.model`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbedSettings {
    /// The folder of a model of the BERT family, as sentence-transformers saves it: it runs in this process.
    pub model_dir: Option<PathBuf>,
    /// Threads of the model in this process; 0: one per core.
    pub threads: u32,
    /// Base URL of an endpoint that speaks OpenAI's embeddings call, with its version, for example `https://api.openai.com/v1`.
    pub url: Option<String>,
    /// The endpoint's name of the model.
    pub model: String,
    /// The endpoint's key.
    pub api_key: Option<Secret>,
    /// How many numbers a vector shall have, for models that can shorten theirs; 0: as the model has it.
    pub dimensions: u32,
    /// In which form the endpoint's numbers come: `base64` or `float`.
    pub encoding: EmbedEncoding,
    /// Texts of one request at the most.
    pub request_texts: u32,
    /// Bytes of text of one request at the most.
    pub request_bytes: u64,
    /// Requests at a time.
    pub requests_max: u32,
    /// Time for the answer to one request, in milliseconds.
    pub request_timeout_ms: u64,
    /// Time for all texts of a claim, in milliseconds; then what is not done is returned.
    pub timeout_ms: u64,
    /// The attribute that vectors are written to.
    pub vector_attribute: String,
    /// The attribute that texts are written to; empty: they are not written.
    pub text_attribute: String,
}

impl Default for WorkSettings {
    fn default() -> Self {
        Self {
            kind: WorkKind::Chunk,
            pipeline: String::new(),
            stage: String::new(),
            claim_stage: String::new(),
            to_stage: String::new(),
            input_stage: String::new(),
            url: "http://127.0.0.1:8082".to_owned(),
            api_key: None,
            ca_file: None,
            worker_id: String::new(),
            batch: 32,
            in_flight_max: 64,
            // A worker that dies is missed after a minute; three heartbeats may be lost before one that lives is.
            lease_ms: 60_000,
            wait_ms: 5_000,
            timeout_ms: 75_000,
            chunk: ChunkSettings::default(),
            embed: EmbedSettings::default(),
            object_store: ObjectStoreSettings::default(),
            admin: AdminSettings::on_port(9083),
            drain: DrainSettings { timeout_ms: 20_000, ..DrainSettings::default() },
            log: LogSettings::default(),
            telemetry: TelemetrySettings::default(),
            listen: ListenSettings::default(),
            limits: LimitSettings::default(),
            tls: TlsSettings::default(),
        }
    }
}

impl Default for ChunkSettings {
    fn default() -> Self {
        Self {
            unit: ChunkUnit::Characters,
            size: 1000,
            overlap: 100,
            tokenizer_file: None,
            directory: None,
            source_bytes: 64 << 20,
            text_bytes: 16 << 20,
            extract_timeout_ms: 60_000,
            threads: 0,
        }
    }
}

impl Default for EmbedSettings {
    fn default() -> Self {
        Self {
            model_dir: None,
            threads: 0,
            url: None,
            model: String::new(),
            api_key: None,
            dimensions: 0,
            encoding: EmbedEncoding::Base64,
            request_texts: 256,
            request_bytes: 256 << 10,
            requests_max: 4,
            request_timeout_ms: 60_000,
            timeout_ms: 600_000,
            vector_attribute: "vector".to_owned(),
            text_attribute: "text".to_owned(),
        }
    }
}

impl ChunkSettings {
    pub(super) fn splitting(&self) -> Splitting {
        let unit = match self.unit {
            ChunkUnit::Tokens => Unit::Tokens,
            ChunkUnit::Sentences => Unit::Sentences,
            ChunkUnit::Characters => Unit::Characters,
        };
        Splitting { unit, size: self.size, overlap: self.overlap }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            bytes_max: usize::try_from(self.source_bytes).unwrap_or(usize::MAX),
            text_max: usize::try_from(self.text_bytes).unwrap_or(usize::MAX),
            time_max: Duration::from_millis(self.extract_timeout_ms),
        }
    }
}

impl EmbedSettings {
    pub(super) fn endpoint(&self, url: &str) -> Endpoint {
        let mut options = Endpoint::new(url, &self.model);
        options.api_key.clone_from(&self.api_key);
        options.dimensions = Some(self.dimensions).filter(|count| *count > 0);
        options.encoding = match self.encoding {
            EmbedEncoding::Base64 => Encoding::Base64,
            EmbedEncoding::Float => Encoding::Float,
        };
        options.batch_texts = self.request_texts as usize;
        options.batch_bytes = usize::try_from(self.request_bytes).unwrap_or(usize::MAX);
        options.in_flight_max = self.requests_max as usize;
        options.request_timeout = Duration::from_millis(self.request_timeout_ms);
        options
    }

    fn validate(&self) -> Result<(), ConfigError> {
        one_or_more(&[("embed.request_timeout_ms", self.request_timeout_ms), ("embed.timeout_ms", self.timeout_ms)])?;
        match (&self.model_dir, &self.url) {
            (None, None) => Err(ConfigError::invalid("embed.model_dir", "or embed.url is required")),
            (Some(_), Some(_)) => Err(ConfigError::invalid("embed.url", "must not be set with embed.model_dir")),
            (None, Some(_)) if self.model.is_empty() => {
                Err(ConfigError::invalid("embed.model", "is required with embed.url"))
            }
            _ if self.vector_attribute.is_empty() || self.vector_attribute == self.text_attribute => {
                Err(ConfigError::invalid("embed.vector_attribute", "must be a name, and not that of the text"))
            }
            _ => Ok(()),
        }
    }
}

impl Settings for WorkSettings {
    fn validate(&self) -> Result<(), ConfigError> {
        self.telemetry.validate()?;
        self.object_store.validate()?;
        for (name, value) in [("pipeline", &self.pipeline), ("stage", &self.stage)] {
            if value.is_empty() {
                return Err(ConfigError::invalid(name, "is required"));
            }
        }
        let uri = self.url.parse::<http::Uri>().ok();
        let usable = |uri: http::Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        if !uri.is_some_and(usable) || self.url.contains('@') {
            let reason = format!("`{}` is no http or https URL of a server", printable_url(&self.url));
            return Err(ConfigError::invalid("url", reason));
        }
        self.api_key.as_ref().map_or(Ok(()), |key| key.validate("api_key"))?;
        one_or_more(&[
            ("batch", self.batch.into()),
            ("in_flight_max", self.in_flight_max.into()),
            ("timeout_ms", self.timeout_ms),
            ("chunk.source_bytes", self.chunk.source_bytes),
            ("chunk.text_bytes", self.chunk.text_bytes),
            ("chunk.extract_timeout_ms", self.chunk.extract_timeout_ms),
        ])?;
        if !(3_000..=86_400_000).contains(&self.lease_ms) {
            return Err(ConfigError::invalid("lease_ms", "must be 3,000 to 86,400,000"));
        }
        if self.wait_ms > 30_000 || u64::from(self.wait_ms) >= self.timeout_ms {
            return Err(ConfigError::invalid("wait_ms", "must be at most 30,000, and less than timeout_ms"));
        }
        if self.kind == WorkKind::Embed { self.embed.validate() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_makes_no_sense_by_name() {
        let usable = || WorkSettings { pipeline: "p".to_owned(), stage: "s".to_owned(), ..WorkSettings::default() };
        usable().validate().unwrap();
        let refused = |change: fn(&mut WorkSettings), name: &str| {
            let mut settings = usable();
            change(&mut settings);
            let error = settings.validate().expect_err(name).to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        };
        refused(|s| s.pipeline.clear(), "pipeline");
        refused(|s| s.stage.clear(), "stage");
        refused(|s| s.url = "nowhere".to_owned(), "url");
        refused(|s| s.batch = 0, "batch");
        refused(|s| s.lease_ms = 10, "lease_ms");
        refused(|s| s.wait_ms = 30_001, "wait_ms");
        refused(|s| s.kind = WorkKind::Embed, "embed.model_dir");
        refused(
            |s| {
                s.kind = WorkKind::Embed;
                s.embed.url = Some("http://127.0.0.1:1/v1".to_owned());
            },
            "embed.model",
        );
    }
}
