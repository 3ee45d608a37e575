//! Objects of an object store, by a prefix.

use layer_object_store::ObjectStore;
use layer_proto::pipeline::v1::StagedDocument;

use super::{BATCH_DOCUMENTS, SourceError, elsewhere, wrong_id};

/// Objects whose keys begin with a prefix. The id of each is its key.
#[derive(Debug)]
pub struct Objects {
    store: ObjectStore,
    prefix: String,
    after: Option<String>,
    more: bool,
}

impl Objects {
    /// All objects of `store` whose keys begin with `prefix`.
    pub fn new(store: ObjectStore, prefix: impl Into<String>) -> Self {
        Self { store, prefix: prefix.into(), after: None, more: true }
    }

    /// The next batch, in the order of the keys; none behind the last.
    ///
    /// # Errors
    /// [`SourceError`] where the store fails, or a key cannot be a document's id.
    pub async fn next_batch(&mut self) -> Result<Option<Vec<StagedDocument>>, SourceError> {
        if !self.more {
            return Ok(None);
        }
        let page = self.store.list(&self.prefix, self.after.as_deref(), BATCH_DOCUMENTS).await?;
        self.more = page.more;
        self.after = page.objects.last().map(|object| object.key.clone());
        let documents = page.objects.into_iter().map(|object| match wrong_id(&object.key) {
            Some(reason) => Err(SourceError::File { file: object.key, reason }),
            None => {
                let source = format!("object:{}", object.key);
                Ok(elsewhere(object.key, source))
            }
        });
        let documents: Vec<_> = documents.collect::<Result<_, _>>()?;
        Ok((!documents.is_empty()).then_some(documents))
    }
}

#[cfg(test)]
mod tests {
    use layer_object_store::{Backend, Condition, ObjectStoreSettings};
    use layer_service::metrics::Metrics;

    use super::*;

    #[tokio::test]
    async fn objects_of_a_prefix_are_documents() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = ObjectStoreSettings { backend: Backend::Directory, ..ObjectStoreSettings::default() };
        settings.directory = Some(folder.path().join("objects"));
        let store = ObjectStore::open(&settings, &Metrics::default()).await.unwrap().unwrap();
        for key in ["docs/a.md", "docs/b.pdf", "other/c.md"] {
            store.put(key, "x".into(), Condition::Always).await.unwrap();
        }
        let mut objects = Objects::new(store, "docs/");
        let batch = objects.next_batch().await.unwrap().unwrap();
        let ids: Vec<_> = batch.iter().map(|document| document.document_id.as_str()).collect();
        assert_eq!(ids, ["docs/a.md", "docs/b.pdf"]);
        assert_eq!(batch[1].chunks[0].metadata_json, r#"{"source":"object:docs/b.pdf"}"#);
        assert!(objects.next_batch().await.unwrap().is_none());
    }
}
