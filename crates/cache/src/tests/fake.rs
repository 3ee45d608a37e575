//! A fake of doc-cache and of the network to it: in memory, so that time can stand still, and obedient, so that a replica
//! hangs, resets, answers garbage, dies and comes back when a test says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hyper_util::rt::TokioIo;
use layer_proto::cache::v1::{
    self, doc_cache_service_server::DocCacheService, doc_cache_service_server::DocCacheServiceServer, lookup::Outcome,
};
use tokio::{
    io::DuplexStream,
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep_until, timeout},
};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint},
};

use layer_replicas::Resolve;

use crate::channels::Dial;

/// What a slow call takes: longer than a hedge waits, and two of them less than a write does.
const SLOW: Duration = Duration::from_millis(400);
/// What a slow key takes: five hundred of them take longer than a write does.
const SLOW_KEY: Duration = Duration::from_millis(2);

/// What a replica does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    /// Its work.
    #[default]
    Well,
    /// Refuses connections; those that are open break.
    Dead,
    /// Connecting to it never ends; those that are open are silent.
    BlackHole,
    /// Takes calls and never answers.
    Hangs,
    /// Answers reads, and never answers what writes tell it.
    HangsOnWrites,
    /// Answers the first look-up of a batch, and fails.
    Breaks,
    /// Answers look-ups of one key, and never one of several.
    HangsOnBatches,
    /// Takes a while for every call that clears keys.
    SlowClears,
    /// Takes a while for every key that writes tell it of.
    SlowKeys,
    /// Answers the first hundred lookups of a batch, and no more.
    Stalls,
    /// Fails every call.
    Fails,
    /// Serves nothing, as it has no proof that holds go through.
    Unproven,
    /// Answers lookups with this, whatever was asked.
    Says(Vec<v1::IndexedLookup>),
}

/// A key's record.
#[derive(Debug, Default)]
struct Record {
    token: u64,
    value: Option<v1::Body>,
    holds: BTreeSet<Vec<u8>>,
}

/// The backend that all replicas share, and what it was told.
#[derive(Debug, Default)]
pub(crate) struct Backend {
    records: BTreeMap<(String, Vec<u8>), Record>,
    tokens: u64,
    /// Every message of a write that was taken, in order: `hold n 2`, `purge n`.
    pub(crate) told: Vec<String>,
    /// The times to live of fills.
    pub(crate) ttls: Vec<u64>,
    /// What calls for people say of the span that they come from.
    pub(crate) parents: Vec<String>,
}

impl Backend {
    fn record(&mut self, scope: &Option<v1::Scope>, id: &[u8]) -> &mut Record {
        let namespace = scope.as_ref().map(|scope| scope.namespace.clone()).unwrap_or_default();
        self.tokens += 1;
        let fresh = self.tokens;
        self.records.entry((namespace, id.to_vec())).or_insert_with(|| Record { token: fresh, ..Record::default() })
    }

    /// Removes the value and ends leases.
    fn clear(&mut self, scope: &Option<v1::Scope>, id: &[u8]) -> &mut Record {
        self.tokens += 1;
        let fresh = self.tokens;
        let record = self.record(scope, id);
        (record.value, record.token) = (None, fresh);
        record
    }

    fn lookup(&mut self, scope: &Option<v1::Scope>, id: &[u8]) -> v1::Lookup {
        let record = self.record(scope, id);
        let outcome = match (&record.value, record.holds.is_empty()) {
            (Some(body), _) => Outcome::Hit(body.clone()),
            (None, true) => Outcome::Lease(v1::Lease { token: Bytes::copy_from_slice(&record.token.to_be_bytes()) }),
            (None, false) => Outcome::NoLease(v1::NoLease { reason: v1::NoLeaseReason::Held.into() }),
        };
        v1::Lookup { outcome: Some(outcome) }
    }

    fn fill(&mut self, scope: &Option<v1::Scope>, fill: v1::Fill) -> i32 {
        self.ttls.push(fill.ttl_ms);
        let record = self.record(scope, &fill.id);
        let lease = fill.lease.unwrap_or_default();
        if lease.token != record.token.to_be_bytes()[..] {
            return v1::FillStatus::LeaseEnded.into();
        }
        record.value = fill.body;
        v1::FillStatus::Stored.into()
    }

    fn tell(&mut self, what: &str, scope: &Option<v1::Scope>, count: usize) {
        let namespace = scope.as_ref().map(|scope| scope.namespace.as_str()).unwrap_or_default();
        // Probes are the handle's own business.
        if namespace != "hevlayer-probe" {
            self.told.push(format!("{what} {namespace} {count}"));
        }
    }

