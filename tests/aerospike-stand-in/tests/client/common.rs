//! What the tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aerospike::{
    BasePolicy, BatchPolicy, Bin, Bins, Client, ClientPolicy, Error, Key, ReadPolicy, Record, ResultCode, Value,
    WritePolicy, as_bin,
};
use aerospike_stand_in::{Control, Options, StandIn};

/// A client and what it talks to.
pub struct Site {
    pub client: Arc<Client>,
    pub namespace: String,
    server: Option<StandIn>,
}

/// One attempt, and a short wait: a test shows what one request comes to.
pub fn once(mut base: BasePolicy) -> BasePolicy {
    base.max_retries = 0;
    base.total_timeout = 2000;
    base.socket_timeout = 2000;
    base
}

pub fn write() -> WritePolicy {
    let mut policy = WritePolicy::default();
    policy.base_policy = once(policy.base_policy);
    policy
}

pub fn read() -> ReadPolicy {
    let mut policy = ReadPolicy::default();
    policy.base_policy = once(policy.base_policy);
    policy
}

pub fn batch() -> BatchPolicy {
    let mut policy = BatchPolicy::default();
    policy.base_policy = once(policy.base_policy);
    policy
}

pub fn client_policy() -> ClientPolicy {
    ClientPolicy { min_conns_per_node: 2, tend_interval: 250, timeout: 2000, ..ClientPolicy::default() }
}

impl Site {
    /// The real server, where one is given, else a stand-in.
    pub async fn new() -> Self {
        let Ok(address) = std::env::var("LAYER_TEST_AEROSPIKE") else { return Self::controlled().await };
        let client = Client::new(&client_policy(), &address).await.expect("LAYER_TEST_AEROSPIKE can be reached");
        let namespace = std::env::var("LAYER_TEST_AEROSPIKE_NAMESPACE").unwrap_or_else(|_| "test".to_owned());
        Self { client: Arc::new(client), namespace, server: None }
    }

    /// A stand-in, for what no real server does by command.
    pub async fn controlled() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let server = StandIn::start(options).await.unwrap();
        let client = Client::new(&client_policy(), &server.address().to_string()).await.unwrap();
        Self { client: Arc::new(client), namespace: "test".to_owned(), server: Some(server) }
    }

    pub fn control(&self) -> &Control {
        self.server.as_ref().expect("a test that controls the server runs on a stand-in").control()
    }

    pub fn server(&self) -> &StandIn {
        self.server.as_ref().unwrap()
    }

    /// A key that nobody used before.
    pub fn key(&self) -> Key {
        self.key_in("stand_in")
    }

    pub fn key_in(&self, set: &str) -> Key {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let name = format!("{now}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Key::new(&self.namespace, set, Value::from(name)).unwrap()
    }

    pub async fn put(&self, key: &Key, bins: &[Bin]) {
        self.client.put(&write(), key, bins).await.unwrap();
    }

    /// A record with one bin `n`.
    pub async fn number(&self, number: i64) -> Key {
        let key = self.key();
        self.put(&key, &[as_bin!("n", number)]).await;
        key
    }

    pub async fn get(&self, key: &Key) -> Record {
        self.client.get(&read(), key, Bins::All).await.unwrap()
    }

    pub async fn exists(&self, key: &Key) -> bool {
        self.client.exists(&read(), key).await.unwrap()
    }
}

/// The code that the server answered.
pub fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> ResultCode {
    let error = result.expect_err("refused");
    error.server_result_code().unwrap_or_else(|| panic!("not the server's refusal: {error:?}"))
}

/// Waits until it holds, for as long as a client needs to find a server again.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        while !holds().await {
            looks.tick().await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}
