//! The rewriters against the naive model: on bodies made to be interesting, whole and broken, cut anywhere.

mod model;

use layer_wire::WriteOptions;
use model::check::{self, check_query, check_strip, check_tracked_write, check_write};
use model::{Fault, parse};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const STAMP_MS: i64 = 1_763_000_000_017;

/// Text that may stand for a key or a value, with a way of spelling it.
fn spelled(name: &'static str) -> impl Strategy<Value = String> {
    (0..name.len() * 3).prop_map(move |escaped| {
        let spell = |(at, character): (usize, char)| {
            if at == escaped { format!("\\u{:04X}", u32::from(character)) } else { character.to_string() }
        };
        format!("\"{}\"", name.char_indices().map(spell).collect::<String>())
    })
}

fn names(among: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(among).prop_flat_map(spelled)
}

const ATTRIBUTES: &[&str] = &[
    "id",
    "id",
    "id",
    "title",
    "drop",
    "embed",
    "a",
    "b",
    "é",
    "vector",
    "patch",
    "schema",
    "_",
    "_hevlayer",
    "hevlayer_x",
];
const RARE_ATTRIBUTES: &[&str] = &["_hevlayer_x", "_hevlayer_upserted_at", "_hevlayer_"];
const OPERATIONS: &[&str] = &[
    "upsert_rows",
    "upsert_columns",
    "patch_rows",
    "patch_columns",
    "deletes",
    "delete_by_filter",
    "patch_by_filter",
    "schema",
    "schema",
    "copy_from_namespace",
    "branch_from_namespace",
    "create_namespace",
    "distance_metric",
    "return_affected_ids",
    "x",
];
const QUERY_KEYS: &[&str] = &[
    "include_attributes",
    "include_attributes",
    "exclude_attributes",
    "exclude_attributes",
    "filters",
    "rank_by",
    "top_k",
];

fn attribute() -> impl Strategy<Value = String> {
    prop_oneof![30 => names(ATTRIBUTES), 1 => names(RARE_ATTRIBUTES)]
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![6 => Just(String::new()), 1 => "[ \n\r\t]{1,3}"]
}

fn scalar() -> impl Strategy<Value = String> {
    let fixed = select(vec![
        "null",
        "true",
        "false",
        "0",
        "-0.0",
        "18446744073709551615",
        "1e400",
        "0.1000",
        "\"\"",
        "\"\\\\\"",
        "\"\\\"\"",
        "\"],[\"",
        "\"}{\"",
        "\"\\ud800\"",
        "\"_hevlayer_upserted_at\"",
        "\"\\u005fhevlayer_upserted_at\"",
        "\"AAAA+/==\"",
    ]);
    prop_oneof![fixed.prop_map(str::to_owned), "\"[a-zé,:]{0,40}\""]
}

fn array(element: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let spaced = (space(), element, space()).prop_map(|(before, element, after)| before + &element + &after);
    (vec(spaced, 0..4), space())
        .prop_map(
            |(elements, empty)| {
                if elements.is_empty() { format!("[{empty}]") } else { format!("[{}]", elements.join(",")) }
            },
        )
        .boxed()
}

fn member(
    key: impl Strategy<Value = String> + 'static,
    value: impl Strategy<Value = String> + 'static,
) -> BoxedStrategy<String> {
    (space(), key, space(), space(), value, space())
        .prop_map(|(before, key, mid, colon, value, after)| format!("{before}{key}{mid}:{colon}{value}{after}"))
        .boxed()
}

fn object(member: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    (vec(member, 0..5), space())
        .prop_map(
            |(members, empty)| {
                if members.is_empty() { format!("{{{empty}}}") } else { format!("{{{}}}", members.join(",")) }
            },
        )
        .boxed()
}

fn value() -> BoxedStrategy<String> {
    scalar()
        .prop_recursive(3, 12, 4, |inner| prop_oneof![array(inner.clone()), object(member(attribute(), inner))])
        .boxed()
}

fn row() -> BoxedStrategy<String> {
    object(member(attribute(), value()))
}

fn columns() -> BoxedStrategy<String> {
    object(member(attribute(), prop_oneof![3 => array(value()), 1 => value()]))
}

fn by_filter() -> BoxedStrategy<String> {
    object(prop_oneof![member(names(&["patch"]), row()), member(attribute(), value())])
}

fn write_body() -> BoxedStrategy<String> {
    let content = prop_oneof![
        3 => array(prop_oneof![4 => row(), 1 => value()]),
        2 => columns(),
        1 => by_filter(),
        2 => row(),
        1 => Just("null".to_owned()),
        1 => value(),
    ];
    let key = prop_oneof![40 => names(OPERATIONS), 1 => names(&["upserts", "patches"])];
    spaced(object(member(key, content)))
}

