//! How a fuzz input says where its body is cut: three sizes and a flag come first.

/// The sizes of the chunks, a flag, and the body. An input too short for them is a body alone.
pub(crate) fn split(data: &[u8]) -> (Vec<usize>, bool, &[u8]) {
    let Some((head, body)) = data.split_first_chunk::<4>() else {
        return (Vec::new(), false, data);
    };
    let sizes = head[..3].iter().map(|size| usize::from(*size) + 1);
    (sizes.collect(), head[3] & 1 == 1, body)
}