    fn came_from<T>(&mut self, request: &Request<T>) {
        let parent = request.metadata().get("traceparent").and_then(|parent| parent.to_str().ok());
        self.parents.extend(parent.map(str::to_owned));
    }

    /// Holds that are open.
    pub(crate) fn open_holds(&self) -> usize {
        self.records.values().map(|record| record.holds.len()).sum()
    }
}

#[derive(Debug, Default)]
struct Host {
    mode: Mode,
    connections: Vec<AbortHandle>,
    calls: usize,
}

/// What has come to the network so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// Look-ups of the name.
    pub(crate) look_ups: u64,
    /// Tries to connect to a replica.
    pub(crate) dials: u64,
    /// Calls that reached a replica, whatever it did with them, without probes.
    pub(crate) calls: u64,
}

/// Hosts, their names, and the backend behind them; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Net {
    inner: Arc<Mutex<Inner>>,
    backend: Arc<Mutex<Backend>>,
    seen: watch::Sender<Seen>,
}

#[derive(Debug, Default)]
struct Inner {
    hosts: BTreeMap<SocketAddr, Host>,
    /// What the one name resolves to; `None`: the look-up fails.
    name: Option<Vec<SocketAddr>>,
}

/// The address of the `n`th replica.
pub(crate) fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 8082))
}

impl Net {
    /// `count` replicas that are well, all found by name.
    pub(crate) fn of(count: u8) -> Self {
        let net = Self::default();
        (1..=count).for_each(|n| net.set(n, Mode::Well));
        net.name(1..=count);
        net
    }

    /// The name resolves to these replicas from now on.
    pub(crate) fn name(&self, numbers: impl IntoIterator<Item = u8>) {
        self.lock().name = Some(numbers.into_iter().map(address).collect());
    }

    /// The name cannot be resolved from now on.
    pub(crate) fn nameless(&self) {
        self.lock().name = None;
    }

    /// The `n`th replica does this from now on.
    pub(crate) fn set(&self, n: u8, mode: Mode) {
        let mut inner = self.lock();
        let host = inner.hosts.entry(address(n)).or_default();
        if mode == Mode::Dead {
            host.connections.drain(..).for_each(|connection| connection.abort());
        }
        host.mode = mode;
    }

    /// Breaks the connections of the `n`th replica, which stays well.
    pub(crate) fn reset(&self, n: u8) {
        let mut inner = self.lock();
        let host = inner.hosts.entry(address(n)).or_default();
        host.connections.drain(..).for_each(|connection| connection.abort());
    }

    /// Calls that reached the `n`th replica, whatever it did with them, without probes.
    pub(crate) fn calls(&self, n: u8) -> usize {
        self.lock().hosts.get(&address(n)).map_or(0, |host| host.calls)
    }

    pub(crate) fn backend(&self) -> MutexGuard<'_, Backend> {
        self.backend.lock().unwrap()
    }

    /// Found by name, and answering calls.
    pub(crate) fn well(&self) -> usize {
        let inner = self.lock();
        let away = |mode: &Mode| matches!(mode, Mode::Dead | Mode::BlackHole | Mode::Hangs | Mode::Fails);
        let named = inner.name.iter().flatten();
        named.filter(|address| inner.hosts.get(address).is_some_and(|host| !away(&host.mode))).count()
    }

    /// Waits until `count` more of something came to the network, for ten minutes at the most.
    pub(crate) async fn more(&self, count: u64, of: impl Fn(&Seen) -> u64) {
        let mut watched = self.seen.subscribe();
        let enough = of(&watched.borrow_and_update()) + count;
        let came = watched.wait_for(|seen| of(seen) >= enough);
        timeout(Duration::from_secs(600), came).await.expect("it never came").unwrap();
    }

    /// Waits until what the name resolves to now is known: one look-up ends before the next begins.
    pub(crate) async fn looked_up(&self) {
        self.more(2, |seen| seen.look_ups).await;
    }

    /// What writes have told since the last time.
    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.backend().told)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn mode(&self, address: SocketAddr) -> Mode {
        self.lock().hosts.get(&address).map_or(Mode::Dead, |host| host.mode.clone())
    }

    async fn connect(self, address: SocketAddr) -> io::Result<TokioIo<DuplexStream>> {
        self.seen.send_modify(|seen| seen.dials += 1);
        match self.mode(address) {
            Mode::Dead => return Err(io::ErrorKind::ConnectionRefused.into()),
            Mode::BlackHole => std::future::pending().await,
            _ => {}
        }
        let (here, mut near) = tokio::io::duplex(256 * 1024);
        let (mut far, there) = tokio::io::duplex(256 * 1024);
        let replica = FakeReplica { net: self.clone(), address };
        let server = tonic::transport::Server::builder()
            .add_service(DocCacheServiceServer::new(replica))
            .serve_with_incoming(futures_util::stream::once(async { Ok::<_, io::Error>(there) }));
        tokio::spawn(async move { drop(server.await) });
        // The wire: cut by ending this task.
        let wire = tokio::spawn(async move { drop(tokio::io::copy_bidirectional(&mut near, &mut far).await) });
        let mut inner = self.lock();
        inner.hosts.entry(address).or_default().connections.push(wire.abort_handle());
        Ok(TokioIo::new(here))
    }
}