fn query_object() -> BoxedStrategy<String> {
    let content = prop_oneof![
        2 => Just("true".to_owned()),
        1 => Just("null".to_owned()),
        3 => array(scalar()),
        1 => value(),
    ];
    object(member(names(QUERY_KEYS), content))
}

fn query_body() -> BoxedStrategy<String> {
    let queries = member(
        names(&["queries"]),
        prop_oneof![4 => array(prop_oneof![5 => query_object(), 1 => value()]), 1 => value()],
    );
    let content = prop_oneof![Just("true".to_owned()), array(scalar()), value()];
    let mixed = object(prop_oneof![queries, member(names(QUERY_KEYS), content)]);
    spaced(prop_oneof![query_object(), mixed, value()].boxed())
}

fn answer() -> BoxedStrategy<String> {
    let name = || prop_oneof![names(ATTRIBUTES), names(RARE_ATTRIBUTES)];
    let schema = object(member(name(), value()));
    let metadata = object(member(prop_oneof![names(&["schema"]), name()], schema.clone()));
    spaced(prop_oneof![schema, metadata].boxed())
}

fn spaced(body: BoxedStrategy<String>) -> BoxedStrategy<String> {
    (space(), body, space()).prop_map(|(before, body, after)| before + &body + &after).boxed()
}

/// One way of breaking a body: at a place, take some bytes out and put others in.
fn breakage() -> impl Strategy<Value = (prop::sample::Index, usize, Vec<u8>)> {
    let junk = select(vec![
        "", "", ",", ":", "\"", "[", "]", "{", "}", "{}", "\\", " ", "0", "n", "null", "true", "\"a\":1,", ",\"a\"",
        "\u{0}", "\u{feff}", "/**/",
    ]);
    let junk = prop_oneof![9 => junk.prop_map(|text| text.as_bytes().to_vec()), 1 => vec(any::<u8>(), 1..3)];
    (any::<prop::sample::Index>(), 0..4_usize, junk)
}

fn broken(body: BoxedStrategy<String>) -> impl Strategy<Value = Vec<u8>> {
    (body, vec(breakage(), 1..3)).prop_map(|(body, breakages)| {
        let mut bytes = body.into_bytes();
        for (place, taken, junk) in breakages {
            let start = place.index(bytes.len() + 1);
            let end = (start + taken).min(bytes.len());
            bytes.splice(start..end, junk);
        }
        bytes
    })
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1..4_usize, 1..60_usize], 1..6)
}

fn options(allow_reserved: bool) -> WriteOptions {
    WriteOptions { upserted_at_ms: STAMP_MS, allow_reserved }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_write_is_what_the_model_makes_of_it(body in write_body(), cuts in cuts(), allow: bool) {
        check_write(body.as_bytes(), options(allow), &cuts);
    }

    #[test]
    fn a_broken_write_stays_broken(body in broken(write_body()), cuts in cuts(), allow: bool) {
        check_write(&body, options(allow), &cuts);
    }

    #[test]
    fn what_a_write_touches_is_what_the_model_finds(body in write_body(), cuts in cuts(), allow: bool) {
        check_tracked_write(body.as_bytes(), options(allow), &cuts);
    }

    #[test]
    fn what_a_broken_write_touches_does_not_mend_it(body in broken(write_body()), cuts in cuts(), allow: bool) {
        check_tracked_write(&body, options(allow), &cuts);
    }

    #[test]
    fn a_query_is_what_the_model_makes_of_it(body in query_body(), cuts in cuts()) {
        check_query(body.as_bytes(), &cuts);
    }

    #[test]
    fn a_broken_query_stays_broken(body in broken(query_body()), cuts in cuts()) {
        check_query(&body, &cuts);
    }

    #[test]
    fn an_answer_is_stripped_as_the_model_does(body in answer()) {
        check_strip(body.as_bytes());
    }

    #[test]
    fn a_broken_answer_stays_as_it_is(body in broken(answer())) {
        check_strip(&body);
    }

    /// The model's parser is no judge unless it agrees with one that others rely on.
    #[test]
    fn the_models_parser_agrees_with_serde_json(body in broken(write_body())) {
        let text = std::str::from_utf8(&body);
        let valid = text.is_ok_and(|text| serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok());
        let parsed = parse(&body);
        prop_assert_ne!(parsed.clone().err(), Some(Fault::TooDeep));
        prop_assert_eq!(parsed.is_ok(), valid);
        if let Ok(document) = parsed {
            prop_assert_eq!(document.print().into_bytes(), body);
        }
    }
}

/// A property of refusals alone would prove little.
#[test]
fn what_is_made_is_mostly_accepted() {
    let mut runner = TestRunner::deterministic();
    let mut body = || write_body().new_tree(&mut runner).expect("no filters").current();
    let accepted = (0..300).filter(|_| check::rewrite_write(body().as_bytes(), options(true), &[]).is_ok());
    assert!(accepted.count() > 150, "the generator makes too few legal writes");
}
