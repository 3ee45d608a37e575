//! How fast bodies pass: MB/s, and nanoseconds a body, for the shapes that matter.
//!
//! `cargo run --release -p layer-wire --example throughput [-- NAME]`: with a name only that shape runs, longer, for a
//! profiler.

use std::time::{Duration, Instant};

use bytes::Bytes;
use layer_wire::{Pieces, QueryRewriter, WriteOptions, WriteRewriter};

/// A body's name, its text, and whether it is a query.
type Shape = (&'static str, Bytes, bool);

fn main() {
    let only = std::env::args().nth(1);
    let time = Duration::from_millis(if only.is_some() { 5000 } else { 400 });
    println!("{:<26} {:>10} {:>10} {:>12}", "body", "bytes", "MB/s", "ns/body");
    for (name, body, is_query) in shapes() {
        if only.as_deref().is_none_or(|only| only == name) {
            measure(name, &body, is_query, time);
        }
    }
}

fn measure(name: &str, body: &Bytes, is_query: bool, time: Duration) {
    let pass = if is_query { query } else { write };
    let mut best = f64::INFINITY;
    let start = Instant::now();
    let batch = (4_000_000 / body.len()).max(1);
    while start.elapsed() < time {
        let begin = Instant::now();
        for _ in 0..batch {
            pass(body);
        }
        best = best.min(begin.elapsed().as_nanos() as f64 / batch as f64);
    }
    let speed = body.len() as f64 * 1000.0 / best;
    println!("{name:<26} {:>10} {speed:>10.0} {best:>12.0}", body.len());
}

/// Like a proxy: chunks of at most 64 KiB, each piece taken and dropped.
fn write(body: &Bytes) {
    let options = WriteOptions { upserted_at_ms: 1_763_000_000_000, allow_reserved: false };
    let (mut rewriter, mut out) = (WriteRewriter::new(options), Pieces::new());
    for chunk in chunks(body) {
        rewriter.push(chunk, &mut out).expect("the shapes are legal writes");
        take(&mut out);
    }
    rewriter.finish(&mut out).expect("the shapes are legal writes");
    take(&mut out);
}

fn query(body: &Bytes) {
    let (mut rewriter, mut out) = (QueryRewriter::new(), Pieces::new());
    for chunk in chunks(body) {
        rewriter.push(chunk, &mut out).expect("the shapes are legal queries");
        take(&mut out);
    }
    rewriter.finish(&mut out).expect("the shapes are legal queries");
    take(&mut out);
}

fn take(out: &mut Pieces) {
    out.drain().for_each(|piece| {
        std::hint::black_box(piece);
    });
}

fn chunks(body: &Bytes) -> impl Iterator<Item = Bytes> {
    const CHUNK: usize = 64 * 1024;
    (0..body.len()).step_by(CHUNK).map(|from| body.slice(from..body.len().min(from + CHUNK)))
}

fn shapes() -> Vec<Shape> {
    vec![
        ("write 1.3 KB base64", rows(1, |_| base64(210)), false),
        ("write 1.3 KB floats", rows(1, |_| floats(95)), false),
        ("write 14 KB base64", rows(1, |_| base64(2560)), false),
        ("write 14 KB floats", rows(1, |_| floats(1150)), false),
        ("write 14 KB small rows", rows(60, |_| base64(8)), false),
        ("write 14 KB columns", columns(10, |_| base64(240)), false),
        ("write 8 MB base64", rows(1300, |_| base64(1150)), false),
        ("write 8 MB floats", rows(1300, |_| floats(512)), false),
        ("write 8 MB columns", columns(1300, |_| floats(512)), false),
        ("write 8 MB deletes", deletes(1_000_000), false),
        ("query 1.3 KB", query_body(floats(95), "[\"title\"]"), true),
        ("query 1.3 KB changed", query_body(floats(95), "true"), true),
        ("query 14 KB", query_body(floats(1150), "[\"title\"]"), true),
    ]
    .into_iter()
    .map(|(name, body, is_query)| (name, Bytes::from(body), is_query))
    .collect()
}

fn rows(count: usize, vector: impl Fn(usize) -> String) -> String {
    let rows: Vec<_> = (0..count)
        .map(|id| {
            format!(
                r#"{{"id":{id},"vector":{},"title":"A title of some \"words\"","tags":["a","b"],"section":"libs","size":{}}}"#,
                vector(id),
                id * 7
            )
        })
        .collect();
    format!(r#"{{"distance_metric":"cosine_distance","upsert_rows":[{}]}}"#, rows.join(","))
}

fn columns(count: usize, vector: impl Fn(usize) -> String) -> String {
    let join = |value: &dyn Fn(usize) -> String| (0..count).map(value).collect::<Vec<_>>().join(",");
    format!(
        r#"{{"distance_metric":"cosine_distance","upsert_columns":{{"id":[{}],"vector":[{}],"title":[{}]}}}}"#,
        join(&|id| id.to_string()),
        join(&vector),
        join(&|id| format!("\"title {id}\"")),
    )
}

fn deletes(count: usize) -> String {
    let ids: Vec<_> = (0..count).map(|id| (id + 1_000_000).to_string()).collect();
    format!(r#"{{"deletes":[{}]}}"#, ids.join(","))
}

fn query_body(vector: String, include: &str) -> String {
    format!(
        r#"{{"rank_by":["vector","ANN",{vector}],"top_k":10,"filters":["And",[["section","Eq","libs"],["size","Gt",1]]],"include_attributes":{include}}}"#
    )
}

fn base64(floats: usize) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = (0..floats * 16 / 3).map(|at| alphabet[at * 31 % 64] as char);
    format!("\"{}\"", text.collect::<String>())
}

fn floats(count: usize) -> String {
    let values: Vec<_> = (0..count).map(|at| format!("{:.9}", (at as f64).sin())).collect();
    format!("[{}]", values.join(","))
}
