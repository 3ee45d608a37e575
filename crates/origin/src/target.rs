//! Where the origin is.

use http::{
    HeaderValue, Uri,
    uri::{PathAndQuery, Scheme},
};

/// The origin's base URL, taken apart once.
#[derive(Debug, Clone)]
pub struct Target {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of `host` in requests.
    pub(crate) authority: HeaderValue,
    /// What goes before every path, without a slash at its end.
    prefix: String,
}

/// A URL that is no origin's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{reason}; expected http://HOST[:PORT][/PREFIX] or https://…")]
pub struct InvalidTarget {
    reason: &'static str,
}

impl Target {
    /// Takes apart a base URL such as `https://aws-us-east-1.turbopuffer.com` or `http://127.0.0.1:8090/prefix`.
    ///
    /// # Errors
    /// [`InvalidTarget`] for another scheme, a missing host, user information, or a query.
    pub fn parse(url: &str) -> Result<Self, InvalidTarget> {
        let invalid = |reason| InvalidTarget { reason };
        let uri: Uri = url.parse().map_err(|_| invalid("is no URL"))?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(invalid("has no scheme http or https")),
        };
        let authority = uri.authority().ok_or(invalid("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("carries user information"));
        }
        if uri.query().is_some() {
            return Err(invalid("carries a query"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(invalid("has no host"));
        }
        Ok(Self {
            tls,
            host,
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| invalid("has a bad host"))?,
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Whether it is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Host and port, for messages.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The origin's own form of a URI that came to the router: path and query, below the prefix. `None` where it has that
    /// form already, which is nearly always.
    pub(crate) fn local(&self, uri: &Uri) -> Option<Uri> {
        let path = uri.path_and_query();
        if self.prefix.is_empty() && uri.authority().is_none() && path.is_some() {
            return None;
        }
        let path = path.cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let joined = format!("{}{}", self.prefix, path.as_str());
        Some(Uri::from(PathAndQuery::try_from(joined).unwrap_or(path)))
    }

    /// The router's form of a `Location` that the origin gave: a path, so that any client stays with the host it asked.
    /// `None` where it points elsewhere and must stay as it is.
    pub fn local_location(&self, location: &str) -> Option<String> {
        let path = match location.parse::<Uri>().ok()? {
            uri if uri.authority().is_none() => uri,
            uri if self.is_at(&uri) => uri,
            _ => return None,
        };
        let path = path.path_and_query()?.as_str();
        let own = path.strip_prefix(self.prefix.as_str()).filter(|rest| rest.starts_with('/'));
        Some(own.unwrap_or(path).to_owned())
    }

    fn is_at(&self, uri: &Uri) -> bool {
        let Some(authority) = uri.authority() else { return false };
        let port = authority.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 });
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        port == self.port && host.eq_ignore_ascii_case(&self.host)
    }

    /// The whole URL of `path`, as HTTP/2 needs it.
    pub(crate) fn absolute(&self, path: PathAndQuery) -> Result<Uri, http::Error> {
        let scheme = if self.tls { Scheme::HTTPS } else { Scheme::HTTP };
        Uri::builder().scheme(scheme).authority(self.authority.as_bytes()).path_and_query(path).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    #[test]
    fn takes_urls_apart() {
        let plain = target("http://127.0.0.1:8090");
        assert_eq!((plain.tls, plain.address().as_str()), (false, "127.0.0.1:8090"));
        let cloud = target("https://aws-us-east-1.turbopuffer.com/");
        assert_eq!((cloud.tls, cloud.port), (true, 443));
        assert_eq!(target("http://[::1]:80/a/").host, "::1");
    }

    #[test]
    fn refuses_what_is_no_origin() {
        for url in ["", "127.0.0.1:80", "ftp://x", "http://", "http://u:p@x", "http://x/?a=1", "/v1"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn joins_the_prefix_and_takes_it_off_locations() {
        let target = target("http://o:1/region/");
        let local = |target: &Target, uri| target.local(&Uri::from_static(uri)).map(|uri| uri.to_string());
        assert_eq!(local(&target, "/v1/namespaces?a=1").as_deref(), Some("/region/v1/namespaces?a=1"));
        assert_eq!(local(&super::tests::target("http://o:1"), "http://h/v1?a=1").as_deref(), Some("/v1?a=1"));
        assert_eq!(local(&super::tests::target("http://o:1"), "/v1?a=1"), None);
        for location in ["http://o:1/region/v1/x?y", "/region/v1/x?y", "/v1/x?y"] {
            assert_eq!(target.local_location(location).as_deref(), Some("/v1/x?y"), "{location}");
        }
        assert_eq!(target.local_location("http://elsewhere/v1/x"), None);
        assert_eq!(super::tests::target("https://O").local_location("https://o:443/v1/x").as_deref(), Some("/v1/x"));
        assert_eq!(target.local_location("/regional/v1").as_deref(), Some("/regional/v1"));
    }
}
