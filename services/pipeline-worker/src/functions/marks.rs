//! The marks that say of a row what it was done for, and filters over them.
//!
//! A row that is done has two attributes: the function's version, and where results are good for a time only, until when. They
//! are written together with the result. What a filter says of a missing attribute is the origin's rule: `NotEq`
//! with a value matches it, `Lte` too, and `Eq null` nothing else (reference, section 6).

use layer_proto::types::v1::{
    AttributeConfig, AttributeSchemaChange, Comparison, ComparisonOperator as Op, Filter, FilterList, Id, IntArray,
    StringArray, UintArray, Value, attribute_schema_change, comparison, filter, id, value,
};

/// When a row was written last through Layer, in milliseconds since 1970: the router's stamp.
pub(crate) const STAMP: &str = "_hevlayer_upserted_at";
/// Names that begin so are Layer's own.
pub(crate) const RESERVED_PREFIX: &str = "_hevlayer_";

/// A function's marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The attribute with the version.
    pub(crate) version: String,
    /// The attribute with the time until which the result is good, in milliseconds since 1970 by the database's clock.
    pub(crate) stale_after: String,
}

impl Marks {
    /// The marks of a function. Functions whose ids differ only in `-` and `_` would have the same: the state store
    /// refuses the second.
    pub(crate) fn of(function: &str) -> Self {
        let name = function.replace('-', "_");
        Self {
            version: format!("{RESERVED_PREFIX}udf_{name}_v"),
            stale_after: format!("{RESERVED_PREFIX}udf_{name}_stale_after"),
        }
    }

    /// Rows without the mark, with that of another version, or, where `ages`, with one that is too old at `now_ms`.
    pub(crate) fn lacking(&self, version: &str, ages: bool, now_ms: i64) -> Filter {
        let other = compare(&self.version, Op::NotEq, text(version));
        if !ages {
            return other;
        }
        let known = compare(&self.stale_after, Op::NotEq, null());
        let passed = compare(&self.stale_after, Op::Lte, int(now_ms));
        any_of(vec![other, all_of(vec![known, passed])])
    }

    /// The types of the marks, as changes of a schema.
    pub(crate) fn declared(&self, ages: bool) -> Vec<(String, AttributeSchemaChange)> {
        let mut declared = vec![(self.version.clone(), typed("string"))];
        if ages {
            declared.push((self.stale_after.clone(), typed("int")));
        }
        declared
    }
}

/// A declaration of a type that changes nothing else.
pub(crate) fn typed(name: &str) -> AttributeSchemaChange {
    let config = AttributeConfig { r#type: name.to_owned(), ..AttributeConfig::default() };
    AttributeSchemaChange { kind: Some(attribute_schema_change::Kind::Config(config)) }
}

/// Rows that were written last at one of these moments; `None` stands for rows that never were through Layer.
pub(crate) fn written_at(stamps: &[Option<i64>]) -> Filter {
    let known: Vec<_> = stamps.iter().flatten().copied().collect();
    match stamps {
        [Some(stamp)] => compare(STAMP, Op::Eq, int(*stamp)),
        _ if known.is_empty() => compare(STAMP, Op::Eq, null()),
        _ => {
            let list = value::Kind::IntArray(IntArray { values: known.clone() });
            let among = compare(STAMP, Op::In, Value { kind: Some(list) });
            if known.len() == stamps.len() { among } else { any_of(vec![among, compare(STAMP, Op::Eq, null())]) }
        }
    }
}

/// Rows behind an id.
pub(crate) fn behind(id: &Id) -> Option<Filter> {
    let kind = match id.kind.as_ref()? {
        id::Kind::UintValue(number) => value::Kind::UintValue(*number),
        id::Kind::StringValue(text) => value::Kind::StringValue(text.clone()),
    };
    Some(compare("id", Op::Gt, Value { kind: Some(kind) }))
}

/// Rows with one of these ids, which are all of one kind.
pub(crate) fn among(ids: &[Id]) -> Filter {
    let (mut numbers, mut texts) = (Vec::new(), Vec::new());
    for id in ids {
        match &id.kind {
            Some(id::Kind::UintValue(number)) => numbers.push(*number),
            Some(id::Kind::StringValue(text)) => texts.push(text.clone()),
            None => {}
        }
    }
    let kind = if texts.is_empty() {
        value::Kind::UintArray(UintArray { values: numbers })
    } else {
        value::Kind::StringArray(StringArray { values: texts })
    };
    compare("id", Op::In, Value { kind: Some(kind) })
}

/// All of them, where there is more than one.
pub(crate) fn all_of(mut filters: Vec<Filter>) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => Filter { kind: Some(filter::Kind::AllOf(FilterList { filters })) },
    }
}

fn any_of(filters: Vec<Filter>) -> Filter {
    Filter { kind: Some(filter::Kind::AnyOf(FilterList { filters })) }
}

fn compare(attribute: &str, op: Op, value: Value) -> Filter {
    let operand = Some(comparison::Operand::Value(value));
    let comparison = Comparison { attribute: attribute.to_owned(), op: op.into(), operand };
    Filter { kind: Some(filter::Kind::Comparison(comparison)) }
}

/// A text as a value.
pub(crate) fn text(text: &str) -> Value {
    Value { kind: Some(value::Kind::StringValue(text.to_owned())) }
}

/// An integer as a value.
pub(crate) fn int(number: i64) -> Value {
    Value { kind: Some(value::Kind::IntValue(number)) }
}

/// No value.
pub(crate) fn null() -> Value {
    Value { kind: Some(value::Kind::NullValue(0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_named_after_the_function() {
        let marks = Marks::of("a-b_C");
        assert_eq!(marks.version, "_hevlayer_udf_a_b_C_v");
        assert_eq!(marks.stale_after, "_hevlayer_udf_a_b_C_stale_after");
        let longest = Marks::of(&"x".repeat(64)).stale_after;
        assert!(longest.len() <= 128, "{} bytes are more than a name may have", longest.len());
    }

    #[test]
    fn only_what_ages_is_asked_for_its_age() {
        let marks = Marks::of("f");
        assert_eq!(marks.lacking("v2", false, 7), compare("_hevlayer_udf_f_v", Op::NotEq, text("v2")));
        let Some(filter::Kind::AnyOf(either)) = marks.lacking("v2", true, 7).kind else { panic!("no choice") };
        assert_eq!(either.filters.len(), 2);
        assert_eq!((marks.declared(false).len(), marks.declared(true).len()), (1, 2));
    }

    #[test]
    fn a_condition_names_every_moment_and_rows_without_one() {
        let kinds = |stamps: &[Option<i64>]| match written_at(stamps).kind {
            Some(filter::Kind::Comparison(one)) => vec![one.op()],
            Some(filter::Kind::AnyOf(list)) => {
                let one = |filter: Filter| match filter.kind {
                    Some(filter::Kind::Comparison(one)) => one.op(),
                    other => panic!("{other:?}"),
                };
                list.filters.into_iter().map(one).collect()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(kinds(&[Some(1)]), [Op::Eq]);
        assert_eq!(kinds(&[None, None]), [Op::Eq]);
        assert_eq!(kinds(&[Some(1), Some(2)]), [Op::In]);
        assert_eq!(kinds(&[Some(1), None]), [Op::In, Op::Eq]);
    }
}
