//! What is particular to the Aerospike backend: the real client against the stand-in, which speaks the server's wire.
//! (The suite that every backend passes is in `conformance`.)

use std::time::{Duration, Instant};

use aerospike_stand_in::{Options, StandIn};
use doc_cache::backend::{
    Backend, BackendError, Canary,
    aerospike::{Aerospike, AerospikeSettings},
};
use layer_service::metrics::Metrics;

const LAPSE: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(20);

fn backend(server: &StandIn) -> Aerospike {
    let settings = AerospikeSettings { hosts: server.address().to_string(), ..AerospikeSettings::default() };
    Aerospike::start(&settings, &Metrics::default()).expect("valid settings")
}

/// The first canary that goes through.
async fn proven(backend: &Aerospike) -> Canary {
    let end = Instant::now() + PATIENCE;
    loop {
        match backend.canary(LAPSE, DEADLINE).await {
            Ok(canary) => return canary,
            Err(error) if Instant::now() > end => panic!("no canary went through: {error}"),
            Err(BackendError::Unavailable(_) | BackendError::Timeout) => tokio::time::sleep(DEADLINE / 20).await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn the_first_canary_begins_an_epoch_and_the_next_keeps_it() {
    let server = StandIn::start(Options::default()).await.expect("a stand-in");
    let backend = backend(&server);
    let first = proven(&backend).await;
    assert_eq!(proven(&backend).await, first);
    assert!(!first.stop_writes);
}
