//! Embedding: a document's chunks become rows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use layer_embed::{Blame, EmbedError, Embedder, Endpoint, Model, Vector};
use layer_proto::pipeline::v1::{Chunk, ChunkRow, ClaimedDocument};
use layer_service::config::ConfigError;

use super::{attributes, deliver::Verdict, job::input, run::Worker, settings::EmbedSettings};

/// Documents whose chunks are read at a time.
const READS: usize = 8;

/// How chunks are embedded.
pub(super) struct Embedding {
    embedder: Embedder,
    time_max: Duration,
    vector: String,
    text: String,
}

/// A document and its chunks.
type Read = (ClaimedDocument, Vec<Chunk>);

impl Embedding {
    pub(super) async fn open(settings: &EmbedSettings) -> Result<Self, ConfigError> {
        let embedder = match (&settings.model_dir, &settings.url) {
            (Some(folder), _) => {
                let (folder, threads) = (folder.clone(), settings.threads as usize);
                let loaded = tokio::task::spawn_blocking(move || Model::load(&folder, threads)).await;
                let wrong = |reason: String| ConfigError::invalid("embed.model_dir", reason);
                let model = loaded.map_err(|error| wrong(error.to_string()))?;
                Embedder::model(model.map_err(|error| wrong(error.to_string()))?)
            }
            (None, Some(url)) => {
                let tls = match url.starts_with("https://") {
                    true => Some(layer_service::tls::client("embed.url", None, &[b"http/1.1"])?),
                    false => None,
                };
                let endpoint = Endpoint::new(settings.endpoint(url), tls);
                Embedder::endpoint(endpoint.map_err(|error| {
                    let field = match error.field {
                        "batch_texts" => "request_texts",
                        "batch_bytes" => "request_bytes",
                        "in_flight_max" => "requests_max",
                        same => same,
                    };
                    ConfigError::invalid(format!("embed.{field}"), error.problem)
                })?)
            }
            (None, None) => return Err(ConfigError::invalid("embed.model_dir", "or embed.url is required")),
        };
        Ok(Self {
            embedder,
            time_max: Duration::from_millis(settings.timeout_ms),
            vector: settings.vector_attribute.clone(),
            text: settings.text_attribute.clone(),
        })
    }

    /// Embeds the chunks of all documents together. Documents that failed before go by themselves: one of them may be to blame for
    /// the failure of those that it was sent with.
    pub(super) async fn work(&self, worker: &Arc<Worker>, documents: Vec<ClaimedDocument>) {
        let read = documents.into_iter().map(|document| async {
            let chunks = input(worker, &document).await;
            (document, chunks)
        });
        let read: Vec<_> = stream::iter(read).buffered(READS).collect().await;
        let (mut fresh, mut groups, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        for (document, chunks) in read {
            match chunks {
                Ok(chunks) if document.attempt > 1 => groups.push(vec![(document, chunks)]),
                Ok(chunks) => fresh.push((document, chunks)),
                Err(verdict) => unread.push((document, verdict)),
            }
        }
        worker.deliver(unread).await;
        groups.insert(0, fresh);
        for group in groups.into_iter().filter(|group| !group.is_empty()) {
            let verdicts = if worker.lifecycle.is_stopping() {
                group.into_iter().map(|(document, _)| (document, Verdict::Returned)).collect()
            } else {
                self.group(worker, group).await
            };
            worker.deliver(verdicts).await;
        }
    }

    async fn group(&self, worker: &Worker, group: Vec<Read>) -> Vec<(ClaimedDocument, Verdict)> {
        let texts =
            group.iter().flat_map(|(_, chunks)| chunks.iter().map(|chunk| chunk.text.clone().unwrap_or_default()));
        let vectors = self.embedder.embed(texts.collect(), Instant::now() + self.time_max).await;
        match vectors.iter().find_map(|vector| vector.as_ref().err().filter(|error| error.blame() == Blame::Endpoint)) {
            Some(error) => worker.outage.failed(&error.to_string()),
            None => worker.outage.over(),
        }
        let mut vectors = vectors.into_iter();
        let each = group.into_iter().map(|(document, chunks)| {
            let own: Vec<_> = vectors.by_ref().take(chunks.len()).collect();
            (document, self.verdict(chunks, own).unwrap_or_else(|verdict| verdict))
        });
        each.collect()
    }

    /// The rows of a document, or what else becomes of it.
    fn verdict(&self, chunks: Vec<Chunk>, vectors: Vec<Result<Vector, EmbedError>>) -> Result<Verdict, Verdict> {
        let mut rows = Vec::with_capacity(chunks.len());
        for (index, (chunk, vector)) in chunks.into_iter().zip(vectors).enumerate() {
            if chunk.text.as_deref().is_none_or(|text| text.trim().is_empty()) {
                return Err(Verdict::dead(format!("chunks[{index}].text: is empty")));
            }
            let vector = vector.map_err(|error| match error.blame() {
                Blame::Text => Verdict::dead(format!("chunks[{index}].text: {error}")),
                Blame::Attempt => Verdict::failed(format!("chunks[{index}].text: {error}")),
                Blame::Endpoint => Verdict::Returned,
            })?;
            rows.push(self.row(chunk, &vector).map_err(|wrong| Verdict::dead(format!("chunks[{index}].{wrong}")))?);
        }
        Ok(Verdict::Rows(rows))
    }

    fn row(&self, chunk: Chunk, vector: &[f32]) -> Result<ChunkRow, String> {
        let mut attributes = attributes::of(&chunk.metadata_json)?;
        let text = chunk.text.filter(|_| !self.text.is_empty()).map(attributes::text);
        let own = [(self.vector.clone(), Some(attributes::vector(vector))), (self.text.clone(), text)];
        for (name, value) in own {
            if let Some(value) = value
                && attributes.insert(name.clone(), value).is_some()
            {
                return Err(format!("metadata_json: `{name}` is what the worker itself writes"));
            }
        }
        Ok(ChunkRow { chunk_id: chunk.chunk_id, attributes })
    }
}
