//! Filters as the wire has them, read into typed ones: `["attr","Op",value]`, `["And",[…]]`, `["Or",[…]]`, `["Not",…]`.

use layer_proto::types::v1::comparison::Operand;
use layer_proto::types::v1::filter::Kind;
use layer_proto::types::v1::text_operand::Kind as TextKind;
use layer_proto::types::v1::{
    Comparison, ComparisonOperator, Filter, FilterList, FuzzyFilter, MaxEditDistance, StringArray, TextOperand,
    TokenFilter, TokenOperator,
};
use serde::Deserialize;

use super::object::{Raw, plain};
use crate::grpc::encode::comparison_name;
use crate::grpc::typed::read_value;

/// How deep filters may nest; the same as in typed requests.
const MAX_DEPTH: usize = 32;

/// Reads a filter.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn filter(raw: Raw<'_>) -> Result<Filter, String> {
    nested(raw, 1)
}

fn nested(raw: Raw<'_>, depth: usize) -> Result<Filter, String> {
    if depth > MAX_DEPTH {
        return Err(format!("filters may nest at most {MAX_DEPTH} deep"));
    }
    let parts: Vec<Raw<'_>> = plain_raw(raw).ok_or("a filter must be an array")?;
    let name: String = parts.first().and_then(|first| plain(first)).ok_or("a filter must begin with a name")?;
    let kind = match (name.as_str(), &parts[1..]) {
        ("And", [list]) => Kind::AllOf(filters(list, depth)?),
        ("Or", [list]) => Kind::AnyOf(filters(list, depth)?),
        ("Not", [inner]) => Kind::Negated(Box::new(nested(inner, depth + 1)?)),
        (_, [op, operand, rest @ ..]) if rest.len() < 2 => {
            let op: String = plain(op).ok_or_else(|| format!("the operator for `{name}` must be text"))?;
            of_attribute(name, &op, operand, rest.first().copied())?
        }
        _ => return Err(format!("a filter that begins with `{name}` has too few parts or too many")),
    };
    Ok(Filter { kind: Some(kind) })
}

