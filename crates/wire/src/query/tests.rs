use super::*;
use crate::rejection::RejectionKind;

type Outcome = Result<(Vec<u8>, QuerySummary), Rejection>;

fn rewrite_chunks<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let (mut rewriter, mut out) = (QueryRewriter::new(), Pieces::new());
    let mut body = Vec::new();
    for chunk in chunks {
        rewriter.push(Bytes::copy_from_slice(chunk), &mut out)?;
        body.extend(out.drain().flatten());
    }
    let summary = rewriter.finish(&mut out)?;
    body.extend(out.drain().flatten());
    Ok((body, summary))
}

/// Rewrites `body` whole and in chunks of several sizes, which must all agree.
fn outcome(body: &[u8], sizes: &[usize]) -> Outcome {
    let whole = rewrite_chunks(std::iter::once(body));
    for &size in sizes {
        assert_eq!(rewrite_chunks(body.chunks(size)), whole, "by {size}");
    }
    whole
}

fn rewrite(body: &str) -> String {
    let (bytes, summary) = outcome(body.as_bytes(), &[1, 2, 3, 5, 8, 13, 21]).expect(body);
    assert_eq!(summary.rewritten, bytes != body.as_bytes(), "{body}");
    String::from_utf8(bytes).unwrap()
}

/// `@` stands for the reserved name in quotes.
fn spelled(template: &str) -> String {
    template.replace('@', r#""_hevlayer_upserted_at""#)
}

#[test]
fn all_attributes_become_all_but_the_reserved() {
    for (body, expected) in [
        (r#"{"include_attributes":true}"#, r#"{"exclude_attributes":[@]}"#),
        (
            r#"{ "top_k":1, "include_attributes" : true , "filters":[] }"#,
            r#"{ "top_k":1, "exclude_attributes" : [@] , "filters":[] }"#,
        ),
        (r#"{"include\u005fattributes":true,"a":1}"#, r#"{"exclude_attributes":[@],"a":1}"#),
        (r#"{"exclude_attributes":["a"]}"#, r#"{"exclude_attributes":["a",@]}"#),
        (r#"{"exclude_attributes":[ ]}"#, r#"{"exclude_attributes":[ @]}"#),
        (
            r#"{"exclude_attributes":[1,["_hevlayer_upserted_at"],{}]}"#,
            r#"{"exclude_attributes":[1,["_hevlayer_upserted_at"],{},@]}"#,
        ),
        (
            r#"{"include_attributes":null,"exclude_attributes":["a"]}"#,
            r#"{"include_attributes":null,"exclude_attributes":["a",@]}"#,
        ),
        (
            r#"{"include_attributes":true,"exclude_attributes":null}"#,
            r#"{"include_attributes":null,"exclude_attributes":[@]}"#,
        ),
        (
            r#"{"exclude_attributes":null,"include_attributes":true}"#,
            r#"{"exclude_attributes":[@],"include_attributes":null}"#,
        ),
    ] {
        assert_eq!(rewrite(body), spelled(expected));
    }
}

#[test]
fn every_leg_of_a_multi_query_is_changed_and_the_root_is_not() {
    assert_eq!(
        rewrite(
            r#"{"include_attributes":true,"queries":[{"include_attributes":true},{"top_k":1},{"exclude_attributes":["x"]},5],"exclude_attributes":["y"]}"#
        ),
        spelled(
            r#"{"include_attributes":true,"queries":[{"exclude_attributes":[@]},{"top_k":1},{"exclude_attributes":["x",@]},5],"exclude_attributes":["y"]}"#
        ),
    );
    assert_eq!(
        rewrite(r#"{"queries":null,"include_attributes":true}"#),
        spelled(r#"{"queries":null,"exclude_attributes":[@]}"#),
    );
}

#[test]
fn what_needs_no_change_stays_byte_for_byte() {
    for body in [
        r#"{"rank_by":["vector","ANN",[0.1]],"top_k":10}"#,
        r#"{"include_attributes":["_hevlayer_upserted_at"]}"#,
        r#"{"include_attributes":false}"#,
        r#"{"include_attributes":"true"}"#,
        r#"{"exclude_attributes":["_hevlayer_upserted_at"]}"#,
        r#"{"exclude_attributes":["a","\u005fhevlayer_upserted_at"]}"#,
        r#"{"exclude_attributes":"a"}"#,
        r#"{"exclude_attributes":{"a":["b"]}}"#,
        r#"{"filters":["And",[{"include_attributes":true}]],"rerank_by":{"exclude_attributes":[]}}"#,
        r#"{"x":{"queries":[{"include_attributes":true}]}}"#,
        r#"{"queries":{"include_attributes":true}}"#,
        r#"{"queries":[[{"include_attributes":true}]]}"#,
        r#"[{"include_attributes":true}]"#,
        "true",
        "",
    ] {
        assert_eq!(rewrite(body), body);
    }
}

#[test]
fn asking_for_both_lists_stays_an_error_of_the_origin() {
    for include in ["true", "false", r#"["a"]"#, "1"] {
        for exclude in [r#"["b"]"#, "[]", "true", r#""x""#, "{}"] {
            let (include, exclude) =
                (format!(r#""include_attributes":{include}"#), format!(r#""exclude_attributes":{exclude}"#));
            for body in [format!("{{{include},{exclude}}}"), format!(r#"{{"a":0,{exclude},"b":1,{include}}}"#)] {
                assert_eq!(rewrite(&body), body);
            }
        }
    }
}

#[test]
fn a_repeated_key_leaves_the_query_alone() {
    for body in [
        r#"{"include_attributes":true,"include_attributes":true}"#,
        r#"{"exclude_attributes":["a"],"exclude_attributes":["b"]}"#,
        r#"{"exclude_attributes":null,"exclude_attributes":["b"]}"#,
    ] {
        assert_eq!(rewrite(body), body);
    }
}

#[test]
fn what_is_no_json_is_passed_on_unchanged() {
    for body in [
        r#"{"include_attributes":true"#,
        r#"{"include_attributes":true,}"#,
        r#"{"include_attributes":true]"#,
        r#"{"include_attributes":tru}"#,
        r#"{"include_attributes":true true}"#,
        r#"{"exclude_attributes":["a",]}"#,
        r#"{"exclude_attributes":["a" "b"]}"#,
        r#"{"exclude_attributes":["a"],"b"}"#,
        "\u{feff}{\"include_attributes\":true}",
        "{include_attributes:true}",
    ] {
        assert_eq!(rewrite(body), body);
    }
    // The fault lies after a query object that is already changed: that stays, and so does the fault.
    let body = r#"{"queries":[{"include_attributes":true},]}"#;
    assert_eq!(rewrite(body), spelled(r#"{"queries":[{"exclude_attributes":[@]},]}"#));
    let body = r#"{"include_attributes":true} x"#;
    assert_eq!(rewrite(body), spelled(r#"{"exclude_attributes":[@]} x"#));
}

#[test]
fn says_what_kind_of_query_it_was() {
    let summary = |body: &str| outcome(body.as_bytes(), &[]).unwrap().1;
    let single = summary(r#"{"filters":["a","Eq",1],"rank_by":null}"#);
    assert_eq!((single.multi, single.has_filter, single.has_rank_by), (None, true, false));
    let multi = summary(r#"{"queries":[{"rank_by":["a","asc"]},{}, 3],"filters":null}"#);
    assert_eq!((multi.multi, multi.has_filter, multi.has_rank_by), (Some(3), false, true));
    assert_eq!(summary(r#"{"queries":[]}"#).multi, Some(0));
}

#[test]
fn an_unchanged_body_is_the_very_same_bytes() {
    let body = Bytes::from(r#"{"rank_by":["vector","ANN",[0.1,0.7]],"top_k":10}"#);
    let (mut rewriter, mut out) = (QueryRewriter::new(), Pieces::new());
    rewriter.push(body.clone(), &mut out).unwrap();
    rewriter.finish(&mut out).unwrap();
    assert_eq!(out.drain().map(|piece| piece.as_ptr()).collect::<Vec<_>>(), [body.as_ptr()]);
}

/// More than the limit of one value.
fn filler() -> String {
    let limit = usize::try_from(QUERY_HOLD_LIMIT).unwrap();
    format!(r#""rank_by":"{}""#, "x".repeat(limit))
}

const SIZES: &[usize] = &[977, 65_536, 262_144, 262_160, 262_170, 262_180, 262_190, 262_200];

#[test]
fn past_the_limit_the_change_is_made_by_what_is_known() {
    let filler = filler();
    for (body, expected) in [
        (r#"{"include_attributes":true,%}"#, r#"{"exclude_attributes":[@],%}"#),
        (r#"{"exclude_attributes":["a"],%}"#, r#"{"exclude_attributes":["a",@],%}"#),
        (
            r#"{"exclude_attributes":["a"],%,"include_attributes":null}"#,
            r#"{"exclude_attributes":["a",@],%,"include_attributes":null}"#,
        ),
        (r#"{"exclude_attributes":[%],"a":1}"#, r#"{"exclude_attributes":[%,@],"a":1}"#),
        (
            r#"{"include_attributes":null,%,"exclude_attributes":["a"]}"#,
            r#"{"include_attributes":null,%,"exclude_attributes":["a",@]}"#,
        ),
        (
            r#"{"exclude_attributes":null,"include_attributes":true,%}"#,
            r#"{"exclude_attributes":[@],"include_attributes":null,%}"#,
        ),
        // Both are given: whatever was done to one, the other still stands beside it.
        (
            r#"{"exclude_attributes":["a"],%,"include_attributes":true}"#,
            r#"{"exclude_attributes":["a",@],%,"include_attributes":true}"#,
        ),
        (
            r#"{"include_attributes":["a"],%,"exclude_attributes":["b"]}"#,
            r#"{"include_attributes":["a"],%,"exclude_attributes":["b"]}"#,
        ),
    ] {
        // In an array the filler has no key.
        let filler = if body.contains("[%]") { filler.strip_prefix(r#""rank_by":"#).unwrap() } else { &filler };
        let (bytes, _) = outcome(body.replace('%', filler).as_bytes(), SIZES).unwrap();
        let expected = spelled(expected).replace('%', filler);
        assert!(bytes == expected.as_bytes(), "{body}");
    }
}

#[test]
fn past_the_limit_what_would_be_answered_wrongly_is_refused() {
    let (filler, spaces) = (filler(), " ".repeat(300_000));
    for body in [
        r#"{"include_attributes":true,%,"exclude_attributes":["a"]}"#,
        r#"{"include_attributes":true,%,"exclude_attributes":null}"#,
        r#"{"exclude_attributes":null,%,"include_attributes":true}"#,
        r#"{"include_attributes":^true}"#,
        r#"{"include_attributes"^:true,"a":1}"#,
        r#"{"include_attributes":true,"exclude_attributes":^null}"#,
    ] {
        let body = body.replace('%', &filler).replace('^', &spaces);
        let refusal = outcome(body.as_bytes(), SIZES).unwrap_err();
        assert_eq!(refusal.kind, RejectionKind::Unrewritable);
    }
}

#[test]
fn no_more_than_the_limit_is_held() {
    let long = filler().replace("x", "xxx");
    let body = format!(r#"{{"include_attributes":true,{long},"x":[1]}}"#);
    let (mut rewriter, mut out) = (QueryRewriter::new(), Pieces::new());
    let (mut taken, mut given) = (0_u64, 0_u64);
    for chunk in body.as_bytes().chunks(1000) {
        rewriter.push(Bytes::copy_from_slice(chunk), &mut out).unwrap();
        taken += chunk.len() as u64;
        given += out.drain().map(|piece| piece.len() as u64).sum::<u64>();
        assert!(taken <= given + QUERY_HOLD_LIMIT + 1000);
    }
}
