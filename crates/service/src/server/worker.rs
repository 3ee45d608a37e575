//! The worker threads.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::{
    MakeApplication, Options,
    connection::{Connections, Place, serve_connection},
};
use crate::lifecycle::{Lifecycle, Stage};

/// Accepted connections that wait for their worker. It takes them at once; the bound only catches a worker that is stuck.
const HANDOVER_QUEUE: usize = 1024;

/// Counted from here on, so that a burst is spread over the workers.
type Accepted = (std::net::TcpStream, SocketAddr, Place);

struct Worker {
    queue: mpsc::Sender<Accepted>,
    connections: Connections,
    done: oneshot::Receiver<()>,
}

/// All workers of one port.
pub(super) struct Workers(Vec<Worker>);

impl Workers {
    pub(super) fn start<M: MakeApplication>(make: Arc<M>, options: &Options, lifecycle: &Lifecycle) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let count = if options.listen.workers == 0 { cores } else { options.listen.workers };
        let start = |index| Worker::start(index, count, Arc::clone(&make), options.clone(), lifecycle.clone());
        Self((0..count).map(start).collect())
    }

    /// Open connections of all workers.
    pub(super) fn connections(&self) -> usize {
        self.0.iter().map(|worker| worker.connections.count()).sum()
    }

    /// Gives a connection to the worker that has the fewest.
    pub(super) fn hand_over(&self, stream: std::net::TcpStream, address: SocketAddr) -> io::Result<()> {
        let worker = self.0.iter().min_by_key(|worker| worker.connections.count());
        let worker = worker.ok_or_else(|| io::Error::other("there are no workers"))?;
        let place = worker.connections.enter();
        worker.queue.try_send((stream, address, place)).map_err(|_| io::Error::other("the worker takes no connections"))
    }

    /// Takes no more connections and waits for those that are open.
    pub(super) async fn join(self) {
        for worker in self.0 {
            drop(worker.queue);
            // An error means that the worker is gone, which is what this waits for.
            let _ = worker.done.await;
        }
    }
}

impl Worker {
    fn start<M: MakeApplication>(
        index: usize,
        count: usize,
        make: Arc<M>,
        options: Options,
        lifecycle: Lifecycle,
    ) -> Self {
        let (queue, accepted) = mpsc::channel(HANDOVER_QUEUE);
        let (finished, done) = oneshot::channel();
        let connections = Connections(Arc::new(AtomicUsize::new(0)));
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("the system has an event queue left for a worker");
            runtime.block_on(serve(accepted, &*make, (index, count), options, lifecycle));
            // The receiver is gone only when nobody waits.
            let _ = finished.send(());
        };
        let spawned = thread::Builder::new().name(format!("worker-{index}")).spawn(run);
        spawned.expect("the system has a thread left for a worker");
        Self { queue, connections, done }
    }
}

async fn serve<M: MakeApplication>(
    mut accepted: mpsc::Receiver<Accepted>,
    make: &M,
    (index, count): (usize, usize),
    options: Options,
    lifecycle: Lifecycle,
) {
    let application = make.make(index, count);
    let options = Arc::new(options);
    let mut open = JoinSet::new();
    let cut = lifecycle.reached(Stage::Cut);
    tokio::pin!(cut);
    loop {
        tokio::select! {
            next = accepted.recv() => match next {
                None => break,
                Some((stream, address, place)) => if let Ok(stream) = TcpStream::from_std(stream) {
                    let (application, options) = (application.clone(), Arc::clone(&options));
                    open.spawn(serve_connection(stream, address, application, options, lifecycle.clone(), place));
                }
            },
            Some(_) = open.join_next() => {}
            () = &mut cut => return,
        }
    }
    tokio::select! {
        () = async { while open.join_next().await.is_some() {} } => {}
        () = &mut cut => open.abort_all(),
    }
}

impl Connections {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