impl Dial for Net {
    fn channel(&self, address: SocketAddr, _host: &str) -> Result<Channel, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
        let net = self.clone();
        let connector = tower::service_fn(move |_| net.clone().connect(address));
        Ok(layer_replicas::shaped(endpoint, Duration::from_millis(300)).connect_with_connector_lazy(connector))
    }
}

#[async_trait]
impl Resolve for Net {
    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        self.seen.send_modify(|seen| seen.look_ups += 1);
        self.lock().name.clone().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[derive(Debug, Clone)]
struct FakeReplica {
    net: Net,
    address: SocketAddr,
}

impl FakeReplica {
    /// Does what the mode says, and returns the backend where that is to answer.
    async fn called(&self, write: bool, scope: &Option<v1::Scope>) -> Result<MutexGuard<'_, Backend>, Status> {
        let probe = scope.as_ref().is_some_and(|scope| scope.namespace == "hevlayer-probe");
        if !probe {
            self.net.lock().hosts.entry(self.address).or_default().calls += 1;
            self.net.seen.send_modify(|seen| seen.calls += 1);
        }
        match self.net.mode(self.address) {
            Mode::Hangs | Mode::BlackHole => std::future::pending().await,
            Mode::HangsOnWrites if write => std::future::pending().await,
            Mode::Fails => Err(Status::unavailable("the backend is away")),
            _ => Ok(self.net.backend()),
        }
    }

    fn lookups(&self, backend: &mut Backend, scope: &Option<v1::Scope>, ids: &[Bytes]) -> Vec<v1::IndexedLookup> {
        let unproven = v1::NoLease { reason: v1::NoLeaseReason::Unproven.into() };
        let mode = self.net.mode(self.address);
        if let Mode::Says(lookups) = mode {
            return lookups;
        }
        let one = |(index, id): (usize, &Bytes)| {
            let lookup = match mode {
                Mode::Unproven => v1::Lookup { outcome: Some(Outcome::NoLease(unproven)) },
                _ => backend.lookup(scope, id),
            };
            v1::IndexedLookup { index: u32::try_from(index).unwrap(), lookup: Some(lookup) }
        };
        ids.iter().enumerate().map(one).collect()
    }

    async fn each(
        &self,
        what: &str,
        scope: &Option<v1::Scope>,
        ids: &[Bytes],
        change: impl Fn(&mut Record),
    ) -> Result<(), Status> {
        // What is tested is how long it takes.
        match self.net.mode(self.address) {
            Mode::SlowClears if what == "clear" => sleep_until(Instant::now() + SLOW).await,
            Mode::SlowKeys => sleep_until(Instant::now() + SLOW_KEY * u32::try_from(ids.len()).unwrap()).await,
            _ => {}
        }
        let mut backend = self.called(true, scope).await?;
        ids.iter().for_each(|id| change(backend.clear(scope, id)));
        backend.tell(what, scope, ids.len());
        Ok(())
    }
}

type Pieces = Pin<Box<dyn Stream<Item = Result<v1::BatchGetResponse, Status>> + Send>>;

#[async_trait]
impl DocCacheService for FakeReplica {
    type BatchGetStream = Pieces;

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::GetResponse>, Status> {
        let request = request.into_inner();
        let mut backend = self.called(false, &request.scope).await?;
        let mut found = self.lookups(&mut backend, &request.scope, &[request.id]);
        Ok(Response::new(v1::GetResponse { lookup: found.pop().and_then(|found| found.lookup) }))
    }

