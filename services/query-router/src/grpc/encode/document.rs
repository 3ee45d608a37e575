//! Documents to write, as rows and as columns.

use std::collections::{BTreeMap, BTreeSet};

use layer_proto::types::v1::attribute_schema_change::Kind as ChangeKind;
use layer_proto::types::v1::column::Kind;
use layer_proto::types::v1::dense_vector_column::Elements;
use layer_proto::types::v1::{AttributeSchemaChange, Column, Columns, DenseVectorColumn, Row, Value};

use super::encoder::Encoder;
use super::names;
use super::value;
use super::vector::{self, VectorForm};

const UNEVEN: &str = "must have as many values as there are ids";

/// Which attributes the origin knows to be dense vectors, whatever the namespace's schema says.
#[derive(Debug)]
pub(super) struct Vectors<'a>(BTreeSet<&'a str>);

impl<'a> Vectors<'a> {
    /// `vector` always is; others where this request declares them.
    pub(super) fn declared_by(schema: &'a BTreeMap<String, AttributeSchemaChange>) -> Self {
        let declared = schema.iter().filter(|(_, change)| declared_type(change).is_some_and(is_dense));
        Self(declared.map(|(name, _)| name.as_str()).chain(["vector"]).collect())
    }

    fn form(&self, attribute: &str) -> VectorForm {
        if self.0.contains(attribute) { VectorForm::Base64 } else { VectorForm::Numbers }
    }
}

fn declared_type(change: &AttributeSchemaChange) -> Option<&str> {
    match &change.kind {
        Some(ChangeKind::Config(config)) => Some(&config.r#type),
        Some(ChangeKind::TypeOnly(name)) => Some(name),
        _ => None,
    }
}

/// Float vectors of a fixed length; what the origin's own clients send as base64.
fn is_dense(name: &str) -> bool {
    name.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix("]f32").or_else(|| rest.strip_suffix("]f16")))
        .is_some_and(|dimensions| !dimensions.is_empty() && dimensions.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Writes a document as a row.
pub(super) fn row<'a>(e: &mut Encoder<'a>, row: &'a Row, vectors: &Vectors<'_>) {
    e.object(|e| {
        e.member("id", |e| value::required_id(e, row.id.as_ref()));
        e.field("attributes", |e| attributes(e, &row.attributes, vectors));
    });
}

/// Writes attributes into the current object.
pub(super) fn attributes<'a>(e: &mut Encoder<'a>, attributes: &'a BTreeMap<String, Value>, vectors: &Vectors<'_>) {
    for (name, value) in attributes {
        e.entry(name, |e| {
            names::attribute_key(e, name);
            value::attribute(e, value, vectors.form(name));
        });
    }
}

/// Writes documents as columns.
pub(super) fn columns<'a>(e: &mut Encoder<'a>, columns: &'a Columns, vectors: &Vectors<'_>) {
    e.object(|e| {
        e.json.key("id");
        e.field("ids", |e| e.list(&columns.ids, value::id));
        e.field("columns", |e| {
            for (name, values) in &columns.columns {
                e.entry(name, |e| {
                    names::attribute_key(e, name);
                    column(e, values, columns.ids.len(), vectors.form(name));
                });
            }
        });
    });
}

fn column<'a>(e: &mut Encoder<'a>, column: &'a Column, rows: usize, form: VectorForm) {
    match &column.kind {
        Some(Kind::Values(list)) => e.field("values", |e| {
            e.check(list.values.len() == rows, UNEVEN);
            e.field("values", |e| e.list(&list.values, |e, value| value::attribute(e, value, form)));
        }),
        Some(Kind::DenseVectors(packed)) => e.field("dense_vectors", |e| dense_vectors(e, packed, rows, form)),
        None => e.violation("must have values or dense_vectors"),
    }
}

fn dense_vectors(e: &mut Encoder<'_>, packed: &DenseVectorColumn, rows: usize, form: VectorForm) {
    let dimensions = packed.dimensions as usize;
    if !e.field("dimensions", |e| e.check(dimensions > 0, "must be above zero")) {
        return;
    }
    match &packed.elements {
        Some(Elements::Floats(floats)) => e.field("floats", |e| {
            packed_vectors(e, &floats.values, dimensions, rows, |e, one| vector::floats(e, one, form));
        }),
        Some(Elements::LittleEndian(bytes)) => e.field("little_endian", |e| {
            packed_vectors(e, bytes, dimensions * 4, rows, |e, one| vector::little_endian(e, one, form));
        }),
        None => e.violation("must have floats or little_endian"),
    }
}

fn packed_vectors<T>(
    e: &mut Encoder<'_>,
    packed: &[T],
    per_row: usize,
    rows: usize,
    each: impl Fn(&mut Encoder<'_>, &[T]),
) {
    if e.check(per_row.checked_mul(rows) == Some(packed.len()), "must hold dimensions elements for each id") {
        e.array(|e| packed.chunks_exact(per_row).for_each(|one| each(e, one)));
    }
}
