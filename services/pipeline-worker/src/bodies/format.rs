//! How chunks are stored: a protobuf message, compressed with zstd as a whole.
//!
//! The digest is of the message, not of what compression made of it: it names the content whatever the compressor's
//! version, and is checked at every read, whether from the cache or from the object store.

use bytes::Bytes;
use layer_object_store::Error;
use layer_proto::pipeline::v1::Chunk;
use prost::Message;
use sha2::{Digest as _, Sha256};

use super::{BODY_BYTES_MAX, ReadError};

/// Fast, and texts become a third.
const LEVEL: i32 = 3;

/// A stored body. Its fields are numbered for ever: stored bodies outlive releases.
#[derive(Clone, PartialEq, Message)]
struct Stored {
    #[prost(message, repeated, tag = "1")]
    chunks: Vec<Chunk>,
}

/// The message that holds `chunks`: the same chunks give the same bytes.
pub(super) fn encode(chunks: &[Chunk]) -> Bytes {
    Stored { chunks: chunks.to_vec() }.encode_to_vec().into()
}

pub(super) fn decode(plain: Bytes) -> Result<Vec<Chunk>, ReadError> {
    let stored = Stored::decode(plain).map_err(|_| ReadError::Damaged("it is no list of chunks"))?;
    Ok(stored.chunks)
}

/// The first 64 bits of the content's SHA-256.
pub(super) fn digest(plain: &[u8]) -> i64 {
    let hash = Sha256::digest(plain);
    i64::from_be_bytes(hash[..8].try_into().expect("a SHA-256 has 32 bytes"))
}

/// More than this is compressed on a thread of its own: it takes longer than others may wait, in bytes.
const LONG: usize = 128 * 1024;

/// Compresses, beside other work.
pub(super) async fn compressed(plain: Bytes) -> Result<Bytes, Error> {
    match plain.len() > LONG {
        true => beside(move || compress(&plain)).await,
        false => compress(&plain),
    }
}

/// Compresses each by itself, and answers where each ends in what they are together.
pub(super) async fn compressed_together(plain: Vec<Bytes>) -> Result<(Vec<u32>, Bytes), Error> {
    match plain.iter().map(Bytes::len).sum::<usize>() > LONG {
        true => beside(move || compress_together(&plain)).await,
        false => compress_together(&plain),
    }
}

/// Decompresses, beside other work.
pub(super) async fn decompressed(compressed: Bytes) -> Result<Bytes, ReadError> {
    match compressed.len() > LONG / 4 {
        true => beside(move || decompress(&compressed)).await,
        false => decompress(&compressed),
    }
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The process ends: nobody waits for this any more.
        Err(_) => std::future::pending().await,
    }
}

fn compress(plain: &[u8]) -> Result<Bytes, Error> {
    zstd::bulk::compress(plain, LEVEL).map(Bytes::from).map_err(|error| not_compressed(&error))
}

fn compress_together(plain: &[Bytes]) -> Result<(Vec<u32>, Bytes), Error> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).map_err(|error| not_compressed(&error))?;
    let (mut ends, mut bytes) = (Vec::with_capacity(plain.len()), Vec::new());
    for plain in plain {
        bytes.extend(compressor.compress(plain).map_err(|error| not_compressed(&error))?);
        ends.push(u32::try_from(bytes.len()).map_err(|error| not_compressed(&error))?);
    }
    Ok((ends, bytes.into()))
}

fn not_compressed(error: &dyn std::fmt::Display) -> Error {
    Error::Refused(format!("it cannot be compressed: {error}"))
}

fn decompress(compressed: &[u8]) -> Result<Bytes, ReadError> {
    let bound = zstd::bulk::Decompressor::upper_bound(compressed).unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX);
    let plain = zstd::bulk::decompress(compressed, bound);
    plain.map(Bytes::from).map_err(|_| ReadError::Damaged("it cannot be decompressed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks() -> Vec<Chunk> {
        let chunk = |id: &str, text: Option<&str>| Chunk {
            chunk_id: id.to_owned(),
            text: text.map(str::to_owned),
            metadata_json: r#"{"page":1}"#.to_owned(),
        };
        vec![chunk("a", Some("blue whale")), chunk("b", None)]
    }

    #[test]
    fn chunks_come_back_as_they_were() {
        let plain = encode(&chunks());
        let stored = compress(&plain).unwrap();
        assert_eq!(decode(decompress(&stored).unwrap()).unwrap(), chunks());
        assert_eq!(decode(decompress(&compress(&encode(&[])).unwrap()).unwrap()).unwrap(), []);
    }

    #[test]
    fn another_content_has_another_digest() {
        let mut other = chunks();
        other[1].text = Some(String::new());
        assert_ne!(digest(&encode(&chunks())), digest(&encode(&other)));
        assert_eq!(digest(&encode(&chunks())), digest(&encode(&chunks())));
    }

    #[test]
    fn what_is_damaged_is_told() {
        assert!(matches!(decompress(b"no zstd"), Err(ReadError::Damaged(_))));
        assert!(matches!(decode(Bytes::from_static(b"\xff\xff")), Err(ReadError::Damaged(_))));
    }
}
