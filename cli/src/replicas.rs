//! Replicas of doc-cache, as the command reaches them: by the name in `--cache-url`, each by its own address.

use std::{net::SocketAddr, path::Path, time::Duration};

use http::Uri;
use layer_proto::cache::v1::{StatsRequest, StatsResponse, doc_cache_service_client::DocCacheServiceClient};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::{arguments::CacheAddress, failure::Failure};

/// How long a replica may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one may take where nobody waits for just this one.
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);
/// Replicas that are asked how they are.
const REPLICAS_MAX: usize = 32;

/// A client of whichever replica the name leads to.
///
/// # Errors
/// [`Failure`] that names the option, or says that nobody is there.
pub async fn connect(place: &CacheAddress) -> Result<DocCacheServiceClient<Channel>, Failure> {
    let endpoint = endpoint(place, &place.cache_url, ANSWER_TIMEOUT, None)?;
    let channel = endpoint.connect().await.map_err(|_| {
        Failure::new(format!(
            "no document cache at {}; `layer up` starts one, --cache-url names another",
            place.cache_url
        ))
    })?;
    Ok(DocCacheServiceClient::new(channel))
}

/// The numbers of every replica behind the name; `None` for one that does not answer. Empty where the name leads nowhere.
///
/// # Errors
/// [`Failure`] that names the option which cannot be used.
pub async fn stats(place: &CacheAddress) -> Result<Vec<Option<StatsResponse>>, Failure> {
    let wrong = |reason: &str| Failure::usage(format!("--cache-url: `{}` {reason}", place.cache_url));
    let uri: Uri = place.cache_url.parse().map_err(|_| wrong("is no URL"))?;
    let (scheme, host) = uri.scheme_str().zip(uri.host()).ok_or_else(|| wrong("is no URL with a host"))?;
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    let host = host.trim_matches(['[', ']']);
    let found: Vec<SocketAddr> = match tokio::net::lookup_host((host, port)).await {
        Ok(found) => found.take(REPLICAS_MAX).collect(),
        Err(_) => Vec::new(),
    };
    let mut asked = Vec::with_capacity(found.len());
    for address in found {
        let endpoint = endpoint(place, &format!("{scheme}://{address}"), STATUS_TIMEOUT, Some(host))?;
        asked.push(tokio::spawn(async move {
            let channel = endpoint.connect().await.ok()?;
            let answer = DocCacheServiceClient::new(channel).stats(StatsRequest {}).await;
            answer.ok().map(tonic::Response::into_inner)
        }));
    }
    let mut said = Vec::with_capacity(asked.len());
    for one in asked {
        said.push(one.await.unwrap_or(None));
    }
    Ok(said)
}

fn endpoint(place: &CacheAddress, url: &str, timeout: Duration, name: Option<&str>) -> Result<Endpoint, Failure> {
    let endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|error| Failure::usage(format!("--cache-url: {error}")))?
        .connect_timeout(timeout)
        .timeout(timeout);
    if !url.starts_with("https://") {
        return Ok(endpoint);
    }
    let tls = name.into_iter().fold(tls(place)?, |tls, name| tls.domain_name(name));
    endpoint.tls_config(tls).map_err(|error| Failure::usage(format!("--ca-file: {error}")))
}

fn tls(place: &CacheAddress) -> Result<ClientTlsConfig, Failure> {
    let mut tls = ClientTlsConfig::new();
    tls = match &place.ca_file {
        Some(file) => tls.ca_certificate(Certificate::from_pem(pem("--ca-file", file)?)),
        None => tls.with_native_roots(),
    };
    if let Some([certificate, key]) = place.certificate.as_deref() {
        tls = tls.identity(Identity::from_pem(pem("--certificate", certificate)?, pem("--certificate", key)?));
    }
    Ok(tls)
}

fn pem(option: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::usage(format!("{option}: {}: {error}", file.display())))
}
