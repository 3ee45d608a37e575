//! Vectors, in the form that the origin reads fastest without mistaking them.
//!
//! Base64 is compact and exact, but to the origin it is text unless it knows that the attribute is a vector: an
//! undeclared attribute would silently become a string. So base64 is used only where the attribute is known to be one.

use layer_proto::types::v1::{DenseVector, Floats, MultiVector, SparseVector, dense_vector::Elements};

use super::encoder::Encoder;

/// Most dimensions of a sparse vector that the origin takes.
const MAX_SPARSE_DIMENSIONS: usize = 1024;
const FINITE: &str = "must hold finite numbers only";
const WHOLE_FLOATS: &str = "must hold little-endian f32, four bytes each";

/// How a dense vector is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VectorForm {
    /// As base64 of little-endian f32.
    Base64,
    /// As an array of numbers.
    Numbers,
}

/// Writes a dense vector.
pub(super) fn dense(e: &mut Encoder<'_>, vector: &DenseVector, form: VectorForm) {
    match &vector.elements {
        Some(Elements::Floats(Floats { values })) => e.field("floats", |e| floats(e, values, form)),
        Some(Elements::LittleEndian(bytes)) => e.field("little_endian", |e| little_endian(e, bytes, form)),
        None => e.violation("must have floats or little_endian"),
    }
}

/// Writes a required dense vector.
pub(super) fn required_dense(e: &mut Encoder<'_>, vector: Option<&DenseVector>, form: VectorForm) {
    match vector {
        Some(vector) => dense(e, vector, form),
        None => e.violation("is required"),
    }
}

/// Writes a dense vector given as floats.
pub(super) fn floats(e: &mut Encoder<'_>, values: &[f32], form: VectorForm) {
    if !e.check(!values.is_empty(), "must not be empty") || !e.check(all_finite(values.iter().copied()), FINITE) {
        return;
    }
    match form {
        VectorForm::Base64 => e.json.base64_floats(values),
        VectorForm::Numbers => numbers(e, values.iter().copied()),
    }
}

/// Writes a dense vector given as little-endian f32.
pub(super) fn little_endian(e: &mut Encoder<'_>, bytes: &[u8], form: VectorForm) {
    let whole = !bytes.is_empty() && bytes.len().is_multiple_of(4);
    if !e.check(whole, WHOLE_FLOATS) || !e.check(all_finite(floats_of(bytes)), FINITE) {
        return;
    }
    match form {
        VectorForm::Base64 => e.json.base64(bytes),
        VectorForm::Numbers => numbers(e, floats_of(bytes)),
    }
}

/// Writes several vectors of one length. The origin reads those only as numbers.
pub(super) fn multi<'a>(e: &mut Encoder<'a>, multi: &'a MultiVector) {
    e.field("vectors", |e| {
        e.check(!multi.vectors.is_empty(), "must hold at least one vector");
        let length = multi.vectors.first().map(dimensions);
        e.list(&multi.vectors, |e, vector| {
            e.check(Some(dimensions(vector)) == length, "must have as many elements as the first vector");
            dense(e, vector, VectorForm::Numbers);
        });
    });
}

/// Writes a sparse vector.
pub(super) fn sparse<'a>(e: &mut Encoder<'a>, vector: &'a SparseVector) {
    e.field("weights", |e| {
        e.check(vector.weights.len() <= MAX_SPARSE_DIMENSIONS, "must have at most 1,024 dimensions");
        e.object(|e| {
            for (name, weight) in &vector.weights {
                e.json.key(name);
                e.entry(name, |e| e.check(weight.is_finite(), "must be finite"));
                e.json.scalar(weight);
            }
        });
    });
}

fn dimensions(vector: &DenseVector) -> usize {
    match &vector.elements {
        Some(Elements::Floats(floats)) => floats.values.len(),
        Some(Elements::LittleEndian(bytes)) => bytes.len() / 4,
        None => 0,
    }
}

fn numbers(e: &mut Encoder<'_>, values: impl Iterator<Item = f32>) {
    e.array(|e| values.for_each(|value| e.json.scalar(&value)));
}

fn all_finite(mut values: impl Iterator<Item = f32>) -> bool {
    values.all(f32::is_finite)
}

fn floats_of(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(4).map(|chunk| f32::from_le_bytes(chunk.try_into().expect("chunks of four bytes")))
}
