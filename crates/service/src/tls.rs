//! TLS and mTLS from PEM files.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use crate::config::{ConfigError, TlsSettings};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What accepts TLS connections, or `None` where `settings` ask for plain text.
///
/// # Errors
/// [`ConfigError`] naming the setting whose file cannot be used.
pub fn acceptor(settings: &TlsSettings) -> Result<Option<TlsAcceptor>, ConfigError> {
    let (Some(certificate), Some(key)) = (&settings.certificate_file, &settings.key_file) else { return Ok(None) };
    let chain = certificates("tls.certificate_file", certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| file_error("tls.key_file", key, &error))?;
    let versions = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::invalid("tls", error.to_string()))?;
    let clients = match &settings.client_ca_file {
        None => versions.with_no_client_auth(),
        Some(file) => {
            let roots = Arc::new(roots("tls.client_ca_file", file)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let verifier = if settings.client_required { verifier } else { verifier.allow_unauthenticated() };
            let built = verifier.build().map_err(|error| file_error("tls.client_ca_file", file, &error))?;
            versions.with_client_cert_verifier(built)
        }
    };
    let mut config = clients
        .with_single_cert(chain, key)
        .map_err(|error| file_error("tls.certificate_file", certificate, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// A client configuration that trusts the system's authorities, or those of `ca_file` instead.
///
/// # Errors
/// [`ConfigError`] naming `setting` where the file cannot be used or the system has no authorities.
pub fn client(setting: &str, ca_file: Option<&Path>, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, ConfigError> {
    let store = match ca_file {
        Some(file) => roots(setting, file)?,
        None => system_roots(setting)?,
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::invalid(setting, error.to_string()))?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Whether a verified client certificate carries one of `names`.
pub fn certificate_has_name(certificate: &CertificateDer<'_>, names: &[String]) -> bool {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return false };
    names
        .iter()
        .filter_map(|name| ServerName::try_from(name.as_str()).ok())
        .any(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
}

fn certificates(setting: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => {
            Err(ConfigError::invalid(setting, format!("{}: no certificate", file.display())))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(file_error(setting, file, &error)),
    }
}

fn roots(setting: &str, file: &Path) -> Result<RootCertStore, ConfigError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(setting, file)? {
        store.add(certificate).map_err(|error| file_error(setting, file, &error))?;
    }
    Ok(store)
}

fn system_roots(setting: &str) -> Result<RootCertStore, ConfigError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err(ConfigError::invalid(setting, "the system has no certificate authorities; name a PEM file"));
    }
    Ok(store)
}

fn file_error(setting: &str, file: &Path, error: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::invalid(setting, format!("{}: {error}", file.display()))
}
