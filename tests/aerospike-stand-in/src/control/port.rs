//! The control port, for tests in other processes and languages: a command a line, an answer a line (`ok`, `ok …` or
//! `error …`). `help` lists the commands.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{Control, Restart, SetLimit, Slow, SlowPhase, StopWrites};

/// The longest command line.
const LINE_MAX: u64 = 4096;

const HELP: &str = "stop-writes on|off|full; overload on|off; answer-all CODE|off; answer-writes CODE|off; \
    slow MS [writes] [after] | slow off; black-hole on|off; pause on|off; lose-replies on|off; garbage on|off; \
    refuse on|off; drop-connections; limit SET COUNT|-  BYTES|-; mark; kill; boot|restart empty|keep|marked|resurrected; \
    uptime SECONDS; advance SECONDS; evict HEX-DIGEST|all; records; counters; reset-counters; heal; help";

/// Listens for commands until the stand-in stops.
pub(crate) async fn start(listen: SocketAddr, control: Control) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        tokio::select! {
            () = accept(&listener, &control) => {}
            () = control.stopped() => {}
        }
    });
    Ok(address)
}

async fn accept(listener: &TcpListener, control: &Control) {
    while let Ok((stream, _)) = listener.accept().await {
        let control = control.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = serve(stream, &control) => {}
                () = control.stopped() => {}
            }
        });
    }
}

async fn serve(stream: TcpStream, control: &Control) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    let mut line = String::new();
    loop {
        line.clear();
        let mut limited = tokio::io::AsyncReadExt::take(&mut lines, LINE_MAX);
        if limited.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match command(control, &words) {
            Some(text) if text.is_empty() => "ok\n".to_owned(),
            Some(text) => format!("ok {text}\n"),
            None => "error: not understood, see help\n".to_owned(),
        };
        write.write_all(answer.as_bytes()).await?;
    }
}

fn command(control: &Control, words: &[&str]) -> Option<String> {
    match words {
        ["help"] => return Some(HELP.to_owned()),
        ["records"] => return Some(control.records().to_string()),
        ["counters"] => {
            let all = control.counters().all();
            return Some(all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "));
        }
        ["slow", rest @ ..] => control.slow(slow(rest)?),
        ["limit", set, count, bytes] => {
            control.limit_set(set, SetLimit { count: amount(count)?, bytes: amount(bytes)? });
        }
        ["evict", digest] if *digest != "all" => drop(control.evict(&hex(digest)?)),
        [name] => of_none(control, name)?,
        [name, argument] => of_one(control, name, argument)?,
        _ => return None,
    }
    Some(String::new())
}

fn of_none(control: &Control, name: &str) -> Option<()> {
    match name {
        "drop-connections" => control.drop_connections(),
        "mark" => control.mark(),
        "kill" => control.kill(),
        "reset-counters" => control.reset_counters(),
        "heal" => control.heal(),
        _ => return None,
    }
    Some(())
}

fn of_one(control: &Control, name: &str, argument: &str) -> Option<()> {
    match name {
        "stop-writes" if argument == "full" => control.stop_writes(StopWrites::Full),
        "stop-writes" => control.stop_writes(if switch(argument)? { StopWrites::On } else { StopWrites::Off }),
        "overload" => control.device_overload(switch(argument)?),
        "black-hole" => control.black_hole(switch(argument)?),
        "pause" => control.pause(switch(argument)?),
        "lose-replies" => control.lose_replies(switch(argument)?),
        "garbage" => control.garbage(switch(argument)?),
        "refuse" => control.refuse_connections(switch(argument)?),
        "answer-all" => {
            let code = code(argument)?;
            control.update(|faults| faults.answer_all = code);
        }
        "answer-writes" => {
            let code = code(argument)?;
            control.update(|faults| faults.answer_writes = code);
        }
        "restart" => control.restart(how(argument)?),
        "boot" => control.boot(how(argument)?),
        "uptime" => control.set_uptime(Duration::from_secs(argument.parse().ok()?)),
        "advance" => control.advance_clock(Duration::from_secs(argument.parse().ok()?)),
        "evict" => control.evict_all(),
        _ => return None,
    }
    Some(())
}

fn switch(word: &str) -> Option<bool> {
    match word {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn code(word: &str) -> Option<Option<u8>> {
    if word == "off" { Some(None) } else { word.parse().ok().map(Some) }
}

fn amount(word: &str) -> Option<Option<u64>> {
    if word == "-" { Some(None) } else { word.parse().ok().map(Some) }
}

fn how(word: &str) -> Option<Restart> {
    Some(match word {
        "empty" => Restart::Empty,
        "keep" => Restart::Keep,
        "marked" => Restart::Marked,
        "resurrected" => Restart::Resurrected,
        _ => return None,
    })
}

fn slow(words: &[&str]) -> Option<Option<Slow>> {
    let (first, rest) = words.split_first()?;
    if *first == "off" {
        return Some(None);
    }
    if !rest.iter().all(|word| ["writes", "after"].contains(word)) {
        return None;
    }
    let phase = if rest.contains(&"after") { SlowPhase::AfterWork } else { SlowPhase::BeforeWork };
    let delay = Duration::from_millis(first.parse().ok()?);
    Some(Some(Slow { delay, only_writes: rest.contains(&"writes"), phase }))
}

fn hex(word: &str) -> Option<[u8; 20]> {
    let mut digest = [0; 20];
    if word.len() != 40 || !word.is_ascii() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&word[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(digest)
}
