//! Security messages: login with a password's bcrypt hash, and authentication with the session's token that it gave.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Shared;
use crate::code::Code;
use crate::control::count;
use crate::options::{Options, User};
use crate::wire::{TYPE_SECURITY, write_proto};

/// A security message's header.
const HEADER: usize = 16;
/// How long a session is said to last.
const SESSION_SECS: u32 = 86_400;
/// How many sessions and checked credentials are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// Commands and fields.
mod wire {
    pub(super) const AUTHENTICATE: u8 = 0;
    pub(super) const LOGIN: u8 = 20;
    pub(super) const USER: u8 = 0;
    pub(super) const CREDENTIAL: u8 = 3;
    pub(super) const TOKEN: u8 = 5;
    pub(super) const TTL: u8 = 6;
}

/// Whether somebody logged in on a connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    is_in: bool,
}

impl Session {
    pub(super) fn is_known(&self, options: &Options) -> bool {
        self.is_in || options.user.is_none()
    }
}

/// Sessions of all connections, and hashes that were found right: a check of one takes long, on purpose.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    tokens: Mutex<HashSet<Bytes>>,
    checked: Mutex<HashSet<Bytes>>,
}

fn locked(set: &Mutex<HashSet<Bytes>>) -> std::sync::MutexGuard<'_, HashSet<Bytes>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remember(set: &Mutex<HashSet<Bytes>>, value: Bytes) {
    let mut set = locked(set);
    if set.len() < REMEMBERED_MAX {
        set.insert(value);
    }
}

impl Sessions {
    /// Every session is over, as after a restart.
    pub(crate) fn forget(&self) {
        locked(&self.tokens).clear();
    }

    fn issue(&self) -> Bytes {
        use std::hash::{BuildHasher, RandomState};
        let token = Bytes::copy_from_slice(&RandomState::new().hash_one("session").to_be_bytes());
        remember(&self.tokens, token.clone());
        token
    }

    fn is_right(&self, user: &User, credential: &Bytes) -> bool {
        if locked(&self.checked).contains(credential) {
            return true;
        }
        let right =
            std::str::from_utf8(credential).is_ok_and(|hash| bcrypt::verify(&user.password, hash).unwrap_or(false));
        if right {
            remember(&self.checked, credential.clone());
        }
        right
    }
}

/// What a message says.
#[derive(Debug, Default)]
struct Asked {
    command: u8,
    user: Bytes,
    credential: Bytes,
    token: Bytes,
}

impl Asked {
    fn read(mut body: Bytes) -> Option<Self> {
        if body.len() < HEADER {
            return None;
        }
        let mut head = body.split_to(HEADER);
        head.advance(2);
        let (command, fields) = (head.get_u8(), head.get_u8());
        let mut asked = Self { command, ..Self::default() };
        for _ in 0..fields {
            let len = body.try_get_u32().ok()? as usize;
            if len == 0 || len > body.len() {
                return None;
            }
            let mut field = body.split_to(len);
            match field.get_u8() {
                wire::USER => asked.user = field,
                wire::CREDENTIAL => asked.credential = field,
                wire::TOKEN => asked.token = field,
                _ => {}
            }
        }
        Some(asked)
    }
}

/// The answer to a security message.
pub(super) fn answer(shared: &Shared, session: &mut Session, body: Bytes) -> BytesMut {
    count(&shared.tally.logins);
    let token = match (&shared.options.user, Asked::read(body)) {
        (None, _) => Err(Code::SECURITY_NOT_ENABLED),
        (Some(_), None) => Err(Code::PARAMETER),
        (Some(user), Some(asked)) => enter(shared, user, &asked),
    };
    session.is_in |= token.is_ok();
    write(token)
}

/// The new session's token; empty where the session was there already.
fn enter(shared: &Shared, user: &User, asked: &Asked) -> Result<Bytes, Code> {
    if asked.user != user.name.as_bytes() {
        return Err(Code::INVALID_USER);
    }
    match asked.command {
        wire::LOGIN if shared.sessions.is_right(user, &asked.credential) => Ok(shared.sessions.issue()),
        wire::LOGIN => Err(Code::INVALID_CREDENTIAL),
        wire::AUTHENTICATE if locked(&shared.sessions.tokens).contains(&asked.token) => Ok(Bytes::new()),
        wire::AUTHENTICATE => Err(Code::EXPIRED_SESSION),
        _ => Err(Code::UNSUPPORTED),
    }
}

fn write(token: Result<Bytes, Code>) -> BytesMut {
    let mut fields = BytesMut::new();
    if let Ok(token) = token.as_ref().map(Bytes::as_ref)
        && !token.is_empty()
    {
        fields.put_u32(token.len() as u32 + 1);
        fields.put_u8(wire::TOKEN);
        fields.put_slice(token);
        fields.put_u32(5);
        fields.put_u8(wire::TTL);
        fields.put_u32(SESSION_SECS);
    }
    let count = if fields.is_empty() { 0 } else { 2 };
    let mut out = BytesMut::new();
    write_proto(&mut out, TYPE_SECURITY, HEADER + fields.len());
    out.put_slice(&[0, token.err().map_or(0, |code| code.0), 0, count]);
    out.put_bytes(0, HEADER - 4);
    out.put_slice(&fields);
    out
}
