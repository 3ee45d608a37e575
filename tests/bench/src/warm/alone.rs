//! The origin read by the queries of a warm job, without Layer: pages of ids one after another, rows with as many queries in
//! flight as a job has.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::fetch::documents;

use super::client::Client;
use super::{PAGE_IDS, QUERIES, QUERY_IDS, origin};

/// Reads all documents; how long that took.
pub(super) fn read(address: SocketAddr, count: u64) -> Result<Duration> {
    let target = format!("/v2/namespaces/{}/query", origin::namespace(count));
    let begun = Instant::now();
    let (send, receive) = sync_channel::<Vec<u64>>(usize::try_from(PAGE_IDS / QUERY_IDS)?);
    let receive = Mutex::new(receive);
    thread::scope(|scope| {
        let readers: Vec<_> =
            (0..QUERIES).map(|_| scope.spawn(|| rows(Client::connect(address)?, &target, &receive))).collect();
        let mut lister = Client::connect(address)?;
        let mut after = None;
        loop {
            let page = lister.good("POST", &target, &origin::page(after, PAGE_IDS))?;
            let ids: Vec<u64> = origin::page_ids(after, PAGE_IDS, count).collect();
            let listed = memchr::memmem::find_iter(&page.body, br#""id":"#).count();
            ensure!(listed == ids.len(), "a page of {listed} ids, not {}", ids.len());
            after = ids.last().copied();
            let sent = ids.chunks(usize::try_from(QUERY_IDS)?).try_for_each(|some| send.send(some.to_vec()));
            if after.is_none() || sent.is_err() {
                break;
            }
        }
        drop(send);
        let read = readers.into_iter().map(|one| one.join().map_err(|_| anyhow!("a reader panicked"))?);
        let read: u64 = read.sum::<Result<u64>>()?;
        ensure!(read == count, "{read} documents of {count}");
        Ok(begun.elapsed())
    })
}

fn rows(mut client: Client, target: &str, pages: &Mutex<Receiver<Vec<u64>>>) -> Result<u64> {
    let mut read = 0;
    loop {
        // Held while it waits: whoever waits next waits for the lock instead.
        let next = pages.lock().map_err(|_| anyhow!("a reader panicked"))?.recv();
        let Ok(ids) = next else { return Ok(read) };
        let answer = client.good("POST", target, &documents::query(ids.iter().copied())).context("rows")?;
        ensure!(answer.body.len() > ids.len() * 1_000, "rows are missing in {} bytes", answer.body.len());
        read += ids.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::origin::{Server, Tally};
    use crate::relay;

    #[test]
    fn the_origin_is_read_by_the_queries_of_a_job_also_from_far_away() {
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let origin = server.address().unwrap();
        thread::spawn(move || server.serve());
        read(origin, 2_500).unwrap();
        // Two pages, one of which is empty, and three queries for rows.
        assert_eq!(Tally::fetch(origin).unwrap().lookups, 5);
        let delay = Duration::from_millis(20);
        let took = read(relay::start(origin, delay).unwrap(), 2_500).unwrap();
        // The pages come one after another; the rows of the first come beside the second.
        assert!(took >= 2 * delay, "{took:?}");
    }
}
