//! What a 422 says.
//!
//! The live service deserialises a body into types and answers with the deserialiser's own words, which the SDKs'
//! tests look for. minifugu has its own words. So when it answers 422, the fields below are deserialised the same way
//! and, if one of them is what is wrong, the deserialiser is quoted. It must never refuse what minifugu accepts.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, de::IgnoredAny};

use super::asked::{Asked, set_json};

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "upsert_rows")]
    _upsert_rows: Option<Vec<IgnoredAny>>,
    #[serde(rename = "patch_rows")]
    _patch_rows: Option<Vec<IgnoredAny>>,
    #[serde(rename = "deletes")]
    _deletes: Option<Vec<IgnoredAny>>,
    #[serde(rename = "consistency")]
    _consistency: Option<Consistency>,
}

#[derive(Deserialize)]
struct Consistency {
    #[serde(rename = "level")]
    _level: Option<Level>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Strong,
    Eventual,
}

pub(super) fn say_what_was_expected(asked: &Asked, response: &mut Response<Bytes>) {
    // serde also reads a list into a struct, field by field, which would blame the wrong thing.
    let is_object = asked.body.trim_ascii_start().starts_with(b"{");
    if response.status() != StatusCode::UNPROCESSABLE_ENTITY || !is_object {
        return;
    }
    let body = &mut serde_json::Deserializer::from_slice(&asked.body);
    if let Err(wrong) = serde_path_to_error::deserialize::<_, Body>(body) {
        let error = format!("Failed to deserialize the JSON body into the target type: {wrong}");
        set_json(response, serde_json::json!({"status": "error", "error": error}).to_string().into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::asked::asked;
    use http::Method;

    fn said(body: &str) -> String {
        let mut response = Response::new(Bytes::from_static(b"as it was"));
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        say_what_was_expected(&asked(Method::POST, "/v2/namespaces/a/query", body), &mut response);
        String::from_utf8(response.body().to_vec()).unwrap()
    }

    #[test]
    fn the_deserialiser_is_quoted() {
        assert!(said(r#"{"upsert_rows":{"id":1}}"#).contains("upsert_rows: invalid type: map, expected a sequence"));
        assert!(said(r#"{"consistency":"x"}"#).contains(r#"invalid type: string \"x\", expected struct Consistency"#));
        assert!(
            said(r#"{"consistency":{"level":"x"}}"#).contains("unknown variant `x`, expected `strong` or `eventual`")
        );
    }

    #[test]
    fn a_body_wrong_in_another_way_keeps_its_answer() {
        assert_eq!(said(r#"{"rank_by":1,"consistency":{"level":"strong"}}"#), "as it was");
        assert_eq!(said("[1]"), "as it was");
    }
}