    async fn batch_get(&self, request: Request<v1::BatchGetRequest>) -> Result<Response<Pieces>, Status> {
        let request = request.into_inner();
        if self.net.mode(self.address) == Mode::HangsOnBatches {
            std::future::pending::<()>().await;
        }
        let mut backend = self.called(false, &request.scope).await?;
        let found = self.lookups(&mut backend, &request.scope, &request.ids);
        let pieces: Vec<_> = found.chunks(100).map(|piece| v1::BatchGetResponse { lookups: piece.to_vec() }).collect();
        let pieces = futures_util::stream::iter(pieces).map(Ok);
        Ok(Response::new(match self.net.mode(self.address) {
            Mode::Breaks => {
                let first = v1::BatchGetResponse { lookups: found[..1].to_vec() };
                futures_util::stream::iter([Ok(first), Err(Status::unavailable("it broke"))]).boxed()
            }
            Mode::Stalls => pieces.take(1).chain(futures_util::stream::pending()).boxed(),
            _ => pieces.boxed(),
        }))
    }

    async fn batch_fill(
        &self,
        request: Request<v1::BatchFillRequest>,
    ) -> Result<Response<v1::BatchFillResponse>, Status> {
        let request = request.into_inner();
        let mut backend = self.called(false, &request.scope).await?;
        let statuses = request.fills.into_iter().map(|fill| backend.fill(&request.scope, fill)).collect();
        Ok(Response::new(v1::BatchFillResponse { statuses }))
    }

    async fn hold(&self, request: Request<v1::HoldRequest>) -> Result<Response<v1::HoldResponse>, Status> {
        let request = request.into_inner();
        let open = |record: &mut Record| {
            record.holds.insert(request.write_id.to_vec());
        };
        self.each("hold", &request.scope, &request.ids, open).await?;
        Ok(Response::new(v1::HoldResponse {}))
    }

    async fn release(&self, request: Request<v1::ReleaseRequest>) -> Result<Response<v1::ReleaseResponse>, Status> {
        let request = request.into_inner();
        let close = |record: &mut Record| {
            record.holds.remove(&request.write_id[..]);
        };
        self.each("release", &request.scope, &request.ids, close).await?;
        Ok(Response::new(v1::ReleaseResponse {}))
    }

    async fn hold_namespace(
        &self,
        request: Request<v1::HoldNamespaceRequest>,
    ) -> Result<Response<v1::HoldNamespaceResponse>, Status> {
        self.each("hold_namespace", &request.into_inner().scope, &[], |_| {}).await?;
        Ok(Response::new(v1::HoldNamespaceResponse {}))
    }

    async fn clear(&self, request: Request<v1::ClearRequest>) -> Result<Response<v1::ClearResponse>, Status> {
        let request = request.into_inner();
        self.each("clear", &request.scope, &request.ids, |_| {}).await?;
        Ok(Response::new(v1::ClearResponse {}))
    }

    async fn release_namespace(
        &self,
        request: Request<v1::ReleaseNamespaceRequest>,
    ) -> Result<Response<v1::ReleaseNamespaceResponse>, Status> {
        self.each("release_namespace", &request.into_inner().scope, &[], |_| {}).await?;
        Ok(Response::new(v1::ReleaseNamespaceResponse {}))
    }

    async fn purge_namespace(
        &self,
        request: Request<v1::PurgeNamespaceRequest>,
    ) -> Result<Response<v1::PurgeNamespaceResponse>, Status> {
        let v1::PurgeNamespaceRequest { tenant, namespace } = request.into_inner();
        let scope = Some(v1::Scope { tenant, namespace: namespace.clone(), kind: 1 });
        let mut backend = self.called(true, &scope).await?;
        backend.records.retain(|(of, _), _| *of != namespace);
        backend.tell("purge", &scope, 0);
        Ok(Response::new(v1::PurgeNamespaceResponse {}))
    }

    async fn inspect(&self, request: Request<v1::InspectRequest>) -> Result<Response<v1::InspectResponse>, Status> {
        self.net.backend().came_from(&request);
        let request = request.into_inner();
        let mut backend = self.called(false, &request.scope).await?;
        let record = backend.record(&request.scope, &request.id);
        let (stored, holds) = (record.value.is_some(), u32::try_from(record.holds.len()).unwrap());
        Ok(Response::new(v1::InspectResponse { stored, holds, ..v1::InspectResponse::default() }))
    }

    async fn stats(&self, request: Request<v1::StatsRequest>) -> Result<Response<v1::StatsResponse>, Status> {
        self.net.backend().came_from(&request);
        drop(self.called(false, &None).await?);
        Ok(Response::new(v1::StatsResponse { backend: "fake".to_owned(), ..v1::StatsResponse::default() }))
    }
}

/// A replica to be served elsewhere.
pub(crate) fn replica(net: &Net, n: u8) -> impl DocCacheService {
    FakeReplica { net: net.clone(), address: address(n) }
}
