//! The control port: the same commands for tests in other processes.

use aerospike::{ResultCode, as_bin};
use aerospike_stand_in::{Options, StopWrites};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::common::{Site, code, until, write};

struct Port(BufReader<TcpStream>);

impl Port {
    async fn open(site: &Site) -> Self {
        let address = site.server().control_address().unwrap();
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn say(&mut self, line: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        self.0.read_line(&mut answer).await.unwrap();
        answer.trim_end().to_owned()
    }
}

async fn site() -> Site {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Site::with(Options { control_listen: Some(listen), ..Options::default() }).await
}

#[tokio::test]
async fn commands_in_lines() {
    let site = site().await;
    let mut port = Port::open(&site).await;
    let key = site.number(1).await;
    assert_eq!(port.say("stop-writes on").await, "ok");
    assert_eq!(code(site.client.put(&write(), &key, &[as_bin!("n", 1)]).await), ResultCode::ServerMemError);
    assert_eq!(port.say("records").await, "ok 1");
    let hex: String = key.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(port.say(&format!("evict {hex}")).await, "ok");
    assert_eq!(port.say("records").await, "ok 0");
    assert!(port.say("counters").await.contains("puts=2"));
    assert_eq!(port.say("heal").await, "ok");
    assert_eq!(port.say("restart empty").await, "ok");
    until("the client is back", async || site.client.put(&write(), &key, &[as_bin!("n", 1)]).await.is_ok()).await;
}

#[tokio::test]
async fn every_command_of_the_help_is_understood() {
    let site = site().await;
    let mut port = Port::open(&site).await;
    let lines = [
        "stop-writes full",
        "overload on",
        "answer-all 9",
        "answer-writes 8",
        "answer-writes off",
        "slow 250 writes after",
        "black-hole on",
        "pause on",
        "lose-replies on",
        "garbage on",
        "refuse on",
        "drop-connections",
        "limit s 5 -",
        "mark",
        "kill",
        "boot marked",
        "uptime 7",
        "advance 60",
        "evict all",
        "reset-counters",
    ];
    for line in lines {
        assert_eq!(port.say(line).await, "ok", "{line}");
    }
    let faults = site.control().faults();
    assert_eq!((faults.stop_writes, faults.answer_all, faults.answer_writes), (StopWrites::Full, Some(9), None));
    assert!(faults.device_overload && faults.black_hole && faults.paused && faults.lose_replies && faults.garbage);
    let slow = faults.slow.unwrap();
    assert_eq!((slow.delay, slow.only_writes), (Duration::from_millis(250), true));
    port.say("heal").await;
    assert_eq!(site.control().faults(), aerospike_stand_in::Faults::default());
    assert!(port.say("help").await.contains("stop-writes"));
    for wrong in ["", "stop-writes", "stop-writes maybe", "slow", "evict xyz", "nonsense at all"] {
        assert!(port.say(wrong).await.starts_with("error"), "{wrong}");
    }
}
