use http::HeaderValue;

use super::*;

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Status {
    let headers = headers
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    let status = StatusCode::from_u16(status).unwrap();
    from_answer(status, &headers.collect(), body.as_bytes(), MetadataMap::new())
}

fn reason(status: &Status) -> (String, HashMap<String, String>) {
    let details = status.get_error_details();
    let info = details.error_info().expect("every error has an ErrorInfo");
    assert_eq!(info.domain, "layer");
    (info.reason.clone(), info.metadata.clone())
}

#[test]
fn every_status_of_the_origin_has_its_code() {
    for (http, code) in [
        (400, Code::InvalidArgument),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::NotFound),
        (405, Code::InvalidArgument),
        (408, Code::DeadlineExceeded),
        (409, Code::Aborted),
        (412, Code::FailedPrecondition),
        (413, Code::InvalidArgument),
        (415, Code::InvalidArgument),
        (422, Code::InvalidArgument),
        (429, Code::ResourceExhausted),
        (500, Code::Internal),
        (501, Code::Unimplemented),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::DeadlineExceeded),
        (507, Code::Internal),
        (302, Code::Unknown),
        (418, Code::Unknown),
    ] {
        let status = answer(http, &[("x-layer-served-by", "origin")], r#"{"status":"error","error":"💔 no"}"#);
        assert_eq!((status.code(), status.message()), (code, "💔 no"), "{http}");
        let (reason, metadata) = reason(&status);
        assert_eq!(reason, "ORIGIN_ERROR");
        assert_eq!(metadata, [("http_status".to_owned(), http.to_string())].into());
    }
}

#[test]
fn every_code_of_layer_has_its_status() {
    for (http, error, code) in [
        (502, "upstream_error", Code::Unavailable),
        (429, "upstream_error", Code::ResourceExhausted),
        (503, "service_unavailable", Code::Unavailable),
        (503, "gateway_draining", Code::Unavailable),
        (504, "gateway_timeout", Code::DeadlineExceeded),
        (422, "validation_error", Code::InvalidArgument),
        (404, "not_found", Code::NotFound),
        (409, "conflict", Code::Aborted),
        (412, "precondition_failed", Code::FailedPrecondition),
        (413, "payload_too_large", Code::InvalidArgument),
        (403, "forbidden", Code::PermissionDenied),
        (401, "unauthorized", Code::Unauthenticated),
        (429, "overloaded", Code::ResourceExhausted),
        (408, "request_timeout", Code::DeadlineExceeded),
        (500, "internal_error", Code::Internal),
        (422, "something_later", Code::InvalidArgument),
    ] {
        let body = format!(r#"{{"error":{error:?},"message":"why"}}"#);
        let status = answer(http, &[("x-layer-served-by", "layer")], &body);
        assert_eq!((status.code(), status.message()), (code, "why"), "{error}");
        let (reason, metadata) = reason(&status);
        assert_eq!(reason, error.to_ascii_uppercase());
        assert_eq!(metadata["http_status"], http.to_string());
    }
}

#[test]
fn an_index_that_is_still_built_can_be_waited_for() {
    let status = answer(202, &[("x-layer-served-by", "origin")], r#"{"status":"error","error":"building"}"#);
    assert_eq!((status.code(), reason(&status).0.as_str()), (Code::Unavailable, "INDEX_BUILDING"));
}

#[test]
fn a_body_may_be_plain_text_or_nothing() {
    let status = answer(400, &[], "Invalid URL: Namespace contains invalid characters\n");
    assert_eq!(status.message(), "Invalid URL: Namespace contains invalid characters");
    assert_eq!(answer(503, &[], "").message(), "HTTP status 503");
    assert_eq!(answer(503, &[], "[]").message(), "[]");
    let status = answer(503, &[("x-layer-served-by", "layer")], "");
    assert_eq!(reason(&status).0, "UNSPECIFIED");
}

#[test]
fn further_texts_go_into_the_metadata() {
    let body = r#"{"status":"error","error":"🙅 invalid schema update","attribute":"a","count":3}"#;
    let (_, metadata) = reason(&answer(400, &[], body));
    assert_eq!(metadata["attribute"], "a");
    assert_eq!(metadata.len(), 2);
}

#[test]
fn messages_and_metadata_are_bounded() {
    let long = "ü".repeat(5000);
    let many: String = (0..50).map(|i| format!(",\"k{i}\":\"{long}\"")).collect();
    let status = answer(400, &[], &format!("{{\"error\":\"{long}\"{many}}}"));
    assert_eq!(status.message().len(), MAX_MESSAGE_BYTES + '…'.len_utf8());
    let (_, metadata) = reason(&status);
    assert_eq!(metadata.len(), MAX_EXTRA_FIELDS + 1);
    assert!(metadata.values().all(|text| text.len() <= MAX_EXTRA_BYTES + '…'.len_utf8()));
    assert!(answer(400, &[], &long).message().len() <= MAX_MESSAGE_BYTES + 3);
    assert!(status.details().len() < 2048, "{}", status.details().len());
}

#[test]
fn retry_hints_are_passed_on() {
    let delay = |headers: &[(&'static str, &str)]| {
        let details = answer(429, headers, "{}").get_error_details();
        details.retry_info().and_then(|info| info.retry_delay)
    };
    assert_eq!(delay(&[]), None);
    assert_eq!(delay(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
    assert_eq!(delay(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
    assert_eq!(delay(&[("retry-after-ms", "250"), ("retry-after", "9")]), Some(Duration::from_millis(250)));
    assert_eq!(delay(&[("retry-after", "999999")]), Some(MAX_RETRY_DELAY));
    assert_eq!(delay(&[("retry-after", "-1")]), None);
    assert_eq!(delay(&[("retry-after", "soon")]), None);
    let in_a_minute = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(60));
    let dated = delay(&[("retry-after", &in_a_minute)]).unwrap();
    assert!((Duration::from_secs(50)..=Duration::from_secs(60)).contains(&dated), "{dated:?}");
}

#[test]
fn faults_of_a_request_are_listed() {
    let status = invalid(vec![FieldViolation::new("a.b", "is required"), FieldViolation::new("c", "is odd")]);
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "a.b is required (and 1 more)"));
    let details = status.get_error_details();
    let fields: Vec<_> = details.bad_request().unwrap().field_violations.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["a.b", "c"]);
    assert_eq!(reason(&status).0, "INVALID_REQUEST");
}

#[test]
fn unreadable_answers_say_where() {
    let status = unreadable(&Unreadable { field: "rows" });
    assert_eq!(status.code(), Code::Internal);
    let (reason, metadata) = reason(&status);
    assert_eq!((reason.as_str(), metadata["field"].as_str()), ("UNREADABLE_ANSWER", "rows"));
}