fn plain_raw(raw: Raw<'_>) -> Option<Vec<Raw<'_>>> {
    serde_json::from_str(raw.get()).ok()
}

fn filters(list: Raw<'_>, depth: usize) -> Result<FilterList, String> {
    let list = plain_raw(list).ok_or("`And` and `Or` take an array of filters")?;
    let filters = list.into_iter().map(|one| nested(one, depth + 1)).collect::<Result<_, _>>()?;
    Ok(FilterList { filters })
}

fn of_attribute(attribute: String, op: &str, operand: Raw<'_>, options: Option<Raw<'_>>) -> Result<Kind, String> {
    let tokens = match op {
        "ContainsAllTokens" => TokenOperator::ContainsAllTokens,
        "ContainsAnyToken" => TokenOperator::ContainsAnyToken,
        "ContainsTokenSequence" => TokenOperator::ContainsTokenSequence,
        "Fuzzy" => return fuzzy(attribute, operand, options).map(Kind::Fuzzy),
        _ => return comparison(attribute, op, operand, options).map(Kind::Comparison),
    };
    let text = plain(operand).map(TextKind::Text);
    let text = text.or_else(|| plain(operand).map(|values| TextKind::Texts(StringArray { values })));
    let text = text.ok_or_else(|| format!("`{op}` takes text or an array of texts"))?;
    let options: TokenOptions = read_options(op, options)?;
    Ok(Kind::Tokens(TokenFilter {
        attribute,
        op: tokens.into(),
        operand: Some(TextOperand { kind: Some(text) }),
        last_as_prefix: options.last_as_prefix,
    }))
}

fn comparison(attribute: String, op: &str, operand: Raw<'_>, options: Option<Raw<'_>>) -> Result<Comparison, String> {
    let known = (1..).map_while(|number| ComparisonOperator::try_from(number).ok());
    let known = known.into_iter().find(|known| comparison_name(*known) == Some(op));
    let known = known.ok_or_else(|| format!("there is no operator `{}`", op.chars().take(64).collect::<String>()))?;
    if options.is_some() {
        return Err(format!("`{op}` takes no options"));
    }
    let operand = match plain::<RefNew>(operand) {
        Some(new) => Operand::RefNew(new.name),
        None => Operand::Value(read_value(operand).map_err(|fault| format!("the value for `{attribute}` {fault}"))?),
    };
    Ok(Comparison { attribute, op: known.into(), operand: Some(operand) })
}

fn fuzzy(attribute: String, operand: Raw<'_>, options: Option<Raw<'_>>) -> Result<FuzzyFilter, String> {
    let text = plain(operand).ok_or("`Fuzzy` takes text")?;
    let options: FuzzyOptions = read_options("Fuzzy", options)?;
    let steps = options.max_edit_distance.unwrap_or_default();
    let step = |step: Step| MaxEditDistance { min_query_chars: step.min_query_chars, distance: step.distance };
    let max_edit_distance = steps.into_iter().map(step).collect();
    Ok(FuzzyFilter { attribute, text, max_edit_distance, case_sensitive: options.case_sensitive })
}

fn read_options<T: Default + for<'a> Deserialize<'a>>(op: &str, options: Option<Raw<'_>>) -> Result<T, String> {
    let Some(options) = options else { return Ok(T::default()) };
    serde_json::from_str(options.get()).map_err(|error| format!("the options of `{op}`: {error}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefNew {
    #[serde(rename = "$ref_new")]
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TokenOptions {
    last_as_prefix: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FuzzyOptions {
    max_edit_distance: Option<Vec<Step>>,
    case_sensitive: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    min_query_chars: u32,
    distance: u32,
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::grpc::typed::write_filter;

    fn read(text: &str) -> Result<Filter, String> {
        filter(&RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn filters_come_back_as_they_were_sent() {
        for text in [
            r#"["a","Eq",null]"#,
            r#"["And",[["a","Gte",1.5],["Or",[]],["Not",["b","In",["x","y"]]]]]"#,
            r#"["a","Lt",{"$ref_new":"b"}]"#,
            r#"["a","Eq",18446744073709551615]"#,
            r#"["t","ContainsAllTokens","a b",{"last_as_prefix":true}]"#,
            r#"["t","ContainsAnyToken",["a","b"]]"#,
            r#"["t","ContainsTokenSequence","a b"]"#,
            r#"["t","Fuzzy","a",{"max_edit_distance":[{"min_query_chars":6,"distance":1}],"case_sensitive":false}]"#,
            r#"["a","IGlob","*x"]"#,
        ] {
            let typed = read(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(write_filter(&typed).expect(text).get(), text);
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_with_a_reason() {
        let deep = format!("{}[\"a\",\"Eq\",1]{}", "[\"Not\",".repeat(32), "]".repeat(32));
        for (text, reason) in [
            ("{}", "array"),
            ("[]", "begin with a name"),
            ("[1]", "begin with a name"),
            (r#"["a"]"#, "too few"),
            (r#"["a","Eq",1,{},{}]"#, "too many"),
            (r#"["a","Equals",1]"#, "`Equals`"),
            (r#"["a",1,1]"#, "operator for `a`"),
            (r#"["a","Eq",1,{}]"#, "no options"),
            (r#"["And",["a","Eq",1]]"#, "array"),
            (r#"["And",1]"#, "array of filters"),
            (r#"["a","Eq",{"b":{}}]"#, "value for `a`"),
            (r#"["t","ContainsAnyToken",1]"#, "text"),
            (r#"["t","ContainsAnyToken","a",{"x":1}]"#, "options of `ContainsAnyToken`"),
            (r#"["t","Fuzzy",1]"#, "Fuzzy"),
            (deep.as_str(), "32 deep"),
        ] {
            let fault = read(text).expect_err(text);
            assert!(fault.contains(reason), "{text}: {fault}");
        }
    }
}
