//! Bearers that the origin has accepted lately.
//!
//! In mode `pass-through` the origin decides on a caller's bearer, so what Layer itself holds may only be served to a
//! bearer that the origin has just accepted. Only keyed hashes are kept, and few of them.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION};

use crate::{refusal::Refusal, settings::AuthMode};

/// How long the origin's word holds.
const HOLDS: Duration = Duration::from_secs(60);
/// Bearers that are remembered at once.
const BEARERS_MAX: usize = 4096;

/// A bearer as it is remembered: two independent keyed hashes, which nobody outside can aim at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bearer([u64; 2]);

/// The memory. In other modes than `pass-through` it stays empty, and everybody who was admitted is known good.
#[derive(Debug)]
pub struct Accepted {
    active: bool,
    keys: [RandomState; 2],
    since: Mutex<HashMap<Bearer, Instant>>,
}

impl Accepted {
    /// The memory that `mode` needs.
    pub fn new(mode: AuthMode) -> Self {
        Self { active: mode == AuthMode::PassThrough, keys: Default::default(), since: Mutex::default() }
    }

    /// The bearer of a call that goes to the origin, where its answer is to be remembered.
    pub fn remember(&self, headers: &HeaderMap) -> Option<Bearer> {
        let bearer = headers.get(AUTHORIZATION).filter(|_| self.active)?.as_bytes();
        Some(Bearer([self.keys[0].hash_one(bearer), self.keys[1].hash_one(bearer)]))
    }

    /// A bearer together with the namespace that it reads.
    pub fn of(&self, authorization: Option<&HeaderValue>, namespace: &str) -> Option<Bearer> {
        let pair = (authorization.filter(|_| self.active)?.as_bytes(), namespace);
        Some(Bearer([self.keys[0].hash_one(pair), self.keys[1].hash_one(pair)]))
    }

    /// The origin answered a call of `bearer` with `status`.
    pub fn answered(&self, bearer: Bearer, status: StatusCode) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            since.remove(&bearer);
        } else if status.is_success() {
            if since.len() >= BEARERS_MAX {
                since.retain(|_, at| at.elapsed() < HOLDS);
            }
            if since.len() < BEARERS_MAX || since.contains_key(&bearer) {
                since.insert(bearer, Instant::now());
            }
        }
    }

    /// Whether what Layer itself holds may be served to this caller.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if !self.active {
            return Ok(());
        }
        let bearer = self.remember(headers).ok_or(Refusal::Unauthorized("it is missing"))?;
        if self.is_known(bearer) { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    /// Whether the origin has accepted `bearer` lately.
    pub fn is_known(&self, bearer: Bearer) -> bool {
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.get(&bearer).is_some_and(|at| at.elapsed() < HOLDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(key: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(key))])
    }

    #[test]
    fn only_bearers_that_the_origin_accepted_are_known_good() {
        let accepted = Accepted::new(AuthMode::PassThrough);
        let bearer = accepted.remember(&shown("Bearer a")).unwrap();
        assert!(accepted.check(&shown("Bearer a")).is_err());
        accepted.answered(bearer, StatusCode::OK);
        assert!(accepted.check(&shown("Bearer a")).is_ok());
        assert!(accepted.check(&shown("Bearer b")).is_err() && accepted.check(&HeaderMap::new()).is_err());
        accepted.answered(bearer, StatusCode::NOT_FOUND);
        assert!(accepted.check(&shown("Bearer a")).is_ok());
        accepted.answered(bearer, StatusCode::UNAUTHORIZED);
        assert!(accepted.check(&shown("Bearer a")).is_err());
    }

    #[test]
    fn other_modes_remember_nothing() {
        let accepted = Accepted::new(AuthMode::StoreKey);
        assert!(accepted.remember(&shown("Bearer a")).is_none());
        assert!(accepted.check(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn the_memory_is_bounded() {
        let accepted = Accepted::new(AuthMode::PassThrough);
        for number in 0..2 * BEARERS_MAX as u64 {
            accepted.answered(Bearer([number, number]), StatusCode::OK);
        }
        assert_eq!(accepted.since.lock().unwrap().len(), BEARERS_MAX);
    }
}
