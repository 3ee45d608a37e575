//! A customer-managed key whose name cannot be one is refused, as the live service does.
//!
//! minifugu records any name. There is no key service behind the stand-in, so a name of the right form is accepted
//! and encrypts nothing.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde::Deserialize;

use super::asked::Asked;
use crate::engine::error;

#[derive(Deserialize)]
struct Write {
    encryption: Option<Encryption>,
}

#[derive(Deserialize)]
struct Encryption {
    mode: String,
    key_name: Option<String>,
}

/// The 400 for a write that names a key which is neither Google's nor Amazon's form.
pub(super) fn refuse_malformed_key(asked: &Asked) -> Option<Response<Bytes>> {
    // A search is cheap beside a second parse of every write.
    let mentioned = memchr::memmem::find(&asked.body, b"customer-managed").is_some();
    if !mentioned || !asked.is(&Method::POST, "v2", "") {
        return None;
    }
    // What does not parse gets minifugu's own error.
    let encryption = serde_json::from_slice::<Write>(&asked.body).ok()?.encryption?;
    let key_name = encryption.key_name?;
    let wrong = encryption.mode == "customer-managed" && !is_key_name(&key_name);
    wrong.then(|| error(StatusCode::BAD_REQUEST, &format!("💔 Malformed Cloud KMS crypto key: {key_name}")))
}

fn is_key_name(name: &str) -> bool {
    name.starts_with("arn:aws:kms:") || is_google_key_name(name)
}

/// `projects/P/locations/L/keyRings/R/cryptoKeys/K`
fn is_google_key_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let labels: Vec<&str> = parts.iter().step_by(2).copied().collect();
    parts.len() == 8
        && labels == ["projects", "locations", "keyRings", "cryptoKeys"]
        && parts.iter().all(|p| !p.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::asked::asked;

    fn refused(key_name: &str) -> Option<String> {
        let body = format!(
            r#"{{"upsert_rows":[{{"id":1}}],"encryption":{{"mode":"customer-managed","key_name":"{key_name}"}}}}"#
        );
        let answer = refuse_malformed_key(&asked(Method::POST, "/v2/namespaces/a", &body))?;
        Some(String::from_utf8(answer.body().to_vec()).unwrap())
    }

    #[test]
    fn a_name_that_is_no_key_is_refused_and_quoted() {
        let text = refused("mykey").unwrap();
        assert!(text.contains("Malformed Cloud KMS crypto key: mykey"), "{text}");
        assert!(refused("projects/p/locations/l/keyRings//cryptoKeys/k").is_some());
    }

    #[test]
    fn names_of_the_right_form_pass() {
        assert_eq!(refused("projects/p/locations/l/keyRings/r/cryptoKeys/k"), None);
        assert_eq!(refused("arn:aws:kms:us-east-1:1:key/2"), None);
    }
}
