//! The holds with limits of a few bytes, so that they end at every place of a body: between keys, inside a key, a value,
//! an escape, a list. However the body is cut, the outcome must be one, and it must be right.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{Pieces, QueryRewriter, QuerySummary, Rejection, UPSERTED_AT, WriteOptions, WriteRewriter, WriteSummary};

fn chunks<'a>(body: &'a str, sizes: &'a [usize]) -> impl Iterator<Item = Bytes> + 'a {
    let mut sizes = sizes.iter().copied().cycle();
    let mut rest = body.as_bytes();
    std::iter::from_fn(move || {
        let (chunk, after) = rest.split_at(sizes.next().unwrap_or(usize::MAX).min(rest.len()));
        rest = after;
        (!chunk.is_empty()).then(|| Bytes::copy_from_slice(chunk))
    })
}

fn write(body: &str, limit: u64, sizes: &[usize]) -> Result<(Vec<u8>, WriteSummary), Rejection> {
    let options = WriteOptions { upserted_at_ms: 17, allow_reserved: false };
    let (mut rewriter, mut out) = (WriteRewriter::new(options).with_hold(limit), Pieces::new());
    chunks(body, sizes).try_for_each(|chunk| rewriter.push(chunk, &mut out))?;
    let summary = rewriter.finish(&mut out)?;
    Ok((out.drain().flatten().collect(), summary))
}

fn query(body: &str, limit: u64, sizes: &[usize]) -> Result<(Vec<u8>, QuerySummary), Rejection> {
    let (mut rewriter, mut out) = (QueryRewriter::new().with_hold(limit), Pieces::new());
    chunks(body, sizes).try_for_each(|chunk| rewriter.push(chunk, &mut out))?;
    let summary = rewriter.finish(&mut out)?;
    Ok((out.drain().flatten().collect(), summary))
}

fn members(among: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let filler = (0..30_usize).prop_map(|length| format!(r#""x":"{}""#, "y".repeat(length)));
    let space = (0..12_usize).prop_map(|length| " ".repeat(length));
    let known = (select(among), space).prop_map(|(member, space)| member.replace('^', &space));
    vec(prop_oneof![3 => known, 1 => filler], 1..6)
}

const WRITES: &[&str] = &[
    r#""schema":{}"#,
    r#""schema":^{"a":"int"^}"#,
    r#""schema":null^"#,
    r#""schema":nul"#,
    r#""schema":"x""#,
    r#""deletes":[1,^2]"#,
    r#""upsert_rows":[^]"#,
    r#""upsert_rows":[^{"id":1}]"#,
    r#""patch_columns":{"a":[1],"id":[^1,2]}"#,
    r#""patch_by_filter":{"filters":^[],"patch":{"a":1}}"#,
];

const QUERIES: &[&str] = &[
    r#""include_attributes":true^"#,
    r#""include_attributes"^:^true"#,
    r#""include_attributes":null"#,
    r#""include_attributes":["a"]"#,
    r#""exclude_attributes":["a",^"b"]"#,
    r#""exclude_attributes":^[]"#,
    r#""exclude_attributes":["_hevlayer_upserted_at"^]"#,
    r#""exclude_attributes":^null^"#,
    r#""exclude\u005fattributes":"x""#,
    r#""queries":null"#,
    r#""queries":^[{"include_attributes":true}^]"#,
    r#""broken":^,"#,
];

/// The values of a key at the root, spelled without whitespace.
fn values<'a>(body: &'a str, key: &str) -> Vec<&'a str> {
    let key = format!("\"{key}\":");
    body.match_indices(&key).map(|(at, _)| &body[at + key.len()..]).collect()
}

/// Whether a strict origin answers an error to this query, and whether its answer would show reserved attributes.
fn verdict(body: &str) -> (bool, bool) {
    let plain = body.replace(' ', "").replace("\\u005f", "_");
    let (include, exclude) = (values(&plain, "include_attributes"), values(&plain, "exclude_attributes"));
    let given = |values: &[&str]| values.iter().any(|value| !value.starts_with("null"));
    let odd = exclude.iter().any(|value| value.starts_with('"'));
    let error = include.len() > 1 || exclude.len() > 1 || odd || (given(&include) && given(&exclude));
    let excluded = exclude.iter().any(|value| value.split(']').next().is_some_and(|list| list.contains(UPSERTED_AT)));
    let shown = include.iter().any(|value| value.starts_with("true")) || (given(&exclude) && !excluded);
    (error, shown)
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_write_has_one_outcome_whatever_the_hold(members in members(WRITES), limit in 0..80_u64, sizes in vec(1..20_usize, 1..5)) {
        let body = format!("{{{}}}", members.join(","));
        let whole = write(&body, limit, &[]);
        prop_assert_eq!(&write(&body, limit, &sizes), &whole);
        if let Ok((bytes, summary)) = whole {
            prop_assert_eq!(is_json(&bytes), is_json(body.as_bytes()));
            let declared = String::from_utf8_lossy(&bytes).contains(r#""_hevlayer_upserted_at":"int""#);
            let can_declare = !body.contains(r#""schema":"x""#) && !body.contains(r#""schema":nul""#);
            if summary.stamped && can_declare && is_json(body.as_bytes()) {
                prop_assert!(declared, "{}", String::from_utf8_lossy(&bytes));
            }
        }
    }

    #[test]
    fn a_query_has_one_outcome_whatever_the_hold(members in members(QUERIES), limit in 0..80_u64, sizes in vec(1..20_usize, 1..5)) {
        let body = format!("{{{}}}", members.join(","));
        let whole = query(&body, limit, &[]);
        prop_assert_eq!(&query(&body, limit, &sizes), &whole);
        if let Ok((bytes, _)) = whole {
            let output = String::from_utf8(bytes).expect("ASCII stays ASCII");
            prop_assert_eq!(is_json(output.as_bytes()), is_json(body.as_bytes()));
            let ((error, _), (still_error, shown)) = (verdict(&body), verdict(&output));
            if is_json(body.as_bytes()) && !body.contains("[{") {
                prop_assert_eq!(still_error, error, "{}", output);
                prop_assert!(still_error || !shown, "{}", output);
            }
        }
    }
}
