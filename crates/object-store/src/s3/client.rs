//! How the bucket is reached: TLS, credentials, deadlines, the retry budget.

use std::{fmt, time::Duration};

use aws_config::{default_provider::credentials::DefaultCredentialsChain, provider_config::ProviderConfig};
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        SharedCredentialsProvider, StalledStreamProtectionConfig,
        retry::RetryConfig,
        retry::{RetryPartition, TokenBucket},
        timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use layer_service::config::ConfigError;

use crate::ObjectStoreSettings;

/// Tokens that a repetition costs, so that each success earns a fifth of one.
const RETRY_COST: u32 = 5;
/// Repetitions per second that need no success.
const RETRIES_PER_SECOND: f32 = 10.0;
/// What the budget holds at the most: ten seconds' worth.
const BUDGET_TOKENS: usize = 10 * 10 * RETRY_COST as usize;
/// Between attempts: 50 ms to 1 s, with jitter.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What makes clients; all of one connector share their retry budget and credentials.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: TlsContext,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl Connector {
    pub(super) async fn new(settings: &ObjectStoreSettings) -> Result<Self, ConfigError> {
        let tls = trust(settings)?;
        let credentials = credentials(settings, &tls).await;
        let budget = TokenBucket::builder()
            .capacity(BUDGET_TOKENS)
            .retry_cost(RETRY_COST)
            .throttling_retry_cost(RETRY_COST)
            .timeout_retry_cost(RETRY_COST)
            .success_reward(1.0)
            .refill_rate(RETRIES_PER_SECOND * 5.0)
            .build();
        let mut config = Config::builder();
        config.set_endpoint_url(settings.endpoint.clone());
        let config = config
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(settings.region.clone()))
            .credentials_provider(credentials)
            .force_path_style(settings.path_style)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // Reads have their own limit on standing still, and parts have the attempt's deadline.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(timeouts(settings))
            .retry_config(retries(settings))
            .retry_partition(RetryPartition::custom("object-store").token_bucket(budget).build())
            .build();
        Ok(Self { config, tls })
    }

    /// A client with connections of its own.
    pub(super) fn connect(&self) -> Client {
        Client::from_conf(self.config.to_builder().http_client(http_client(&self.tls)).build())
    }
}

fn http_client(tls: &TlsContext) -> aws_sdk_s3::config::SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls.clone()).build_https()
}

fn retries(settings: &ObjectStoreSettings) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(settings.attempts_max)
        .with_initial_backoff(BACKOFF.0)
        .with_max_backoff(BACKOFF.1)
}

fn timeouts(settings: &ObjectStoreSettings) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
        .operation_attempt_timeout(Duration::from_millis(settings.attempt_timeout_ms))
        .operation_timeout(settings.operation_timeout())
        .build()
}

fn trust(settings: &ObjectStoreSettings) -> Result<TlsContext, ConfigError> {
    const SETTING: &str = "object_store.ca_file";
    let store = match &settings.ca_file {
        None => TrustStore::default(),
        Some(file) => {
            // The SDK would panic at a file that holds no certificates.
            layer_service::tls::client(SETTING, Some(file), &[])?;
            let read = std::fs::read(file);
            let pem = read.map_err(|error| ConfigError::invalid(SETTING, format!("{}: {error}", file.display())))?;
            TrustStore::empty().with_pem_certificate(pem)
        }
    };
    let built = TlsContext::builder().with_trust_store(store).build();
    built.map_err(|error| ConfigError::invalid(SETTING, error.to_string()))
}

async fn credentials(settings: &ObjectStoreSettings, tls: &TlsContext) -> SharedCredentialsProvider {
    if let (Some(id), Some(secret)) = (&settings.access_key_id, &settings.secret_access_key) {
        let token = settings.session_token.as_ref().map(|token| token.reveal().to_owned());
        let made = Credentials::new(id.reveal(), secret.reveal(), token, None, "object_store.access_key_id");
        return SharedCredentialsProvider::new(made);
    }
    let region = Region::new(settings.region.clone());
    let config = ProviderConfig::default().with_http_client(http_client(tls)).with_region(Some(region.clone()));
    SharedCredentialsProvider::new(DefaultCredentialsChain::builder().configure(config).region(region).build().await)
}
