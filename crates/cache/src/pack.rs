//! Bodies as they travel: compressed where that makes them smaller.

use std::borrow::Cow;

use bytes::Bytes;
use layer_proto::cache::v1;

use crate::value::{ABSENT, Body, DOCUMENT};

/// The fastest level: rows are small, and the processor is what a router is short of.
const LEVEL: i32 = 1;
/// The largest body, uncompressed, that is sent or unpacked: a frame that claims more is garbage.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A body to send; compressed from `min` bytes on, never where `min` is 0.
pub(crate) fn pack(body: Body, min: usize) -> v1::Body {
    let (data, compression) = match min > 0 && body.data.len() >= min {
        true => compressed(body.data),
        false => (body.data, v1::Compression::Unspecified),
    };
    v1::Body { data, content_type: body.content_type.into_owned(), compression: compression.into() }
}

fn compressed(data: Bytes) -> (Bytes, v1::Compression) {
    match zstd::bulk::compress(&data, LEVEL) {
        Ok(smaller) if smaller.len() < data.len() => (smaller.into(), v1::Compression::Zstd),
        _ => (data, v1::Compression::Unspecified),
    }
}

/// A body that came; `None` where it is garbage.
pub(crate) fn unpack(body: v1::Body) -> Option<Body> {
    let data = match v1::Compression::try_from(body.compression).ok()? {
        v1::Compression::Unspecified => body.data,
        v1::Compression::Zstd => decompressed(&body.data)?,
    };
    let content_type = match body.content_type.as_str() {
        DOCUMENT => Cow::Borrowed(DOCUMENT),
        ABSENT => Cow::Borrowed(ABSENT),
        _ => Cow::Owned(body.content_type),
    };
    Some(Body { data, content_type })
}

/// How many bytes a body that came has unpacked; `None` where it is garbage.
pub(crate) fn size(body: &v1::Body) -> Option<usize> {
    match v1::Compression::try_from(body.compression).ok()? {
        v1::Compression::Unspecified => Some(body.data.len()),
        v1::Compression::Zstd => decompressed_size(&body.data),
    }
}

fn decompressed_size(data: &[u8]) -> Option<usize> {
    let size = zstd::zstd_safe::get_frame_content_size(data).ok()??;
    usize::try_from(size).ok().filter(|size| *size <= BODY_BYTES_MAX)
}

fn decompressed(data: &[u8]) -> Option<Bytes> {
    let size = decompressed_size(data)?;
    let whole = zstd::bulk::decompress(data, size).ok()?;
    (whole.len() == size).then(|| whole.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &[u8]) -> Body {
        Body { data: Bytes::copy_from_slice(bytes), content_type: "text/plain".into() }
    }

    #[test]
    fn compresses_what_shrinks_and_gives_it_back() {
        let text = body(&b"a row that repeats itself. ".repeat(300));
        let packed = pack(text.clone(), 4096);
        assert_eq!(packed.compression(), v1::Compression::Zstd);
        assert_eq!(size(&packed), Some(text.data.len()));
        assert!(packed.data.len() < text.data.len() / 10);
        assert_eq!(unpack(packed), Some(text.clone()));
        assert_eq!(pack(text.clone(), 0).data, text.data);
        assert_eq!(pack(text.clone(), text.data.len() + 1).compression(), v1::Compression::Unspecified);
        let noise = body(&(0..8192).map(|_| fastrand::u8(..)).collect::<Vec<_>>());
        assert_eq!(pack(noise.clone(), 4096).compression(), v1::Compression::Unspecified);
        assert_eq!(unpack(pack(Body::document("{}"), 1)), Some(Body::document("{}")));
    }

    #[test]
    fn refuses_garbage_and_bombs() {
        let zstd = |data: Bytes| v1::Body { data, content_type: String::new(), compression: 1 };
        let good = compressed(Bytes::from(vec![b'x'; 10_000])).0;
        assert!(unpack(zstd(good.clone())).is_some());
        assert_eq!(unpack(zstd(good.slice(..good.len() - 3))), None);
        assert_eq!(unpack(zstd(Bytes::from_static(b"no zstd"))), None);
        assert_eq!(unpack(v1::Body { compression: 9, ..v1::Body::default() }), None);
        let bomb = zstd::bulk::compress(&vec![0; BODY_BYTES_MAX + 1], 1).unwrap();
        assert!(bomb.len() < 100_000);
        assert_eq!(unpack(zstd(bomb.into())), None);
    }
}
