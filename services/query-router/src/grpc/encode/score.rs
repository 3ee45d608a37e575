//! Scores: BM25, filters as scores, attributes, and what combines them.

use layer_proto::types::v1::curve::Midpoint;
use layer_proto::types::v1::score::Kind;
use layer_proto::types::v1::value::Kind as ValueKind;
use layer_proto::types::v1::{Bm25, Curve, DistanceFrom, Score, ScoreList, Value, WeightedScore};
use prost_types::Duration;

use super::encoder::Encoder;
use super::filter;
use super::names;
use super::value;

const KINDS: &str = "must have one of bm25, sum, max, product, filter, attribute, saturate, decay, dist";

/// Writes a score.
pub(super) fn score<'a>(e: &mut Encoder<'a>, score: &'a Score) {
    e.nested(|e| match &score.kind {
        Some(Kind::Bm25(inner)) => e.field("bm25", |e| bm25(e, inner)),
        Some(Kind::Sum(list)) => e.field("sum", |e| score_list(e, "Sum", list)),
        Some(Kind::Max(list)) => e.field("max", |e| score_list(e, "Max", list)),
        Some(Kind::Product(inner)) => e.field("product", |e| product(e, inner)),
        Some(Kind::Filter(inner)) => e.field("filter", |e| filter::filter(e, inner)),
        Some(Kind::Attribute(name)) => e.field("attribute", |e| attribute(e, name)),
        Some(Kind::Saturate(inner)) => e.field("saturate", |e| curve(e, "Saturate", inner)),
        Some(Kind::Decay(inner)) => e.field("decay", |e| curve(e, "Decay", inner)),
        Some(Kind::Dist(inner)) => e.field("dist", |e| dist(e, inner)),
        Some(Kind::Constant(_)) => e.field("constant", |e| e.violation("may stand only directly in max")),
        None => e.violation(KINDS),
    });
}

fn required_score<'a>(e: &mut Encoder<'a>, inner: Option<&'a Score>) {
    match inner {
        Some(inner) => score(e, inner),
        None => e.violation("is required"),
    }
}

fn bm25<'a>(e: &mut Encoder<'a>, clause: &'a Bm25) {
    e.array(|e| {
        e.field("attribute", |e| names::reference(e, &clause.attribute));
        e.json.scalar("BM25");
        e.field("operand", |e| filter::text_operand(e, clause.operand.as_ref()));
        filter::last_as_prefix(e, clause.last_as_prefix);
    });
}

fn score_list<'a>(e: &mut Encoder<'a>, name: &'static str, list: &'a ScoreList) {
    e.array(|e| {
        e.json.scalar(name);
        e.field("scores", |e| {
            e.check(!list.scores.is_empty(), "must hold at least one score");
            e.list(&list.scores, |e, item| match &item.kind {
                Some(Kind::Constant(number)) if name == "Max" => {
                    e.field("constant", |e| value::float(e, *number));
                }
                _ => score(e, item),
            });
        });
    });
}

fn product<'a>(e: &mut Encoder<'a>, product: &'a WeightedScore) {
    e.array(|e| {
        e.json.scalar("Product");
        e.field("weight", |e| {
            e.check(product.weight >= 0.0, "must be zero or above");
            value::float(e, product.weight);
        });
        e.field("score", |e| required_score(e, product.score.as_deref()));
    });
}

fn attribute(e: &mut Encoder<'_>, name: &str) {
    e.array(|e| {
        e.json.scalar("Attribute");
        names::reference(e, name);
    });
}

fn curve<'a>(e: &mut Encoder<'a>, name: &'static str, curve: &'a Curve) {
    e.array(|e| {
        e.json.scalar(name);
        e.field("score", |e| required_score(e, curve.score.as_deref()));
        e.object(|e| {
            e.json.key("midpoint");
            match &curve.midpoint {
                Some(Midpoint::Number(number)) => e.field("number", |e| value::float(e, *number)),
                Some(Midpoint::Duration(span)) => e.field("duration", |e| duration(e, span)),
                None => e.violation("must have number or duration as its midpoint"),
            }
            if let Some(exponent) = curve.exponent {
                e.member("exponent", |e| value::float(e, exponent));
            }
        });
    });
}

fn duration(e: &mut Encoder<'_>, span: &Duration) {
    let milliseconds = i128::from(span.seconds) * 1000 + i128::from(span.nanos) / 1_000_000;
    e.check(milliseconds > 0, "must be at least one millisecond");
    e.json.scalar(&format!("{milliseconds}ms"));
}

fn dist<'a>(e: &mut Encoder<'a>, dist: &'a DistanceFrom) {
    e.array(|e| {
        e.json.scalar("Dist");
        e.field("score", |e| required_score(e, dist.score.as_deref()));
        e.field("origin", |e| origin(e, dist.origin.as_ref()));
    });
}

fn origin<'a>(e: &mut Encoder<'a>, origin: Option<&'a Value>) {
    use ValueKind::{DatetimeValue, FloatValue, IntValue, UintValue};
    let kind = origin.and_then(|origin| origin.kind.as_ref());
    match (origin, kind) {
        (Some(origin), Some(IntValue(_) | UintValue(_) | FloatValue(_) | DatetimeValue(_))) => {
            value::operand(e, origin)
        }
        _ => e.violation("must be a number or a datetime"),
    }
}
