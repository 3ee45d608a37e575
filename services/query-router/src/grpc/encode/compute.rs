//! Computed attributes.

use layer_proto::types::v1::computed_attribute::Kind;
use layer_proto::types::v1::{
    ComputedAttribute, Highlight, HighlightFragmentBy, HighlightOffsetUnit, Query, VectorDistance,
};

use super::encoder::Encoder;
use super::names;
use super::rank;
use super::vector::{self, VectorForm};

/// Most computed attributes that the origin takes.
const MAX_COMPUTED: usize = 256;
/// Most fragments that the origin answers for an attribute.
const MAX_FRAGMENTS: u32 = 1024;

/// Writes the computed attributes of a query into the current object.
pub(super) fn members<'a>(e: &mut Encoder<'a>, query: &'a Query) {
    if query.compute_attributes.is_empty() {
        return;
    }
    e.member("compute_attributes", |e| {
        e.check(query.compute_attributes.len() <= MAX_COMPUTED, "must have at most 256 entries");
        e.object(|e| {
            for (name, computed) in &query.compute_attributes {
                e.json.key(name);
                e.entry(name, |e| one(e, computed));
            }
        });
    });
}

fn one<'a>(e: &mut Encoder<'a>, computed: &'a ComputedAttribute) {
    match &computed.kind {
        Some(Kind::VectorDist(inner)) => e.field("vector_dist", |e| vector_dist(e, inner)),
        Some(Kind::Highlight(inner)) => e.field("highlight", |e| highlight(e, inner)),
        Some(Kind::Rank(inner)) => e.field("rank", |e| rank::rank_by(e, inner)),
        None => e.violation("must have one of vector_dist, highlight, rank"),
    }
}

fn vector_dist(e: &mut Encoder<'_>, computed: &VectorDistance) {
    e.array(|e| {
        e.field("attribute", |e| names::reference(e, &computed.attribute));
        e.json.scalar("VectorDist");
        // Numbers: that the origin reads base64 here is not known.
        e.field("vector", |e| vector::required_dense(e, computed.vector.as_ref(), VectorForm::Numbers));
    });
}

fn highlight<'a>(e: &mut Encoder<'a>, highlight: &'a Highlight) {
    e.array(|e| {
        e.json.scalar("Highlight");
        e.field("attribute", |e| names::reference(e, &highlight.attribute));
        if *highlight != (Highlight { attribute: highlight.attribute.clone(), ..Highlight::default() }) {
            e.object(|e| parameters(e, highlight));
        }
    });
}

fn parameters<'a>(e: &mut Encoder<'a>, highlight: &'a Highlight) {
    fragment_by(e, highlight.fragment_by);
    if let Some(limit) = highlight.fragment_limit {
        e.member("fragment_limit", |e| {
            e.check((1..=MAX_FRAGMENTS).contains(&limit), "must be 1 to 1,024");
            e.json.scalar(&limit);
        });
    }
    include_offsets(e, highlight.include_offsets);
    if let Some(rank) = &highlight.rank_fragments_by {
        e.member("rank_fragments_by", |e| rank::rank_by(e, rank));
    }
}

fn fragment_by(e: &mut Encoder<'_>, value: i32) {
    let name = match HighlightFragmentBy::try_from(value) {
        Ok(HighlightFragmentBy::Unspecified) => return,
        Ok(HighlightFragmentBy::None) => "none",
        Ok(HighlightFragmentBy::Sentence) => "sentence",
        Ok(HighlightFragmentBy::Paragraph) => "paragraph",
        Ok(HighlightFragmentBy::Word) => "word",
        Err(_) => return e.field("fragment_by", |e| e.violation("must be one of HighlightFragmentBy")),
    };
    e.member("fragment_by", |e| e.json.scalar(name));
}

fn include_offsets(e: &mut Encoder<'_>, value: i32) {
    let name = match HighlightOffsetUnit::try_from(value) {
        Ok(HighlightOffsetUnit::Unspecified) => return,
        Ok(HighlightOffsetUnit::Utf8) => "utf-8",
        Ok(HighlightOffsetUnit::Utf16) => "utf-16",
        Ok(HighlightOffsetUnit::Codepoints) => "codepoints",
        Err(_) => return e.field("include_offsets", |e| e.violation("must be a unit of HighlightOffsetUnit")),
    };
    e.member("include_offsets", |e| e.json.scalar(name));
}
