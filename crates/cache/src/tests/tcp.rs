//! Over real sockets, on the real clock: the channel as it is in production.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use layer_proto::cache::v1::doc_cache_service_server::DocCacheServiceServer;
use layer_service::metrics::Metrics;
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_stream::wrappers::TcpListenerStream;

use super::{
    fake::{self, Net},
    has_lease, keys,
};
use crate::{Affects, CacheService, CacheSettings, GetOutcome, Outcome, Warmth};

/// Serves the fake on `address`, in a runtime of its own: when that goes, so does every connection.
struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    fn start(net: &Net, address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let service = DocCacheServiceServer::new(fake::replica(net, 1));
        let listener = bind(address);
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let incoming = TcpListenerStream::new(TcpListener::from_std(listener).unwrap());
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await
        });
        Self { address, runtime: Some(runtime) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// Tries for a while: a server that was there before lets go of its port in the background.
fn bind(address: SocketAddr) -> std::net::TcpListener {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match std::net::TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < end, "{address}: {error}"),
        }
        std::thread::yield_now();
    }
}

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn settings(address: SocketAddr) -> CacheSettings {
    CacheSettings {
        addresses: vec![format!("localhost:{}", address.port())],
        // Answers come, whatever the machine does meanwhile.
        deadline_ms: 10_000,
        hold_deadline_ms: 10_000,
        ..CacheSettings::default()
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it never came to that")
}

#[tokio::test]
async fn a_replica_is_found_lost_and_found_again() {
    let net = Net::of(1);
    let server = Server::start(&net, ANY_PORT);
    let address = server.address;
    let service = CacheService::start(&settings(address), &Metrics::default()).unwrap();
    let cache = service.handle();
    let scope = cache.documents("n").unwrap();
    in_time(cache.warmth_changed(Warmth::Cold)).await;
    let gotten = cache.get(&scope, &keys(0..200), None).await;
    assert_eq!(gotten.outcome, GetOutcome::Answered);
    assert!(gotten.lookups.iter().all(has_lease));

    drop(server);
    in_time(async { while cache.get(&scope, &keys(0..1), None).await.outcome == GetOutcome::Answered {} }).await;
    let write = in_time(cache.begin(&scope, Affects::Keys(keys(0..1)), None)).await.unwrap();
    write.finish(Outcome::Changed(Vec::new())).await.unwrap();
    in_time(cache.warmth_changed(Warmth::Warm)).await;

    let _server = Server::start(&net, address);
    in_time(cache.warmth_changed(Warmth::Cold)).await;
    in_time(service.stop(Duration::from_secs(20))).await;
    assert_eq!(cache.state().backlog_keys, 0);
}

/// Each worker has a runtime of its own, and the service another.
#[test]
fn workers_have_runtimes_of_their_own() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (main, net) = (runtime(), Net::of(1));
    let server = Server::start(&net, ANY_PORT);
    let service = main.block_on(async { CacheService::start(&settings(server.address), &Metrics::default()).unwrap() });
    let (sender, mut found) = tokio::sync::mpsc::channel(2);
    let workers: Vec<_> = (0..2_u64)
        .map(|n| {
            let (cache, sender) = (service.handle(), sender.clone());
            std::thread::spawn(move || {
                runtime().block_on(async {
                    let scope = cache.documents("n").unwrap();
                    in_time(cache.warmth_changed(Warmth::Cold)).await;
                    let write = cache.begin(&scope, Affects::Keys(keys(n..n + 1)), None).await.unwrap();
                    assert!(write.is_held());
                    write.finish(Outcome::Changed(Vec::new())).await.unwrap();
                    sender.send(cache.get(&scope, &keys(n..n + 1), None).await).await.unwrap();
                });
            })
        })
        .collect();
    drop(sender);
    let stopped = service.handle();
    main.block_on(in_time(async {
        for _ in &workers {
            assert!(found.recv().await.expect("a worker has failed").lookups.iter().all(has_lease));
        }
    }));
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!(stopped.state().backlog_keys, 0);
}

#[tokio::test]
async fn files_of_tls_are_refused_by_their_setting() {
    let refused = |change: fn(&mut CacheSettings)| {
        let mut settings = settings(SocketAddr::from(([127, 0, 0, 1], 1)));
        settings.tls.enabled = true;
        change(&mut settings);
        CacheService::start(&settings, &Metrics::default()).expect_err("must be refused").to_string()
    };
    fn missing() -> Option<std::path::PathBuf> {
        Some("/nowhere/x.pem".into())
    }
    let error = refused(|settings| settings.tls.ca_file = missing());
    assert!(error.contains("`cache.tls.ca_file`"), "{error}");
    let error = refused(|settings| (settings.tls.certificate_file, settings.tls.key_file) = (missing(), missing()));
    assert!(error.contains("`cache.tls.certificate_file`"), "{error}");
}
