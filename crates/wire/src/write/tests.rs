use super::*;

const DECLARED: &str = r#""schema":{"_hevlayer_upserted_at":"int"}"#;
const STAMP: &str = r#""_hevlayer_upserted_at":17"#;

fn rewrite_with(options: WriteOptions, chunks: &[&[u8]]) -> Result<(Vec<u8>, WriteSummary), Rejection> {
    let (mut rewriter, mut out) = (WriteRewriter::new(options), Pieces::new());
    let mut body = Vec::new();
    for chunk in chunks {
        rewriter.push(Bytes::copy_from_slice(chunk), &mut out)?;
        body.extend(out.drain().flatten());
    }
    let summary = rewriter.finish(&mut out)?;
    body.extend(out.drain().flatten());
    Ok((body, summary))
}

fn options(allow_reserved: bool) -> WriteOptions {
    WriteOptions { upserted_at_ms: 17, allow_reserved }
}

/// Rewrites `body` whole and in chunks of every small size, which must all agree.
fn rewrite(body: &str) -> Result<(String, WriteSummary), Rejection> {
    let whole = rewrite_with(options(false), &[body.as_bytes()]);
    for size in [1, 2, 3, 5, 8, 13, 21] {
        let chunks: Vec<_> = body.as_bytes().chunks(size).collect();
        assert_eq!(rewrite_with(options(false), &chunks), whole, "{body} by {size}");
    }
    whole.map(|(bytes, summary)| (String::from_utf8(bytes).unwrap(), summary))
}

fn stamped(body: &str) -> String {
    rewrite(body).unwrap().0
}

fn refused(body: &str) -> Rejection {
    rewrite(body).expect_err(body)
}

