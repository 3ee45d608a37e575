//! Where a document's source is: in the chunk that was staged, in a file, or in an object store.
//!
//! A document to chunk is staged with one chunk. Its text is the source, or its metadata says where the source is:
//! `{"source": "file:manuals/pump.pdf"}` is a file in `chunk.directory`, `{"source": "object:manuals/pump.pdf"}` an object of
//! `object_store`. `content_type` and `name` tell what kind it is. All other members, and `source`, become metadata of every chunk.

use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use layer_chunk::Source;
use layer_object_store::{Error as StoreError, ObjectStore};
use layer_proto::pipeline::v1::Chunk;
use layer_service::config::ConfigError;
use serde_json::{Map, Value};

use super::{deliver::Verdict, settings::ChunkSettings};

/// Where sources may be.
pub(super) struct Sources {
    directory: Option<PathBuf>,
    store: Option<ObjectStore>,
    bytes_max: u64,
}

/// A source that was read.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) bytes: Bytes,
    pub(super) content_type: Option<String>,
    pub(super) name: Option<String>,
    /// What every chunk is told.
    pub(super) metadata: Map<String, Value>,
}

impl Loaded {
    pub(super) fn source(&self) -> Source<'_> {
        Source { bytes: &self.bytes, content_type: self.content_type.as_deref(), name: self.name.as_deref() }
    }
}

impl Sources {
    pub(super) fn open(settings: &ChunkSettings, store: Option<ObjectStore>) -> Result<Self, ConfigError> {
        let wrong = |error| ConfigError::invalid("chunk.directory", format!("cannot be opened: {error}"));
        let directory = settings.directory.as_deref().map(Path::canonicalize).transpose().map_err(wrong)?;
        Ok(Self { directory, store, bytes_max: settings.source_bytes })
    }

    /// Reads the source of a document, by what was staged of it.
    pub(super) async fn load(&self, staged: Vec<Chunk>) -> Result<Loaded, Verdict> {
        let count = staged.len();
        let mut staged = staged.into_iter();
        let (Some(chunk), None) = (staged.next(), staged.next()) else {
            return Err(Verdict::dead(format!("a document to chunk is staged with one chunk; this one has {count}")));
        };
        let mut metadata: Map<String, Value> = match chunk.metadata_json.as_str() {
            "" => Map::new(),
            json => serde_json::from_str(json).map_err(|_| Verdict::dead("metadata: is no JSON object"))?,
        };
        let content_type = text(metadata.remove("content_type"), "content_type")?;
        let name = text(metadata.remove("name"), "name")?;
        let place = text(metadata.get("source").cloned(), "source")?;
        let (bytes, found) = match (chunk.text, place.as_deref().map(|place| place.split_once(':'))) {
            (Some(text), _) => (Bytes::from(text), None),
            (None, Some(Some(("file", path)))) => (self.file(path).await?, Some(path.to_owned())),
            (None, Some(Some(("object", key)))) => (self.object(key).await?, Some(key.to_owned())),
            (None, Some(_)) => return Err(Verdict::dead("metadata.source: must begin with `file:` or `object:`")),
            (None, None) => return Err(Verdict::dead("the chunk has neither text nor metadata.source")),
        };
        if let Some(name) = name.clone() {
            metadata.insert("name".to_owned(), name.into());
        }
        Ok(Loaded { bytes, content_type, name: name.or(found), metadata })
    }

    async fn file(&self, path: &str) -> Result<Bytes, Verdict> {
        let refuse = |reason: &str| Verdict::dead(format!("metadata.source: {reason}"));
        let Some(directory) = &self.directory else { return Err(refuse("this worker has no chunk.directory")) };
        let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || path.is_empty() {
            return Err(refuse("must be a path within chunk.directory"));
        }
        let (directory, path, most) = (directory.clone(), directory.join(path), self.bytes_max);
        let read = tokio::task::spawn_blocking(move || read(&directory, &path, most));
        read.await.map_err(|_| Verdict::failed("reading the file gave up"))?
    }

