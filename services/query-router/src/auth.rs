//! Who may call.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use layer_service::config::{ConfigError, Secret};

use crate::{
    foreign,
    headers::INTERNAL_KEY,
    refusal::Refusal,
    settings::{AuthMode, RouterSettings},
};

/// Checks callers.
#[derive(Debug)]
pub struct Auth {
    mode: AuthMode,
    store_key: Option<Secret>,
    /// What goes to the origin for callers that need no bearer.
    lent: Option<HeaderValue>,
    /// Only programs of this machine may call.
    local: bool,
    internal_key: Option<Secret>,
}

impl Auth {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`ConfigError`] where a key's file cannot be read or the key cannot be a header.
    pub fn new(settings: &RouterSettings) -> Result<Self, ConfigError> {
        let store_key = settings.origin.key()?;
        let lent = match (&store_key, settings.auth.mode) {
            (Some(key), AuthMode::Open) => Some(bearer(key)?),
            _ => None,
        };
        let internal_key = settings.auth.internal_key.clone();
        let local = settings.auth.mode == AuthMode::Open && !settings.auth.open_anywhere;
        Ok(Self { mode: settings.auth.mode, store_key, lent, local, internal_key })
    }

    /// Admits a call, or says why not.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.local {
            foreign::check(headers)?;
        }
        match (self.mode, &self.store_key) {
            (AuthMode::StoreKey, Some(key)) if key.matches(token(headers)?) => Ok(()),
            (AuthMode::StoreKey, _) => Err(Refusal::Forbidden),
            (AuthMode::PassThrough | AuthMode::Open, _) => Ok(()),
        }
    }

    /// Admits a call as [`Auth::check`] does, and puts the origin's key on where callers bring none.
    pub fn admit(&self, headers: &mut HeaderMap) -> Result<(), Refusal> {
        self.check(headers)?;
        if let Some(lent) = &self.lent {
            headers.insert(AUTHORIZATION, lent.clone());
        }
        Ok(())
    }

    /// The origin's own key as a header, for what is done without a caller.
    pub fn store_bearer(&self) -> Option<HeaderValue> {
        self.store_key.as_ref().and_then(|key| bearer(key).ok())
    }

    /// Whether the call shows the credential of Layer's own services.
    pub fn is_internal(&self, headers: &HeaderMap) -> bool {
        match (&self.internal_key, headers.get(INTERNAL_KEY)) {
            (Some(key), Some(shown)) => key.matches(shown.as_bytes()),
            _ => false,
        }
    }
}

fn bearer(key: &Secret) -> Result<HeaderValue, ConfigError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.reveal()))
        .map_err(|_| ConfigError::invalid("origin.api_key", "has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn token(headers: &HeaderMap) -> Result<&[u8], Refusal> {
    let value = headers.get(AUTHORIZATION).ok_or(Refusal::Unauthorized("it is missing"))?.as_bytes();
    let (scheme, token) = value.split_at_checked(7).ok_or(Refusal::Unauthorized("it has another form"))?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return Err(Refusal::Unauthorized("it has another form"));
    }
    Ok(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(mode: AuthMode) -> Auth {
        let mut settings = RouterSettings::default();
        settings.origin.api_key = Some(Secret::new("right"));
        settings.auth.mode = mode;
        settings.auth.internal_key = Some(Secret::new("inner"));
        Auth::new(&settings).unwrap()
    }

    fn headers(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap())])
    }

    #[test]
    fn the_store_key_and_nothing_else_is_admitted() {
        let auth = auth(AuthMode::StoreKey);
        for good in ["Bearer right", "bearer right"] {
            assert!(auth.admit(&mut headers(good)).is_ok(), "{good}");
        }
        for bad in ["Bearer wrong", "Bearer rightt", "Bearer "] {
            assert!(matches!(auth.admit(&mut headers(bad)), Err(Refusal::Forbidden)), "{bad}");
        }
        for none in ["Basic right", "right", ""] {
            assert!(matches!(auth.admit(&mut headers(none)), Err(Refusal::Unauthorized(_))), "{none}");
        }
        assert!(matches!(auth.admit(&mut HeaderMap::new()), Err(Refusal::Unauthorized(_))));
    }

    #[test]
    fn open_lends_the_origins_key_and_pass_through_keeps_the_callers() {
        let mut sent = HeaderMap::new();
        auth(AuthMode::Open).admit(&mut sent).unwrap();
        assert_eq!(sent[AUTHORIZATION], "Bearer right");
        let mut sent = headers("Bearer mine");
        auth(AuthMode::PassThrough).admit(&mut sent).unwrap();
        assert_eq!(sent[AUTHORIZATION], "Bearer mine");
    }

    #[test]
    fn only_the_internal_key_is_internal() {
        let auth = auth(AuthMode::StoreKey);
        let shown = |key| HeaderMap::from_iter([(INTERNAL_KEY, HeaderValue::from_static(key))]);
        assert!(auth.is_internal(&shown("inner")));
        assert!(!auth.is_internal(&shown("outer")) && !auth.is_internal(&HeaderMap::new()));
    }
}
