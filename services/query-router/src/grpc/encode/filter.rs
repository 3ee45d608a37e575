//! Filters: `["attr","Op",value]`, `["And",[…]]`, `["Or",[…]]`, `["Not",…]`.

use layer_proto::types::v1::comparison::Operand;
use layer_proto::types::v1::filter::Kind;
use layer_proto::types::v1::text_operand::Kind as TextKind;
use layer_proto::types::v1::{
    Comparison, ComparisonOperator, Filter, FilterList, FuzzyFilter, MaxEditDistance, TextOperand, TokenFilter,
    TokenOperator,
};

use super::encoder::Encoder;
use super::names;
use super::value;

/// Writes a filter.
pub(super) fn filter<'a>(e: &mut Encoder<'a>, filter: &'a Filter) {
    e.nested(|e| match &filter.kind {
        Some(Kind::Comparison(inner)) => e.field("comparison", |e| comparison(e, inner)),
        Some(Kind::AllOf(list)) => e.field("all_of", |e| logical(e, "And", list)),
        Some(Kind::AnyOf(list)) => e.field("any_of", |e| logical(e, "Or", list)),
        Some(Kind::Negated(inner)) => e.field("negated", |e| negated(e, inner)),
        Some(Kind::Tokens(inner)) => e.field("tokens", |e| tokens(e, inner)),
        Some(Kind::Fuzzy(inner)) => e.field("fuzzy", |e| fuzzy(e, inner)),
        None => e.violation("must have one of comparison, all_of, any_of, negated, tokens, fuzzy"),
    });
}

fn logical<'a>(e: &mut Encoder<'a>, name: &'static str, list: &'a FilterList) {
    e.array(|e| {
        e.json.scalar(name);
        e.field("filters", |e| e.list(&list.filters, filter));
    });
}

fn negated<'a>(e: &mut Encoder<'a>, inner: &'a Filter) {
    e.array(|e| {
        e.json.scalar("Not");
        filter(e, inner);
    });
}

fn comparison<'a>(e: &mut Encoder<'a>, comparison: &'a Comparison) {
    e.array(|e| {
        e.field("attribute", |e| names::reference(e, &comparison.attribute));
        e.field("op", |e| operator(e, comparison.op));
        match &comparison.operand {
            Some(Operand::Value(value)) => e.field("value", |e| value::operand(e, value)),
            Some(Operand::RefNew(name)) => e.field("ref_new", |e| ref_new(e, name)),
            None => e.violation("must have value or ref_new"),
        }
    });
}

fn ref_new(e: &mut Encoder<'_>, name: &str) {
    e.object(|e| {
        e.json.key("$ref_new");
        names::reference(e, name);
    });
}

fn operator(e: &mut Encoder<'_>, op: i32) {
    match ComparisonOperator::try_from(op).ok().and_then(wire_name) {
        Some(name) => e.json.scalar(name),
        None => e.violation("must be an operator of ComparisonOperator"),
    }
}

/// What the wire calls a comparison; none for the unset one.
pub(in crate::grpc) fn wire_name(op: ComparisonOperator) -> Option<&'static str> {
    use ComparisonOperator as Op;
    Some(match op {
        Op::Unspecified => return None,
        Op::Eq => "Eq",
        Op::NotEq => "NotEq",
        Op::In => "In",
        Op::NotIn => "NotIn",
        Op::Contains => "Contains",
        Op::NotContains => "NotContains",
        Op::ContainsAny => "ContainsAny",
        Op::NotContainsAny => "NotContainsAny",
        Op::Lt => "Lt",
        Op::Lte => "Lte",
        Op::Gt => "Gt",
        Op::Gte => "Gte",
        Op::AnyLt => "AnyLt",
        Op::AnyLte => "AnyLte",
        Op::AnyGt => "AnyGt",
        Op::AnyGte => "AnyGte",
        Op::Glob => "Glob",
        Op::NotGlob => "NotGlob",
        Op::Iglob => "IGlob",
        Op::NotIglob => "NotIGlob",
        Op::Regex => "Regex",
    })
}

fn tokens<'a>(e: &mut Encoder<'a>, filter: &'a TokenFilter) {
    e.array(|e| {
        e.field("attribute", |e| names::reference(e, &filter.attribute));
        match TokenOperator::try_from(filter.op) {
            Ok(TokenOperator::ContainsAllTokens) => e.json.scalar("ContainsAllTokens"),
            Ok(TokenOperator::ContainsAnyToken) => e.json.scalar("ContainsAnyToken"),
            Ok(TokenOperator::ContainsTokenSequence) => e.json.scalar("ContainsTokenSequence"),
            _ => e.field("op", |e| e.violation("must be an operator of TokenOperator")),
        }
        e.field("operand", |e| text_operand(e, filter.operand.as_ref()));
        if filter.op == TokenOperator::ContainsTokenSequence as i32 {
            e.field("last_as_prefix", |e| {
                e.check(filter.last_as_prefix.is_none(), "must be unset for a token sequence")
            });
        }
        last_as_prefix(e, filter.last_as_prefix);
    });
}

/// Writes a required text or list of texts.
pub(super) fn text_operand<'a>(e: &mut Encoder<'a>, operand: Option<&'a TextOperand>) {
    match operand.and_then(|operand| operand.kind.as_ref()) {
        Some(TextKind::Text(text)) => e.json.scalar(text),
        Some(TextKind::Texts(texts)) => e.json.scalar(&texts.values),
        None => e.violation("must have text or texts"),
    }
}

/// Writes the parameters of a token match, where there are any.
pub(super) fn last_as_prefix(e: &mut Encoder<'_>, last_as_prefix: Option<bool>) {
    if let Some(truth) = last_as_prefix {
        e.object(|e| e.member("last_as_prefix", |e| e.json.scalar(&truth)));
    }
}

fn fuzzy<'a>(e: &mut Encoder<'a>, filter: &'a FuzzyFilter) {
    e.array(|e| {
        e.field("attribute", |e| names::reference(e, &filter.attribute));
        e.json.scalar("Fuzzy");
        e.json.scalar(&filter.text);
        e.object(|e| {
            e.member("max_edit_distance", |e| {
                e.check(!filter.max_edit_distance.is_empty(), "must not be empty");
                e.list(&filter.max_edit_distance, max_edit_distance);
            });
            if let Some(truth) = filter.case_sensitive {
                e.member("case_sensitive", |e| e.json.scalar(&truth));
            }
        });
    });
}

fn max_edit_distance(e: &mut Encoder<'_>, step: &MaxEditDistance) {
    let shortest = 3 * (u64::from(step.distance) + 1);
    e.object(|e| {
        e.member("min_query_chars", |e| {
            e.check(u64::from(step.min_query_chars) >= shortest, "must be at least 3 * (distance + 1)");
            e.json.scalar(&step.min_query_chars);
        });
        e.member("distance", |e| e.json.scalar(&step.distance));
    });
}
