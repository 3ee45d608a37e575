//! The properties themselves: given any bytes, what the crate makes of them is what the model says.

use bytes::Bytes;
use layer_wire::{
    IdLimits, Pieces, QueryRewriter, QuerySummary, Rejection, Touched, WriteOptions, WriteRewriter, WriteSummary,
    strip_reserved_metadata, strip_reserved_schema,
};

use super::{Document, Fault, parse, query, strip, touched, write};

/// More than any body here has.
const LIMITS: IdLimits = IdLimits { ids_max: 1_000_000, bytes_max: 1 << 30 };

/// The chunks of `body` when it is cut into pieces of `sizes`, over and over.
pub fn chunks<'a>(body: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = Bytes> + 'a {
    let mut rest = body;
    let mut sizes = sizes.iter().copied().filter(|size| *size > 0).cycle();
    std::iter::from_fn(move || {
        let size = sizes.next().unwrap_or(rest.len()).min(rest.len());
        let (chunk, after) = rest.split_at(size);
        rest = after;
        (size > 0).then(|| Bytes::copy_from_slice(chunk))
    })
}

pub fn rewrite_write(
    body: &[u8],
    options: WriteOptions,
    sizes: &[usize],
) -> Result<(Vec<u8>, WriteSummary), Rejection> {
    let (mut rewriter, mut out) = (WriteRewriter::new(options), Pieces::new());
    for chunk in chunks(body, sizes) {
        rewriter.push(chunk, &mut out)?;
    }
    let summary = rewriter.finish(&mut out)?;
    Ok((collect(&mut out), summary))
}

pub fn track_write(
    body: &[u8],
    options: WriteOptions,
    sizes: &[usize],
) -> Result<(Vec<u8>, WriteSummary, Touched), Rejection> {
    let (mut rewriter, mut out) = (WriteRewriter::new(options).tracked(LIMITS), Pieces::new());
    for chunk in chunks(body, sizes) {
        rewriter.push(chunk, &mut out)?;
    }
    let (summary, touched) = rewriter.finish_tracked(&mut out)?;
    Ok((collect(&mut out), summary, touched.expect("it is tracked")))
}

pub fn rewrite_query(body: &[u8], sizes: &[usize]) -> Result<(Vec<u8>, QuerySummary), Rejection> {
    let (mut rewriter, mut out) = (QueryRewriter::new(), Pieces::new());
    for chunk in chunks(body, sizes) {
        rewriter.push(chunk, &mut out)?;
    }
    let summary = rewriter.finish(&mut out)?;
    Ok((collect(&mut out), summary))
}

fn collect(out: &mut Pieces) -> Vec<u8> {
    let announced = out.len_bytes();
    let bytes: Vec<u8> = out.drain().flatten().collect();
    assert_eq!(bytes.len() as u64, announced, "the announced length");
    bytes
}

/// A write is what the model makes of it; what is no JSON does not become JSON; chunks do not matter.
pub fn check_write(body: &[u8], options: WriteOptions, sizes: &[usize]) {
    let outcome = rewrite_write(body, options, &[]);
    assert_eq!(rewrite_write(body, options, sizes), outcome, "chunks change the outcome");
    match parse(body) {
        Ok(document) => {
            let outcome = outcome.map(|(bytes, summary)| (text(bytes), summary)).map_err(|refusal| refusal.kind);
            assert_eq!(outcome, write::rewrite(&document, options));
        }
        Err(Fault::Invalid) => {
            if let Ok((bytes, _)) = outcome {
                assert_eq!(parse(&bytes), Err(Fault::Invalid), "{}", String::from_utf8_lossy(&bytes));
            }
        }
        Err(Fault::TooDeep) => {}
    }
}

/// The same where somebody asks what the write touches; beside that, nothing but the question to the origin is added.
pub fn check_tracked_write(body: &[u8], options: WriteOptions, sizes: &[usize]) {
    let outcome = track_write(body, options, &[]);
    assert_eq!(track_write(body, options, sizes), outcome, "chunks change the outcome");
    match (parse(body), outcome) {
        (Ok(document), Ok((bytes, summary, found))) => {
            let (expected, of_model) = write::rewrite(&document, options).expect("the model accepts it too");
            assert_eq!((text(bytes), summary), (touched::ask(&document, expected), of_model));
            assert_eq!(touched::comparable(&found), touched::touched(&document));
        }
        (Ok(document), Err(refusal)) => {
            assert_eq!(write::rewrite(&document, options).map(|_| ()), Err(refusal.kind));
        }
        (Err(Fault::Invalid), Ok((bytes, ..))) => {
            assert_eq!(parse(&bytes), Err(Fault::Invalid), "{}", String::from_utf8_lossy(&bytes));
        }
        (Err(_), _) => {}
    }
}

/// The same for a query, which is never refused within the hold, and not changed where it is no JSON at all.
pub fn check_query(body: &[u8], sizes: &[usize]) {
    let outcome = rewrite_query(body, &[]);
    assert_eq!(rewrite_query(body, sizes), outcome, "chunks change the outcome");
    let (bytes, summary) = outcome.expect("the body is shorter than the hold");
    match parse(body) {
        Ok(document) => assert_eq!((text(bytes), summary), query::rewrite(&document)),
        Err(Fault::Invalid) => assert_eq!(parse(&bytes), Err(Fault::Invalid), "{}", String::from_utf8_lossy(&bytes)),
        Err(Fault::TooDeep) => {}
    }
}

/// Stripping takes out what the model takes out; what is no JSON stays as it is.
pub fn check_strip(body: &[u8]) {
    let bytes = Bytes::copy_from_slice(body);
    check_stripped(body, &strip_reserved_schema(bytes.clone()), strip::schema);
    check_stripped(body, &strip_reserved_metadata(bytes), strip::metadata);
}

fn check_stripped(body: &[u8], stripped: &[u8], model: fn(&Document) -> Document) {
    match parse(body) {
        Ok(document) => {
            let result = parse(stripped).expect("a stripped document is a document");
            assert_eq!(strip::compact(&result), strip::compact(&model(&document)));
            if model(&document) == document {
                assert_eq!(stripped, body, "nothing to strip, yet changed");
            }
        }
        Err(Fault::Invalid) => assert_eq!(stripped, body, "no JSON, yet changed"),
        Err(Fault::TooDeep) => {}
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("a valid body stays valid UTF-8")
}
