//! Chunking: a document's source becomes text, the text becomes chunks.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use layer_chunk::{Limits, Splitter, chunk_id, extract};
use layer_object_store::ObjectStore;
use layer_proto::pipeline::v1::{Chunk, ClaimedDocument};
use layer_service::config::ConfigError;
use serde_json::{Map, Value};

use super::{
    deliver::Verdict,
    job::input,
    run::Worker,
    settings::ChunkSettings,
    source::{Loaded, Sources},
};

/// How documents are chunked.
pub(super) struct Chunking {
    splitter: Arc<Splitter>,
    limits: Limits,
    sources: Sources,
    threads: usize,
}

impl Chunking {
    pub(super) fn open(settings: &ChunkSettings, store: Option<ObjectStore>) -> Result<Self, ConfigError> {
        let tokenizer = settings.tokenizer_file.as_deref().map(|file| {
            let wrong = |error| ConfigError::invalid("chunk.tokenizer_file", format!("{}: {error}", file.display()));
            std::fs::read(file).map_err(wrong)
        });
        let splitter = Splitter::new(settings.splitting(), tokenizer.transpose()?.as_deref());
        let splitter = splitter.map_err(|error| {
            let field = if error.field == "tokenizer" { "tokenizer_file" } else { error.field };
            ConfigError::invalid(format!("chunk.{field}"), error.problem)
        })?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            splitter: Arc::new(splitter),
            limits: settings.limits(),
            sources: Sources::open(settings, store)?,
            threads: if settings.threads == 0 { cores() } else { settings.threads as usize },
        })
    }

    /// Chunks documents, a few at a time; each is handed in as soon as it is done. Those that were not begun when the worker is told to
    /// stop are returned.
    pub(super) async fn work(&self, worker: &Arc<Worker>, documents: Vec<ClaimedDocument>) {
        let each = documents.into_iter().map(|document| async move {
            let verdict = if worker.lifecycle.is_stopping() {
                Verdict::Returned
            } else {
                self.one(worker, &document).await.unwrap_or_else(|verdict| verdict)
            };
            if matches!(verdict, Verdict::Chunks(_)) {
                worker.outage.over();
            }
            worker.deliver(vec![(document, verdict)]).await;
        });
        stream::iter(each).buffer_unordered(self.threads).collect::<()>().await;
    }

    async fn one(&self, worker: &Worker, document: &ClaimedDocument) -> Result<Verdict, Verdict> {
        let staged = input(worker, document).await?;
        let loaded = self.sources.load(staged).await.inspect_err(|verdict| {
            if *verdict == Verdict::Returned {
                worker.outage.failed("the object store is away");
            }
        })?;
        let (splitter, limits, id) = (Arc::clone(&self.splitter), self.limits, document.document_id.clone());
        let work = tokio::task::spawn_blocking(move || chunks(&splitter, &limits, &id, loaded));
        work.await.map_err(|_| Verdict::dead("chunking gave up"))?
    }
}

/// The chunks of a source.
fn chunks(splitter: &Splitter, limits: &Limits, document_id: &str, loaded: Loaded) -> Result<Verdict, Verdict> {
    let text = extract(&loaded.source(), limits).map_err(|error| match error.is_transient() {
        true => Verdict::failed(error),
        false => Verdict::dead(error),
    })?;
    let pieces = splitter.split(&text).map_err(Verdict::dead)?;
    let mut about = loaded.metadata;
    about.insert("document_id".to_owned(), document_id.into());
    let chunk = |piece: layer_chunk::Chunk| Chunk {
        chunk_id: chunk_id(document_id, piece.position.chunk_index),
        metadata_json: merged(&about, &piece.position.to_json()),
        text: Some(piece.text),
    };
    Ok(Verdict::Chunks(pieces.into_iter().map(chunk).collect()))
}

/// What is known of the document, and where the chunk stands in it.
fn merged(about: &Map<String, Value>, position: &str) -> String {
    let mut all = about.clone();
    all.extend(serde_json::from_str::<Map<String, Value>>(position).unwrap_or_default());
    Value::Object(all).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str, content_type: &str) -> Loaded {
        let metadata = serde_json::from_str(r#"{"title": "T", "chunk_index": "mine"}"#).unwrap();
        Loaded { bytes: text.to_owned().into(), content_type: Some(content_type.to_owned()), name: None, metadata }
    }

    #[test]
    fn chunks_have_ids_of_the_document_and_metadata_of_both() {
        let splitter = Splitter::new(ChunkSettings { size: 8, overlap: 0, ..Default::default() }.splitting(), None);
        let verdict = chunks(&splitter.unwrap(), &Limits::default(), "doc", loaded("<p>one two three", "text/html"));
        let Ok(Verdict::Chunks(chunks)) = verdict else { panic!("{verdict:?}") };
        let ids: Vec<_> = chunks.iter().map(|chunk| (chunk.chunk_id.as_str(), chunk.text.as_deref())).collect();
        assert_eq!(ids, [("doc-0", Some("one two")), ("doc-1", Some("three"))]);
        let metadata: Value = serde_json::from_str(&chunks[1].metadata_json).unwrap();
        assert_eq!((&metadata["title"], &metadata["document_id"]), (&"T".into(), &"doc".into()));
        assert_eq!((&metadata["chunk_index"], &metadata["start_byte"]), (&1.into(), &8.into()));
    }

    #[test]
    fn what_cannot_be_read_fails_for_good() {
        let splitter = Splitter::new(ChunkSettings::default().splitting(), None).unwrap();
        let verdict = chunks(&splitter, &Limits::default(), "doc", loaded("x", "image/png"));
        assert!(matches!(verdict, Err(Verdict::Failed { permanent: true, .. })), "{verdict:?}");
    }
}