/// The body with `@` for the stamp and `#` for the declaration spelled out.
fn spelled(template: &str) -> String {
    template.replace('@', STAMP).replace('#', r#""_hevlayer_upserted_at":"int""#)
}

#[test]
fn stamps_every_row() {
    for (body, expected) in [
        (r#"{"upsert_rows":[{"id":1},{"id":2}]}"#, r#"{"upsert_rows":[{"id":1,@},{"id":2,@}],"schema":{#}}"#),
        (r#"{"patch_rows":[ {"id":1 } ] }"#, r#"{"patch_rows":[ {"id":1 ,@} ] ,"schema":{#}}"#),
        (r#"{"upsert_rows":[{}, {  }]}"#, r#"{"upsert_rows":[{@}, {  @}],"schema":{#}}"#),
        (r#"{"upsert\u005frows":[{"id":1}]}"#, r#"{"upsert\u005frows":[{"id":1,@}],"schema":{#}}"#),
        (
            r#"{"upsert_rows":[7,{"id":1},[{"a":1}],null]}"#,
            r#"{"upsert_rows":[7,{"id":1,@},[{"a":1}],null],"schema":{#}}"#,
        ),
    ] {
        assert_eq!(stamped(body), spelled(expected));
    }
}

#[test]
fn stamps_columns_with_one_stamp_per_id() {
    for (body, expected) in [
        (
            r#"{"upsert_columns":{"id":[1,"b",3],"a":[[1,2],[3],[]]}}"#,
            r#"{"upsert_columns":{"id":[1,"b",3],"a":[[1,2],[3],[]],"_hevlayer_upserted_at":[17,17,17]},"schema":{#}}"#,
        ),
        (
            r#"{"patch_columns":{"a":["x,y"],"\u0069d":[ 1 ]} }"#,
            r#"{"patch_columns":{"a":["x,y"],"\u0069d":[ 1 ],"_hevlayer_upserted_at":[17]} ,"schema":{#}}"#,
        ),
    ] {
        assert_eq!(stamped(body), spelled(expected));
    }
    let (_, summary) = rewrite(r#"{"upsert_columns":{"id":[1,2]},"patch_columns":{"id":[3]}}"#).unwrap();
    assert_eq!(summary.rows, 3);
}

#[test]
fn stamps_the_patch_of_a_filter() {
    assert_eq!(
        stamped(r#"{"patch_by_filter":{"filters":["a","Eq",{"patch":{}}],"patch":{"a":{"b":1}}}}"#),
        spelled(r#"{"patch_by_filter":{"filters":["a","Eq",{"patch":{}}],"patch":{"a":{"b":1},@}},"schema":{#}}"#)
    );
}

#[test]
fn declares_the_stamp_in_the_schema_wherever_it_stands() {
    let rows = r#""upsert_rows":[{"id":1}]"#;
    let out = spelled(r#""upsert_rows":[{"id":1,@}]"#);
    for (schema, declared) in [
        (r#""schema":{}"#, r##""schema":{#}"##),
        (r#""schema": {"a":{"type":"string"} } "#, r##""schema": {"a":{"type":"string"} ,#} "##),
        (r#""schema" : null "#, r##""schema" : {#} "##),
        (r#""schema":"x""#, r#""schema":"x""#),
        (r#""schema":[1]"#, r#""schema":[1]"#),
    ] {
        let declared = spelled(declared);
        assert_eq!(stamped(&format!("{{{schema},{rows}}}")), format!("{{{declared},{out}}}"));
        assert_eq!(stamped(&format!("{{{rows},{schema}}}")), format!("{{{out},{declared}}}"));
    }
}

#[test]
fn the_first_row_decides_a_schema_that_came_before() {
    for (operation, declared) in [
        (r#""upsert_rows":[]"#, false),
        (r#""upsert_rows":[1]"#, false),
        (r#""upsert_columns":{"id":[]}"#, false),
        (r#""upsert_columns":{"a":[1]}"#, false),
        (r#""upsert_columns":{"id":5}"#, false),
        (r#""patch_by_filter":{"patch":{}}"#, false),
        (r#""patch_by_filter":{"patch":[{"a":1}]}"#, false),
        (r#""deletes":[1,2]"#, false),
        (r#""delete_by_filter":["a","Eq",1]"#, false),
        (r#""distance_metric":"cosine_distance""#, false),
        (r#""upsert_rows":[{}]"#, true),
        (r#""upsert_columns":{"id":[0]}"#, true),
        (r#""patch_by_filter":{"patch":{"a":1}}"#, true),
    ] {
        for schema in [r#"{"a":"int"}"#, "null"] {
            let body = format!(r#"{{"schema":{schema},"create_namespace":true,{operation}}}"#);
            let (output, summary) = rewrite(&body).unwrap();
            assert_eq!(summary.stamped, declared, "{body}");
            assert_eq!(output.contains(r#""_hevlayer_upserted_at":"int""#), declared, "{output}");
            assert!(declared || output == body, "{output}");
        }
    }
}

#[test]
fn what_produces_no_row_stays_byte_for_byte() {
    for body in [
        r#"{"schema":{"a":"string"}}"#,
        r#" { "deletes" : [ 1 , "x" ] } "#,
        r#"{"delete_by_filter":["_hevlayer_x","Eq",1]}"#,
        r#"{"copy_from_namespace":{"source_namespace":"a"}}"#,
        r#"{"branch_from_namespace":"a"}"#,
        r#"{"create_namespace":true,"schema":{"id":"uint"}}"#,
        r#"{"upsert_rows":null,"deletes":[1]}"#,
        r#"{"upsert_rows":{"id":1}}"#,
        r#"{"upsert_rows":"x","_hevlayer_top":{"_hevlayer_x":1}}"#,
        r#"{"upsert_columns":[{"id":[1]}]}"#,
        "\r\n\t{\"deletes\":[18446744073709551615,-0.0,1e400]}\n",
    ] {
        assert_eq!(stamped(body), body);
    }
}

#[test]
fn text_of_numbers_and_strings_survives() {
    let row = r#"{"id":18446744073709551615,"a":-0.0,"b":1e400,"c":0.1000,"d":"\u00e9\/\ud800","é":[1.0,{"_hevlayer_":2}],"id":1}"#;
    let body = format!(r#"{{"upsert_rows":[{row}]}}"#);
    let expected = format!(r#"{{"upsert_rows":[{},{STAMP}}}],{DECLARED}}}"#, &row[..row.len() - 1]);
    assert_eq!(stamped(&body), expected);
}

#[test]
fn counts_rows_deletes_and_operations() {
    let body = r#"{"upsert_rows":[{},{}],"patch_columns":{"id":[1,2,3]},"deletes":[[1,2],{"a":3,"b":4},"x,y",5],"schema":null,"delete_by_filter":0}"#;
    let (_, summary) = rewrite(body).unwrap();
    let operations = [Operation::UpsertRows, Operation::PatchColumns, Operation::Deletes, Operation::DeleteByFilter];
    let expected = WriteSummary { rows: 5, deletes: 4, operations: operations.into_iter().collect(), stamped: true };
    assert_eq!(summary, expected);
}

#[test]
fn refuses_reserved_names_and_says_where() {
    for (body, field) in [
        (r#"{"upsert_rows":[{"id":1},{"_hevlayer_x":1}]}"#, "upsert_rows[1]._hevlayer_x"),
        (r#"{"patch_rows":[5,{"\u005fhevlayer_x":1}]}"#, "patch_rows[1]._hevlayer_x"),
        (r#"{"upsert_columns":{"_hevlayer_":[]}}"#, "upsert_columns._hevlayer_"),
        (r#"{"patch_by_filter":{"patch":{"_hevlayer_x":1}}}"#, "patch_by_filter.patch._hevlayer_x"),
        (r#"{"schema":{"_hevlayer_upserted_at":"int"}}"#, "schema._hevlayer_upserted_at"),
    ] {
        let refusal = refused(body);
        assert_eq!((refusal.kind, &*refusal.field), (RejectionKind::ReservedName, field));
    }
}

#[test]
fn layers_own_services_may_set_reserved_names_but_not_the_stamp() {
    let body = r#"{"upsert_rows":[{"id":1,"_hevlayer_parent_id":2}]}"#;
    assert!(rewrite_with(options(true), &[body.as_bytes()]).is_ok());
    for body in
        [r#"{"upsert_rows":[{"_hevlayer_upserted_at":2}]}"#, r#"{"schema":{"\u005fhevlayer_upserted_at":"int"}}"#]
    {
        let refusal = rewrite_with(options(true), &[body.as_bytes()]).unwrap_err();
        assert_eq!(refusal.kind, RejectionKind::ReservedName);
    }
}

#[test]
fn names_that_are_no_attributes_of_a_row_pass() {
    for body in [
        r#"{"upsert_rows":[{"id":"_hevlayer_x","sparse":{"_hevlayer_x":1}}]}"#,
        r#"{"upsert_rows":[{"hevlayer_":1,"_hevlayer":2,"_HEVLAYER_x":3}]}"#,
        r#"{"deletes":["_hevlayer_x"],"upsert_condition":["_hevlayer_x","Lt",1]}"#,
    ] {
        assert!(rewrite(body).is_ok(), "{body}");
    }
}

#[test]
fn refuses_a_reserved_name_longer_than_any_buffer() {
    let long = "x".repeat(1 << 20);
    let refusal = refused(&format!(r#"{{"upsert_rows":[{{"_hevlayer_{long}":1}}]}}"#));
    assert_eq!(refusal.kind, RejectionKind::ReservedName);
    assert!(refusal.field.len() < 200);
    let body = format!(r#"{{"upsert_rows":[{{"{long}":1}}]}}"#);
    assert_eq!(stamped(&body).len(), body.len() + STAMP.len() + DECLARED.len() + 2);
}

#[test]
fn refuses_keys_of_another_api_and_names_the_native_one() {
    for (body, key, native) in [
        (r#"{"upserts":[],"deletes":[1]}"#, "upserts", "upsert_rows"),
        (r#"{"deletes":[1],"patch\u0065s":null}"#, "patches", "patch_rows"),
    ] {
        let refusal = refused(body);
        assert_eq!((refusal.kind, &*refusal.field), (RejectionKind::ForeignKey, key));
        assert!(refusal.message.contains(native));
    }
}

#[test]
fn refuses_what_is_no_write() {
    for body in [
        "{}",
        r#"{"upsert_rows":null}"#,
        r#"{"upsert_rows":null,"schema":null,"distance_metric":"cosine_distance"}"#,
        r#"{"return_affected_ids":true,"rows":[{}]}"#,
    ] {
        assert_eq!(refused(body).kind, RejectionKind::NoOperation, "{body}");
    }
}

#[test]
fn refuses_broken_structure_on_every_level_it_walks() {
    for body in [
        "",
        "  ",
        "[]",
        "null",
        "\"{}\"",
        "\u{feff}{\"deletes\":[1]}",
        r#"{"deletes":[1]"#,
        r#"{"deletes":[1]}}"#,
        r#"{"deletes":[1]} x"#,
        r#"{"deletes":[1]}{"deletes":[1]}"#,
        r#"{"deletes":[1],}"#,
        r#"{,"deletes":[1]}"#,
        r#"{"deletes" [1]}"#,
        r#"{"deletes":}"#,
        r#"{"deletes":[1],,"a":1}"#,
        r#"{"deletes":[1] "a":1}"#,
        r#"{deletes:[1]}"#,
        r#"{"deletes":[1]]"#,
        r#"{"upsert_rows":[{"id":1},]}"#,
        r#"{"upsert_rows":[,{"id":1}]}"#,
        r#"{"upsert_rows":[{"id":1} {"id":2}]}"#,
        r#"{"upsert_rows":[{"id":1,}]}"#,
        r#"{"upsert_rows":[{,"id":1}]}"#,
        r#"{"upsert_rows":[{,}]}"#,
        r#"{"upsert_rows":[{"id":1]}}"#,
        r#"{"upsert_rows":[{"id":1 2}]}"#,
        r#"{"upsert_rows":[{"id"}]}"#,
        r#"{"upsert_rows":[{"id":}]}"#,
        r#"{"upsert_rows":[{"id":1"#,
        r#"{"upsert_rows":[{"id"#,
        r#"{"schema":nul"#,
    ] {
        assert_eq!(refused(body).kind, RejectionKind::Malformed, "{body}");
    }
}

#[test]
fn a_null_that_is_none_is_not_replaced() {
    for scalar in ["nul", "nulll", "nil", "n\u{0}"] {
        let body = format!(r#"{{"upsert_rows":[{{}}],"schema":{scalar}}}"#);
        assert!(stamped(&body).contains(&format!(r#""schema":{scalar}}}"#)));
    }
    let endless = "n".repeat(100_000);
    let body = format!(r#"{{"schema":{endless},"upsert_rows":[{{}}]}}"#);
    assert!(stamped(&body).contains(&endless));
}

#[test]
fn a_refusal_is_final() {
    let (mut rewriter, mut out) = (WriteRewriter::new(options(false)), Pieces::new());
    let first = rewriter.push(Bytes::from("["), &mut out).unwrap_err();
    assert_eq!(rewriter.push(Bytes::from("{}"), &mut out), Err(first.clone()));
    assert_eq!(rewriter.finish(&mut out), Err(first));
}

/// `schema`, then `filler` bytes of something else from the schema's bracket on, then `rest`.
fn held_body(filler: u64, rest: &str) -> String {
    let between = format!(r#"}},"deletes":["{}"]"#, "");
    let digits = usize::try_from(filler).unwrap() - between.len() - rest.len();
    format!(r#"{{"schema":{{}},"deletes":["{}"]{rest}"#, "x".repeat(digits))
}

#[test]
fn the_hold_ends_at_its_limit_the_same_way_for_all_chunks() {
    // The last byte of a body within the limit is LIMIT bytes after the place of the declaration.
    for (filler, declared) in
        [(SCHEMA_HOLD_LIMIT, false), (SCHEMA_HOLD_LIMIT + 1, false), (SCHEMA_HOLD_LIMIT + 2, true)]
    {
        let body = held_body(filler, "}");
        let whole = rewrite_with(options(false), &[body.as_bytes()]).unwrap();
        for size in [1, 7, 4096, 65_536, 262_144] {
            let chunks: Vec<_> = body.as_bytes().chunks(size).collect();
            assert_eq!(rewrite_with(options(false), &chunks).unwrap(), whole, "{filler} by {size}");
        }
        let has = String::from_utf8_lossy(&whole.0).contains("_hevlayer_upserted_at");
        assert_eq!(has, declared, "{filler}");
        assert!(!whole.1.stamped);
    }
}

#[test]
fn no_more_than_the_limit_is_held() {
    let body = held_body(3 * SCHEMA_HOLD_LIMIT, r#","upsert_rows":[{}]}"#);
    let (mut rewriter, mut out) = (WriteRewriter::new(options(false)), Pieces::new());
    let (mut taken, mut given) = (0_u64, 0_u64);
    for chunk in body.as_bytes().chunks(1000) {
        rewriter.push(Bytes::copy_from_slice(chunk), &mut out).unwrap();
        taken += chunk.len() as u64;
        given += out.drain().map(|piece| piece.len() as u64).sum::<u64>();
        assert!(taken <= given + SCHEMA_HOLD_LIMIT + 1000);
    }
}

#[test]
fn a_repeated_schema_is_declared_in_at_its_last_place() {
    assert_eq!(
        stamped(r#"{"schema":{},"schema":{"a":"int"},"upsert_rows":[{}]}"#),
        spelled(r#"{"schema":{},"schema":{"a":"int",#},"upsert_rows":[{@}]}"#)
    );
}

#[test]
fn a_long_row_is_not_copied() {
    let vector = "A".repeat(100_000);
    let body = Bytes::from(format!(r#"{{"upsert_rows":[{{"id":1,"vector":"{vector}"}}]}}"#));
    let (mut rewriter, mut out) = (WriteRewriter::new(options(false)), Pieces::new());
    rewriter.push(body.clone(), &mut out).unwrap();
    rewriter.finish(&mut out).unwrap();
    let pieces: Vec<_> = out.drain().collect();
    assert_eq!(pieces.len(), 2);
    assert_eq!(pieces[0].as_ptr(), body.as_ptr());
}