    async fn object(&self, key: &str) -> Result<Bytes, Verdict> {
        let Some(store) = &self.store else {
            return Err(Verdict::dead("metadata.source: this worker has no object_store"));
        };
        let read = async { store.get(key, None).await?.body.collect(self.bytes_max).await };
        read.await.map_err(|error| match error {
            StoreError::NotFound | StoreError::Key(_) | StoreError::TooLarge { .. } | StoreError::Range { .. } => {
                Verdict::dead(format!("metadata.source: {error}"))
            }
            _ => Verdict::Returned,
        })
    }
}

/// Reads a file, unless a link leads out of `directory`.
fn read(directory: &Path, path: &Path, most: u64) -> Result<Bytes, Verdict> {
    let refuse = |reason: String| Verdict::dead(format!("metadata.source: {reason}"));
    let real = path.canonicalize().map_err(|error| refuse(error.to_string()))?;
    if !real.starts_with(directory) {
        return Err(refuse("leads out of chunk.directory".to_owned()));
    }
    let size = std::fs::metadata(&real).map_err(|error| refuse(error.to_string()))?.len();
    if size > most {
        return Err(refuse(format!("the file has {size} bytes, {most} are allowed")));
    }
    std::fs::read(&real).map(Bytes::from).map_err(|error| refuse(error.to_string()))
}

fn text(value: Option<Value>, field: &str) -> Result<Option<String>, Verdict> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Verdict::dead(format!("metadata.{field}: must be a text"))),
    }
}

#[cfg(test)]
mod tests {
    use layer_object_store::{Backend, Condition, ObjectStoreSettings};
    use layer_service::metrics::Metrics;

    use super::*;

    fn staged(text: Option<&str>, metadata: &str) -> Vec<Chunk> {
        vec![Chunk { chunk_id: "c".to_owned(), text: text.map(str::to_owned), metadata_json: metadata.to_owned() }]
    }

    fn reason(result: Result<Loaded, Verdict>) -> String {
        match result {
            Err(Verdict::Failed { permanent: true, message }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn sources_are_read_from_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("files")).unwrap();
        std::fs::write(folder.path().join("files/a.md"), "# in a file").unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), folder.path().join("files/link")).unwrap();
        let mut store = ObjectStoreSettings { backend: Backend::Directory, ..ObjectStoreSettings::default() };
        store.directory = Some(folder.path().join("objects"));
        let store = ObjectStore::open(&store, &Metrics::default()).await.unwrap().unwrap();
        store.put("docs/b.html", "<p>in an object".into(), Condition::Always).await.unwrap();
        let settings =
            ChunkSettings { directory: Some(folder.path().join("files")), source_bytes: 100, ..Default::default() };
        let sources = Sources::open(&settings, Some(store)).unwrap();

        let inline = sources.load(staged(Some("text"), r#"{"content_type": "text/html", "k": 1}"#)).await.unwrap();
        assert_eq!((&inline.bytes[..], inline.content_type.as_deref()), (&b"text"[..], Some("text/html")));
        assert_eq!(Value::Object(inline.metadata).to_string(), r#"{"k":1}"#);
        let file = sources.load(staged(None, r#"{"source": "file:a.md"}"#)).await.unwrap();
        assert_eq!((&file.bytes[..], file.name.as_deref()), (&b"# in a file"[..], Some("a.md")));
        let object = sources.load(staged(None, r#"{"source": "object:docs/b.html"}"#)).await.unwrap();
        assert_eq!((&object.bytes[..], object.name.as_deref()), (&b"<p>in an object"[..], Some("docs/b.html")));

        for bad in
            ["file:../secret", "file:/etc/passwd", "file:link", "file:none", "file:", "object:none", "http://x", "x"]
        {
            let metadata = serde_json::json!({ "source": bad }).to_string();
            let reason = reason(sources.load(staged(None, &metadata)).await);
            assert!(reason.starts_with("metadata.source:"), "{bad}: {reason}");
        }
        assert!(reason(sources.load(vec![]).await).contains("this one has 0"));
        assert!(reason(sources.load(staged(None, "")).await).contains("neither text nor"));
        assert!(reason(sources.load(staged(Some("x"), r#"{"name": 1}"#)).await).contains("metadata.name"));
    }
}
