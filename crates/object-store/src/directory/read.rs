//! Reading an object: the file is opened once, so that the whole answer is of one version.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::{Layout, meta};
use crate::{ByteRange, Error, Object, ObjectBody};

/// What is read at a time.
const CHUNK_BYTES: u64 = 256 * 1024;

pub(super) async fn get(layout: &Arc<Layout>, key: &str, range: Option<ByteRange>) -> Result<Object, Error> {
    let path = layout.path(key);
    let open = move |_: &Layout| {
        // Opening a directory would succeed.
        let mut file = if fs::metadata(&path)?.is_file() { File::open(&path)? } else { return Err(Error::NotFound) };
        let meta = meta(&file.metadata()?)?;
        let range = range.map_or(Ok(0..meta.size), |range| range.within(meta.size))?;
        file.seek(SeekFrom::Start(range.start))?;
        Ok((file, meta, range))
    };
    let (file, meta, range) = layout.run(open).await?;
    let length = range.end - range.start;
    let bytes = stream::try_unfold((Arc::clone(layout), file, length), |(layout, file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let (file, bytes) = layout.run(move |_| chunk(file, left)).await?;
        let left = left.saturating_sub(bytes.len() as u64);
        Ok((!bytes.is_empty()).then_some((bytes, (layout, file, left))))
    });
    Ok(Object { meta, range, body: ObjectBody::new(bytes.boxed(), length, layout.stall_timeout) })
}

fn chunk(mut file: File, left: u64) -> Result<(File, Bytes), Error> {
    let wanted = left.min(CHUNK_BYTES);
    let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
    (&mut file).take(wanted).read_to_end(&mut bytes)?;
    Ok((file, bytes.into()))
}
