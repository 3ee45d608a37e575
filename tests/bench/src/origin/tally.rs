//! What the fake origin saw in the bodies it looked into.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

use crate::bodies::ROW_START;

/// Where the tally is served.
pub(super) const TALLY_TARGET: &str = "/tally";

/// How long the tally may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The name of the stamp that Layer adds to every row, with the quotes and colon around it.
const STAMP: &str = r#""_hevlayer_upserted_at":"#;

/// What Layer puts in the place of `include_attributes: true`.
const EXCLUSION: &str = r#""exclude_attributes""#;

/// Counts over all requests to counted namespaces since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Requests read to their end.
    pub requests: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// Rows that `bodies::row` made.
    pub rows: u64,
    /// Stamps, one of which may be the schema's declaration of the stamp.
    pub stamps: u64,
    /// Queries rewritten to leave reserved attributes out.
    pub exclusions: u64,
    /// Queries for documents by their ids, of all namespaces.
    pub lookups: u64,
}

impl Tally {
    /// Asks the fake origin at `address` for its tally.
    ///
    /// # Errors
    /// When it cannot be reached or answers something else.
    pub fn fetch(address: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(address).context("the tally")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {TALLY_TARGET} HTTP/1.1\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).context("the tally")?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).context("the tally")
    }

    /// What was added since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            body_bytes: self.body_bytes - earlier.body_bytes,
            rows: self.rows - earlier.rows,
            stamps: self.stamps - earlier.stamps,
            exclusions: self.exclusions - earlier.exclusions,
            lookups: self.lookups - earlier.lookups,
        }
    }
}

/// Looks into one body as it streams by.
#[derive(Debug)]
pub(super) struct Watch {
    rows: Occurrences,
    stamps: Occurrences,
    exclusions: Occurrences,
    body_bytes: u64,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            rows: Occurrences::of(ROW_START),
            stamps: Occurrences::of(STAMP),
            exclusions: Occurrences::of(EXCLUSION),
            body_bytes: 0,
        }
    }

    pub(super) fn see(&mut self, data: &[u8]) {
        self.body_bytes += data.len() as u64;
        self.rows.see(data);
        self.stamps.see(data);
        self.exclusions.see(data);
    }

    /// Adds what was seen to `tally`, as one request.
    pub(super) fn settle(&self, tally: &mut Tally) {
        tally.requests += 1;
        tally.body_bytes += self.body_bytes;
        tally.rows += self.rows.count;
        tally.stamps += self.stamps.count;
        tally.exclusions += self.exclusions.count;
    }
}

/// Counts a text in a stream, also where two pieces meet.
#[derive(Debug)]
struct Occurrences {
    finder: Finder<'static>,
    /// The last bytes seen, always fewer than the text has.
    tail: Vec<u8>,
    count: u64,
}

impl Occurrences {
    fn of(text: &'static str) -> Self {
        Self { finder: Finder::new(text), tail: Vec::with_capacity(2 * text.len()), count: 0 }
    }

    fn see(&mut self, data: &[u8]) {
        let overlap = self.finder.needle().len() - 1;
        // Neither side of the seam can hold the whole text, so nothing is counted twice.
        self.tail.extend_from_slice(&data[..data.len().min(overlap)]);
        self.count += self.finder.find_iter(&self.tail).count() as u64;
        self.count += self.finder.find_iter(data).count() as u64;
        if data.len() >= overlap {
            self.tail.clear();
            self.tail.extend_from_slice(&data[data.len() - overlap..]);
        } else {
            let excess = self.tail.len().saturating_sub(overlap);
            self.tail.drain(..excess);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_counted_once_however_the_stream_is_cut() {
        let body = format!(r#"[{ROW_START}1",{STAMP}1}},{ROW_START}2",{STAMP}2}}],{EXCLUSION}:[]"#);
        for size in 1..=body.len() {
            let mut watch = Watch::new();
            body.as_bytes().chunks(size).for_each(|piece| watch.see(piece));
            let mut tally = Tally::default();
            watch.settle(&mut tally);
            let expected =
                Tally { requests: 1, body_bytes: body.len() as u64, rows: 2, stamps: 2, exclusions: 1, lookups: 0 };
            assert_eq!(tally, expected, "in pieces of {size}");
        }
    }
}
