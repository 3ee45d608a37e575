//! Aggregations and what they are grouped by.

use layer_proto::types::v1::aggregation::Kind;
use layer_proto::types::v1::group_key::Kind as GroupKind;
use layer_proto::types::v1::{Aggregation, ForEachUnique, GroupKey, Query};

use super::encoder::Encoder;
use super::names;

/// Writes the aggregations of a query into the current object.
pub(super) fn members<'a>(e: &mut Encoder<'a>, query: &'a Query) {
    if !query.aggregate_by.is_empty() {
        e.member("aggregate_by", |e| {
            e.check(query.rank_by.is_none(), "must be empty where documents are ranked");
            e.object(|e| {
                for (label, aggregation) in &query.aggregate_by {
                    e.json.key(label);
                    e.entry(label, |e| one(e, aggregation));
                }
            });
        });
    }
    if !query.group_by.is_empty() {
        e.member("group_by", |e| {
            e.check(!query.aggregate_by.is_empty(), "must be empty without aggregate_by");
            e.list(&query.group_by, group_key);
        });
    }
}

fn one(e: &mut Encoder<'_>, aggregation: &Aggregation) {
    match &aggregation.kind {
        Some(Kind::Count(_)) => e.array(|e| e.json.scalar("Count")),
        Some(Kind::Sum(sum)) => e.field("sum", |e| {
            e.array(|e| {
                e.json.scalar("Sum");
                e.field("attribute", |e| names::reference(e, &sum.attribute));
            });
        }),
        None => e.violation("must have count or sum"),
    }
}

fn group_key(e: &mut Encoder<'_>, key: &GroupKey) {
    match &key.kind {
        Some(GroupKind::Attribute(name)) => e.field("attribute", |e| names::reference(e, name)),
        Some(GroupKind::ForEachUnique(each)) => e.field("for_each_unique", |e| for_each_unique(e, each)),
        None => e.violation("must have attribute or for_each_unique"),
    }
}

fn for_each_unique(e: &mut Encoder<'_>, each: &ForEachUnique) {
    e.object(|e| {
        e.field("label", |e| e.check(!each.label.is_empty(), "is required"));
        e.json.key(&each.label);
        e.array(|e| {
            e.json.scalar("ForEachUnique");
            e.field("attribute", |e| names::reference(e, &each.attribute));
        });
    });
}
