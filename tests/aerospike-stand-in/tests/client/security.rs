//! Who may speak to the server, and under what cover.

use std::sync::Arc;

use aerospike::{AuthMode, Client, ClientPolicy, TlsPolicy, as_bin};
use aerospike_stand_in::{Options, Restart, StandIn, User};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::common::{client_policy, read, until, write};

fn guarded() -> Options {
    Options { user: Some(User { name: "layer".to_owned(), password: "right".to_owned() }), ..Options::default() }
}

fn policy(name: &str, password: &str) -> ClientPolicy {
    let mut policy = client_policy();
    policy.auth_mode = AuthMode::Internal(name.to_owned(), password.to_owned());
    policy
}

#[tokio::test]
async fn a_user_logs_in_with_the_right_password_only() {
    let server = StandIn::start(guarded()).await.unwrap();
    let hosts = server.address().to_string();
    assert!(Client::new(&client_policy(), &hosts).await.is_err(), "nobody logged in");
    assert!(Client::new(&policy("layer", "wrong"), &hosts).await.is_err());
    assert!(Client::new(&policy("another", "right"), &hosts).await.is_err());
    let client = Client::new(&policy("layer", "right"), &hosts).await.unwrap();
    let key = aerospike::Key::new("test", "s", aerospike::Value::from(1)).unwrap();
    client.put(&write(), &key, &[as_bin!("n", 1)]).await.unwrap();
    server.control().restart(Restart::Keep);
    until("the client logs in again", async || client.exists(&read(), &key).await.is_ok()).await;
}

#[tokio::test]
async fn a_server_without_users_takes_whoever_says_who_they_are() {
    let server = StandIn::start(Options::default()).await.unwrap();
    assert!(Client::new(&policy("anybody", "anything"), &server.address().to_string()).await.is_ok());
}

#[tokio::test]
async fn tls_is_spoken_where_it_is_asked_for() {
    let made = rcgen::generate_simple_self_signed(vec!["stand-in.test".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let server_config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let server = StandIn::start(Options { tls: Some(Arc::new(server_config)), ..Options::default() }).await.unwrap();
    let port = server.address().port();

    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client_config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tls = client_policy();
    tls.tls_policy = Some(TlsPolicy::new(client_config));
    let client = Client::new(&tls, &format!("127.0.0.1:stand-in.test:{port}")).await.unwrap();
    let key = aerospike::Key::new("test", "s", aerospike::Value::from(1)).unwrap();
    client.put(&write(), &key, &[as_bin!("n", 1)]).await.unwrap();
    assert!(Client::new(&client_policy(), &server.address().to_string()).await.is_err(), "no cover, no answer");
}
