//! Readers, writers and purges at once, on real threads, against an origin that is one number for each key.

use std::sync::{Mutex, atomic::AtomicU32};

use super::*;

const KEYS: usize = 4;
const WRITES: u32 = 300;
const READERS: usize = 4;

/// The durable store, and what each of its writes told its caller.
#[derive(Default)]
struct Origin {
    rows: [Mutex<u32>; KEYS],
    acknowledged: [AtomicU32; KEYS],
    writers: AtomicU32,
    hits: AtomicU64,
}

impl Origin {
    fn write(&self, key: usize) -> u32 {
        let mut row = self.rows[key].lock().unwrap();
        *row += 1;
        *row
    }

    fn read(&self, key: usize) -> u32 {
        *self.rows[key].lock().unwrap()
    }

    fn acknowledge(&self, key: usize, version: u32) {
        self.acknowledged[key].fetch_max(version, std::sync::atomic::Ordering::SeqCst);
    }

    fn acknowledged(&self, key: usize) -> u32 {
        self.acknowledged[key].load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// Counts a writer as long as it lives, also where it fails: the readers would wait for it for ever.
struct Writing(Arc<Origin>);

impl Writing {
    fn begin(origin: &Arc<Origin>) -> Self {
        origin.writers.fetch_add(1, Relaxed);
        Self(Arc::clone(origin))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, Relaxed);
    }
}

pub async fn no_reader_sees_less_than_was_acknowledged<F: Fixture + 'static>(case: Case<F>) {
    let (case, origin) = (Arc::new(case), Arc::new(Origin::default()));
    let mut tasks = Vec::new();
    for _ in 0..2 {
        tasks.push(tokio::spawn(write_keys(Arc::clone(&case), Arc::clone(&origin), Writing::begin(&origin))));
        tasks.push(tokio::spawn(write_all(Arc::clone(&case), Arc::clone(&origin), Writing::begin(&origin))));
        tasks.push(tokio::spawn(purge_now_and_then(Arc::clone(&case), Writing::begin(&origin))));
    }
    for reader in 0..READERS {
        tasks.push(tokio::spawn(read(Arc::clone(&case), Arc::clone(&origin), reader)));
    }
    for task in tasks {
        task.await.expect("no task fails");
    }
    for key in 0..KEYS {
        if let Some(version) = fetch(&case, &origin, key).await {
            assert_eq!(version, origin.read(key), "a quiet cache is the origin");
        }
        assert_eq!(fetch(&case, &origin, key).await, Some(origin.read(key)));
    }
    assert!(origin.hits.load(Relaxed) > 0, "nothing was ever served: the test tells nothing");
}

fn name(key: usize) -> String {
    format!("key-{key}")
}

async fn write_keys<F: Fixture>(case: Arc<Case<F>>, origin: Arc<Origin>, _writing: Writing) {
    for at in 0..WRITES {
        let (key, write) = (at as usize % KEYS, write());
        case.hold(write, &name(key), LONG).await;
        tokio::task::yield_now().await;
        let version = origin.write(key);
        tokio::task::yield_now().await;
        case.release(write, &name(key)).await;
        origin.acknowledge(key, version);
    }
}

/// A bulk write: under a hold of the namespace, then every key is cleared.
async fn write_all<F: Fixture>(case: Arc<Case<F>>, origin: Arc<Origin>, _writing: Writing) {
    let ids: Vec<_> = (0..KEYS).map(|key| id(&name(key))).collect();
    for _ in 0..WRITES / 4 {
        let write = write();
        case.hold_namespace(write, LONG).await;
        let versions: Vec<_> = (0..KEYS).map(|key| origin.write(key)).collect();
        tokio::task::yield_now().await;
        case.backend.clear(&case.scope, &ids, DEADLINE).await.expect("clear");
        case.release_namespace(write).await;
        for (key, version) in versions.into_iter().enumerate() {
            origin.acknowledge(key, version);
        }
    }
}

async fn purge_now_and_then<F: Fixture>(case: Arc<Case<F>>, _writing: Writing) {
    for _ in 0..WRITES / 20 {
        case.purge().await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

async fn read<F: Fixture>(case: Arc<Case<F>>, origin: Arc<Origin>, reader: usize) {
    let mut at = reader;
    while origin.writers.load(Relaxed) > 0 {
        let key = at % KEYS;
        let least = origin.acknowledged(key);
        if let Some(version) = fetch(&case, &origin, key).await {
            assert!(version >= least, "key {key}: {version} was served after {least} was acknowledged");
        }
        at += 1;
        // A backend that never waits must leave the writers their turn.
        tokio::task::yield_now().await;
    }
}

/// What the cache serves; else the origin's row is read and filled in.
async fn fetch<F: Fixture>(case: &Case<F>, origin: &Origin, key: usize) -> Option<u32> {
    match case.get(&name(key)).await {
        Lookup::Hit(body) => {
            origin.hits.fetch_add(1, Relaxed);
            let text = std::str::from_utf8(&body.data).expect("text");
            Some(text.parse().expect("a number"))
        }
        Lookup::Miss(lease) => {
            let version = origin.read(key);
            tokio::task::yield_now().await;
            case.fill(&name(key), lease, &version.to_string()).await;
            None
        }
        Lookup::Held | Lookup::Refused => None,
    }
}
