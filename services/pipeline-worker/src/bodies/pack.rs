//! Objects that several small bodies share.
//!
//! An object store takes as long for a small object as for a larger one, and bills both alike; a local disk syncs each. So
//! the small bodies of a call are written together, one after the other, each compressed by itself: a reader asks for its
//! own part only.

use bytes::Bytes;
use layer_object_store::{ByteRange, Error};

use super::{Packed, Place, format};
use crate::state::InPack;

/// A larger body is an object of its own, in bytes before compression.
const SMALL_BYTES: usize = 64 * 1024;
/// Bodies of one pack, so that one of them that lives on keeps few others.
const MEMBERS_MAX: usize = 256;
/// Bytes of one pack before compression.
const PACK_BYTES: usize = 1024 * 1024;

/// An object that is to be written.
pub(super) enum Object {
    /// One body, not compressed yet.
    Alone(Bytes),
    /// Several, compressed.
    Shared(Bytes),
}

impl Object {
    /// Its bytes in the store.
    pub(super) async fn compressed(self) -> Result<Bytes, Error> {
        match self {
            Self::Alone(plain) => format::compressed(plain).await,
            Self::Shared(compressed) => Ok(compressed),
        }
    }
}

/// The part of a pack that a body is.
pub(super) fn range(pack: &InPack) -> ByteRange {
    let start = u64::from(pack.start);
    ByteRange { start, end: Some(start + u64::from(pack.bytes)) }
}

/// The objects of bodies, each with its key. Bodies that share one are told so.
pub(super) async fn objects(packed: &mut [(Place<'_>, Packed)]) -> Result<Vec<(String, Object)>, Error> {
    let mut objects = Vec::new();
    for group in groups(packed) {
        objects.push(match group[..] {
            [alone] => {
                let (place, packed) = &packed[alone];
                (place.key(&packed.body), Object::Alone(packed.plain.clone()))
            }
            _ => share(packed, &group).await?,
        });
    }
    Ok(objects)
}

/// Bodies that share an object, by their places in the call: those of one stage that are small.
fn groups(packed: &[(Place<'_>, Packed)]) -> Vec<Vec<usize>> {
    let (mut groups, mut open) = (Vec::new(), Vec::<(Option<&str>, Vec<usize>, usize)>::new());
    for (at, (place, packed)) in packed.iter().enumerate() {
        let bytes = packed.plain.len();
        if bytes > SMALL_BYTES {
            groups.push(vec![at]);
            continue;
        }
        let found = open.iter().position(|(stage, ..)| *stage == place.stage);
        let place = found.unwrap_or_else(|| {
            open.push((place.stage, Vec::new(), 0));
            open.len() - 1
        });
        let (_, members, held) = &mut open[place];
        if members.len() == MEMBERS_MAX || *held + bytes > PACK_BYTES {
            groups.push(std::mem::take(members));
            *held = 0;
        }
        members.push(at);
        *held += bytes;
    }
    groups.extend(open.into_iter().map(|(_, members, _)| members));
    groups
}

/// The pack of a group.
async fn share(packed: &mut [(Place<'_>, Packed)], group: &[usize]) -> Result<(String, Object), Error> {
    let plain: Vec<_> = group.iter().map(|&at| packed[at].1.plain.clone()).collect();
    let (ends, bytes) = format::compressed_together(plain).await?;
    let id = fastrand::i64(..);
    let mut start = 0;
    for (&at, end) in group.iter().zip(ends) {
        packed[at].1.body.pack = Some(InPack { id, start, bytes: end - start });
        start = end;
    }
    let (place, first) = &packed[group[0]];
    let pack = InPack { id, start: 0, bytes: start };
    Ok((place.pack_key(&first.body, &pack), Object::Shared(bytes)))
}

#[cfg(test)]
mod tests {
    use layer_proto::pipeline::v1::Chunk;

    use super::*;

    fn packed(bytes: usize) -> Packed {
        let text = (0..bytes).map(|_| fastrand::alphanumeric()).collect();
        Packed::new(&[Chunk { text: Some(text), ..Chunk::default() }], 7)
    }

    fn all<'a>(bodies: &[(Option<&'a str>, usize)]) -> Vec<(Place<'a>, Packed)> {
        bodies.iter().map(|&(stage, bytes)| (Place { queue: 1, stage, document: "d" }, packed(bytes))).collect()
    }

    #[test]
    fn small_bodies_of_a_stage_share_and_large_ones_do_not() {
        let sizes = |bodies: &[(Option<&str>, usize)]| groups(&all(bodies));
        assert_eq!(sizes(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(sizes(&[(None, 9)]), [[0]]);
        assert_eq!(sizes(&[(None, 9), (None, 70_000), (None, 9)]), [vec![1], vec![0, 2]]);
        assert_eq!(sizes(&[(None, 9), (Some("a"), 9), (None, 9), (Some("a"), 9)]), [[0, 2], [1, 3]]);
        let many = sizes(&vec![(None, 9); MEMBERS_MAX + 1]);
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [MEMBERS_MAX, 1]);
        let full = sizes(&[(None, 60_000); 20]);
        assert_eq!(full.iter().map(Vec::len).collect::<Vec<_>>(), [17, 3]);
    }

    #[tokio::test]
    async fn each_part_is_its_body() {
        let mut bodies = all(&[(None, 10), (None, 70_000), (None, 500), (None, 0)]);
        let objects = objects(&mut bodies).await.unwrap();
        assert_eq!(objects.len(), 2);
        assert_eq!(bodies[1].1.body.pack, None);
        let Some((key, Object::Shared(bytes))) = objects.into_iter().nth(1) else { panic!("a pack") };
        for (place, packed) in [&bodies[0], &bodies[2], &bodies[3]] {
            let pack = packed.body.pack.unwrap();
            assert_eq!(place.pack_key(&packed.body, &pack), key);
            let ByteRange { start, end } = range(&pack);
            let part = bytes.slice(usize::try_from(start).unwrap()..usize::try_from(end.unwrap()).unwrap());
            assert_eq!(format::decompressed(part).await.unwrap(), packed.plain);
        }
    }
}
