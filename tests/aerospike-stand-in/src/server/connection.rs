//! One connection: messages in, answers out, in order.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

use super::login::Session;
use super::{Shared, info, login, noise, request};
use crate::control::{Faults, SlowPhase};
use crate::wire::{self, BODY_MAX, TYPE_INFO, TYPE_MESSAGE, TYPE_SECURITY, VERSION};

/// Serves a connection until its end. An error is the peer's doing and of interest to nobody.
pub(super) async fn serve<S>(shared: &Arc<Shared>, mut stream: S) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut faults = shared.faults.subscribe();
    let mut session = Session::default();
    while let Some((kind, body)) = read(&mut stream).await? {
        // A stopped process: the request lies in the socket until it goes on.
        if faults.wait_for(|faults| !faults.paused).await.is_err() {
            return Ok(());
        }
        let now = shared.faults();
        if now.black_hole {
            continue;
        }
        let Some(answer) = answer(shared, &now, &mut session, kind, body).await else { return Ok(()) };
        let answer = if now.garbage { noise::noise() } else { answer };
        stream.write_all(&answer).await?;
    }
    Ok(())
}

/// The answer; none: the connection ends.
async fn answer(
    shared: &Arc<Shared>,
    faults: &Faults,
    session: &mut Session,
    kind: u8,
    body: Bytes,
) -> Option<BytesMut> {
    match kind {
        TYPE_INFO => Some(info::answer(shared, session.is_known(&shared.options), &body)),
        TYPE_SECURITY => Some(login::answer(shared, session, body)),
        TYPE_MESSAGE => message(shared, faults, session, body).await,
        _ => None,
    }
}

async fn message(shared: &Arc<Shared>, faults: &Faults, session: &Session, body: Bytes) -> Option<BytesMut> {
    let asked = request::Request::read(body);
    asked.count(&shared.tally);
    let slow = faults.slow.filter(|slow| !slow.only_writes || asked.has_write());
    let before = slow.filter(|slow| slow.phase == SlowPhase::BeforeWork).map_or(Duration::ZERO, |slow| slow.delay);
    let after = slow.filter(|slow| slow.phase == SlowPhase::AfterWork).map_or(Duration::ZERO, |slow| slow.delay);
    // Work under way goes on when its connection breaks: a caller that gave up is written for all the same.
    let (shared, faults, is_known) = (shared.clone(), faults.clone(), session.is_known(&shared.options));
    let loses = faults.lose_replies;
    let boot = shared.listening.borrow().boot;
    let work = tokio::spawn(async move {
        sleep_until(Instant::now() + before).await;
        let lives = shared.listening.borrow().boot == boot;
        lives.then(|| asked.run(&shared, &faults, is_known))
    });
    let answer = work.await.ok()??;
    sleep_until(Instant::now() + after).await;
    if loses { None } else { Some(answer) }
}

/// The next message's type and body; none at the end.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<(u8, Bytes)>> {
    let header = match stream.read_u64().await {
        Ok(header) => header,
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let (version, kind, len) = ((header >> 56) as u8, (header >> 48) as u8, header & 0xffff_ffff_ffff);
    if version != VERSION || len > BODY_MAX {
        return Ok(None);
    }
    if kind == wire::TYPE_COMPRESSED {
        return Ok(None);
    }
    let mut body = vec![0; len as usize];
    stream.read_exact(&mut body).await?;
    Ok(Some((kind, body.into())))
}
