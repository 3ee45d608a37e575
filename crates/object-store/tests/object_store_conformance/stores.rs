//! The stores that the suite runs against.

use bytes::Bytes;
use layer_object_store::{Backend, ObjectStore, ObjectStoreSettings};
use layer_service::{config::Secret, metrics::Metrics};
use tempfile::TempDir;
use uuid::Uuid;

/// The smallest part that S3 takes.
pub const PART: usize = 5 * 1024 * 1024;

/// A store under test; its keys are nobody else's.
pub struct Store {
    pub store: ObjectStore,
    /// The directory of backend `directory`.
    pub directory: Option<TempDir>,
    pub settings: ObjectStoreSettings,
}

/// Opens a store with small limits.
pub async fn open(settings: &ObjectStoreSettings) -> ObjectStore {
    let opened = ObjectStore::open(settings, &Metrics::default()).await;
    opened.expect("the settings are good").expect("a backend is named")
}

pub async fn directory() -> Store {
    let directory = TempDir::new().expect("a temporary directory");
    let settings = ObjectStoreSettings {
        backend: Backend::Directory,
        directory: Some(directory.path().to_owned()),
        uploads_max: 2,
        ..Default::default()
    };
    Store { store: open(&settings).await, directory: Some(directory), settings }
}

/// The settings of a bucket at `endpoint`, with keys of its own.
pub fn bucket_at(endpoint: &str) -> ObjectStoreSettings {
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    ObjectStoreSettings {
        backend: Backend::S3,
        endpoint: Some(endpoint.to_owned()),
        bucket: Some(variable("LAYER_TEST_S3_BUCKET", "layer-test")),
        access_key_id: Some(Secret::new(variable("LAYER_TEST_S3_ACCESS_KEY_ID", "test"))),
        secret_access_key: Some(Secret::new(variable("LAYER_TEST_S3_SECRET_ACCESS_KEY", "test"))),
        prefix: format!("{}/", Uuid::new_v4()),
        path_style: true,
        part_bytes: PART as u64,
        uploads_max: 2,
        ..Default::default()
    }
}

/// The bucket of the environment, or `None` where none is named.
pub async fn bucket() -> Option<Store> {
    let settings = bucket_at(&std::env::var("LAYER_TEST_S3_ENDPOINT").ok()?);
    Some(Store { store: open(&settings).await, directory: None, settings })
}

/// Every store that there is.
pub async fn all() -> Vec<Store> {
    let mut stores = vec![directory().await];
    stores.extend(bucket().await);
    stores
}

/// `length` bytes that no two offsets share.
pub fn bytes(length: usize) -> Bytes {
    (0..length.div_ceil(8)).flat_map(|at| (at as u64).to_be_bytes()).take(length).collect::<Vec<_>>().into()
}

pub const WHOLE: u64 = 64 * 1024 * 1024;

impl Store {
    /// An object, whole.
    pub async fn read(&self, key: &str) -> Bytes {
        self.store.get(key, None).await.expect(key).body.collect(WHOLE).await.expect(key)
    }

    /// All keys, by pages of `limit`.
    pub async fn keys(&self, prefix: &str, limit: usize) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let after = keys.last().cloned();
            let page = self.store.list(prefix, after.as_deref(), limit).await.expect("a page");
            assert!(page.objects.len() <= limit);
            keys.extend(page.objects.into_iter().map(|object| object.key));
            if !page.more {
                return keys;
            }
        }
    }
}
