//! What goes wrong by command, as the client sees it; and that it ends when it is ended.

use std::time::{Duration, Instant};

use aerospike::{Bins, Client, Key, Value, as_bin};
use aerospike_stand_in::{Slow, SlowPhase};

use crate::common::{Site, client_policy, read, until, write};

fn slow(delay_ms: u64, only_writes: bool, phase: SlowPhase) -> Option<Slow> {
    Some(Slow { delay: Duration::from_millis(delay_ms), only_writes, phase })
}

async fn put_within(site: &Site, key: &Key, timeout_ms: u32) -> aerospike::Result<()> {
    let mut policy = write();
    policy.base_policy.total_timeout = timeout_ms;
    policy.base_policy.socket_timeout = timeout_ms;
    site.client.put(&policy, key, &[as_bin!("n", 2)]).await
}

async fn get(site: &Site, key: &Key) -> aerospike::Result<i64> {
    let record = site.client.get(&read(), key, Bins::All).await?;
    match record.bins["n"] {
        Value::Int(number) => Ok(number),
        ref other => panic!("{other:?}"),
    }
}

/// After every fault, the same client works again by itself.
async fn recovers(site: &Site, key: &Key) {
    site.control().heal();
    until("the client works again", async || get(site, key).await.is_ok()).await;
}

#[tokio::test]
async fn slow_answers_take_their_time() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().slow(slow(150, false, SlowPhase::BeforeWork));
    let start = Instant::now();
    get(&site, &key).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn slow_writes_leave_reads_alone() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().slow(slow(600_000, true, SlowPhase::BeforeWork));
    get(&site, &key).await.unwrap();
    assert!(put_within(&site, &key, 200).await.is_err());
    recovers(&site, &key).await;
}

#[tokio::test]
async fn a_slow_write_is_done_though_its_caller_gave_up() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().slow(slow(400, true, SlowPhase::BeforeWork));
    let error = put_within(&site, &key, 100).await.unwrap_err();
    assert!(error.in_doubt(), "{error:?}");
    assert_eq!(get(&site, &key).await.unwrap(), 1);
    until("the write is done late", async || get(&site, &key).await.is_ok_and(|n| n == 2)).await;
}

#[tokio::test]
async fn a_slow_answer_comes_after_the_work() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().slow(slow(600_000, true, SlowPhase::AfterWork));
    assert!(put_within(&site, &key, 200).await.is_err());
    assert_eq!(get(&site, &key).await.unwrap(), 2);
}

#[tokio::test]
async fn dropped_connections_are_replaced() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    let before = site.control().counters().connections;
    site.control().drop_connections();
    until("the client works again", async || get(&site, &key).await.is_ok()).await;
    assert!(site.control().counters().connections > before);
}

#[tokio::test]
async fn a_closed_port_refuses_and_opens_again() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().refuse_connections(true);
    let address = site.server().address();
    until("nobody listens", async || tokio::net::TcpStream::connect(address).await.is_err()).await;
    assert!(get(&site, &key).await.is_err());
    recovers(&site, &key).await;
}

#[tokio::test]
async fn a_black_hole_answers_nothing_and_does_nothing() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().black_hole(true);
    assert!(put_within(&site, &key, 200).await.is_err());
    let hosts = site.server().address().to_string();
    let impatient = aerospike::ClientPolicy { timeout: 300, ..client_policy() };
    assert!(Client::new(&impatient, &hosts).await.is_err());
    recovers(&site, &key).await;
    assert_eq!(get(&site, &key).await.unwrap(), 1);
}

#[tokio::test]
async fn a_pause_ends_with_the_work_done() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().pause(true);
    assert!(put_within(&site, &key, 200).await.is_err());
    assert!(site.control().contains(&key.digest()));
    site.control().pause(false);
    until("the late write is done", async || get(&site, &key).await.is_ok_and(|n| n == 2)).await;
}

#[tokio::test]
async fn a_lost_reply_leaves_a_write_in_doubt_and_done() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().lose_replies(true);
    let error = put_within(&site, &key, 1000).await.unwrap_err();
    assert!(error.in_doubt(), "{error:?}");
    recovers(&site, &key).await;
    assert_eq!(get(&site, &key).await.unwrap(), 2);
}

#[tokio::test]
async fn any_code_can_be_forced() {
    let site = Site::controlled().await;
    let key = site.number(1).await;
    site.control().update(|faults| faults.answer_writes = Some(14));
    assert!(format!("{:?}", put_within(&site, &key, 1000).await.unwrap_err()).contains("KeyBusy"));
    assert_eq!(get(&site, &key).await.unwrap(), 1);
    site.control().update(|faults| faults.answer_all = Some(9));
    assert!(get(&site, &key).await.is_err());
    recovers(&site, &key).await;
}

/// The client may take noise for anything, and may even panic on its way through it: each attempt is a task of its own.
#[tokio::test]
async fn noise_is_survived() {
    let site = std::sync::Arc::new(Site::controlled().await);
    let key = site.number(1).await;
    site.control().garbage(true);
    for _ in 0..8 {
        let (site, key) = (site.clone(), key.clone());
        let attempt = tokio::spawn(async move { get(&site, &key).await });
        let answered = tokio::time::timeout(Duration::from_secs(10), attempt).await.expect("no attempt hangs");
        assert!(!matches!(answered, Ok(Ok(_))), "noise is no answer");
    }
    recovers(&site, &key).await;
    assert_eq!(get(&site, &key).await.unwrap(), 1);
}
