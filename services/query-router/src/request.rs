//! What Layer reads off a request's head, and changes there.

use http::{
    HeaderMap, Request,
    header::CONTENT_ENCODING,
    uri::{PathAndQuery, Uri},
};

use crate::refusal::Refusal;

/// How a body that Layer must read is compressed.
#[derive(Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// By gzip.
    Gzip,
}

/// The encoding that `headers` name.
///
/// # Errors
/// [`Refusal::Encoding`] for one that Layer cannot read.
pub fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(Encoding::Identity) };
    match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        other => Err(Refusal::Encoding(other.chars().take(64).collect())),
    }
}

/// The request at another path, query included.
pub fn with_path<B>(mut request: Request<B>, change: impl FnOnce(&str) -> String) -> Request<B> {
    let old = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    if let Ok(new) = change(old).parse::<Uri>() {
        *request.uri_mut() = new;
    }
    request
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_gzip_and_identity_can_be_read() {
        let named = |value| encoding(&HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(value))]));
        assert_eq!(named("GZIP").unwrap(), Encoding::Gzip);
        assert_eq!(named("identity").unwrap(), Encoding::Identity);
        assert_eq!(encoding(&HeaderMap::new()).unwrap(), Encoding::Identity);
        for other in ["br", "gzip, gzip", "zstd"] {
            assert!(named(other).unwrap_err().to_string().contains("content-encoding"), "{other}");
        }
    }

    #[test]
    fn the_query_stays_with_another_path() {
        let request = Request::builder().uri("/v1/a/query?b=1").body(()).unwrap();
        assert_eq!(with_path(request, |path| path.replacen("/v1/", "/v2/", 1)).uri(), "/v2/a/query?b=1");
    }
}
