//! Info: one command a line, each answered with itself, a tab and a value.
//! <https://aerospike.com/docs/reference/info>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, BytesMut};

use super::Shared;
use crate::control::{StopWrites, count};
use crate::store::{Namespace, ms_of_unix_nanos};
use crate::wire::{TYPE_INFO, write_proto};

/// Partitions of a namespace, as bits in bytes.
const PARTITION_BYTES: usize = 4096 / 8;

/// The answer to an info request. Who has to log in and did not is told nothing.
pub(super) fn answer(shared: &Shared, is_known: bool, body: &[u8]) -> BytesMut {
    count(&shared.tally.infos);
    let asked = String::from_utf8_lossy(body);
    let mut text = String::new();
    for command in asked.lines().filter(|line| !line.is_empty()) {
        let value = if is_known { value(shared, command) } else { "ERROR:80:not authenticated".to_owned() };
        text.push_str(&format!("{command}\t{value}\n"));
    }
    let mut out = BytesMut::new();
    write_proto(&mut out, TYPE_INFO, text.len());
    out.put_slice(text.as_bytes());
    out
}

fn value(shared: &Shared, command: &str) -> String {
    let options = &shared.options;
    match command {
        "node" => options.node_name.clone(),
        "build" | "version" => options.build.clone(),
        "edition" => "Aerospike Community Edition".to_owned(),
        "cluster-name" => options.cluster_name.clone().unwrap_or_else(|| "null".to_owned()),
        "features" => "batch-any;batch-index;blob-bits;cdt-list;cdt-map;cluster-stable;float;geo;peers;pipelining;pquery;pscans;query-show;relaxed-sc;replicas;replicas-all;replicas-master;replicas-max;truncate-namespace".to_owned(),
        // They start again with the server, as the real ones do: a client notices a restart by that.
        "partition-generation" | "peers-generation" => generation(shared),
        "rebalance-generation" => "1".to_owned(),
        "replicas" => replicas(options.namespaces.iter().map(|(name, _)| name.as_str())),
        "peers-clear-std" | "peers-clear-alt" | "peers-tls-std" | "peers-tls-alt" => {
            format!("{},{},[]", generation(shared), shared.address.port())
        }
        "service" | "service-clear-std" | "service-clear-alt" | "service-tls-std" | "service-tls-alt" => {
            shared.address.to_string()
        }
        "namespaces" => shared.store.names.join(";"),
        "statistics" => statistics(shared),
        "status" => "ok".to_owned(),
        _ => with_argument(shared, command),
    }
}

fn generation(shared: &Shared) -> String {
    (shared.listening.borrow().boot + 1).to_string()
}

fn with_argument(shared: &Shared, command: &str) -> String {
    if let Some(name) = command.strip_prefix("namespace/") {
        return of_namespace(shared, name, |namespace| namespace_statistics(shared, namespace));
    }
    if let Some(name) = command.strip_prefix("sets/") {
        let name = name.split('/').next().unwrap_or_default();
        return of_namespace(shared, name, |namespace| sets(name, namespace));
    }
    let (verb, parameters) = command.split_once(':').unwrap_or((command, ""));
    match verb {
        "get-config" => match parameter(parameters, "namespace").or_else(|| parameter(parameters, "id")) {
            Some(name) => of_namespace(shared, name, |namespace| configuration(namespace)),
            None => error("no-such-context"),
        },
        "truncate" if parameter(parameters, "set").is_none() => error("missing 'set'"),
        "truncate" | "truncate-namespace" => truncate(shared, parameters),
        _ => error("unrecognized command"),
    }
}

/// The server's form of a failed command.
fn error(text: &str) -> String {
    format!("ERROR:4:{text}")
}

fn of_namespace(shared: &Shared, name: &str, work: impl FnOnce(&mut Namespace) -> String) -> String {
    match shared.store.namespace(name.as_bytes()) {
        Some(mut namespace) => work(&mut namespace),
        None => "ERROR:20:unknown namespace".to_owned(),
    }
}

fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Every partition is ours, in one copy.
fn replicas<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let all = STANDARD.encode([0xff; PARTITION_BYTES]);
    names.map(|name| format!("{name}:0,1,{all}")).collect::<Vec<_>>().join(";")
}

fn statistics(shared: &Shared) -> String {
    let mut objects = 0;
    shared.store.each(|namespace| objects += namespace.objects());
    let uptime = shared.uptime().as_secs();
    format!(
        "failed_best_practices=false;cluster_size=1;cluster_key=BB9;cluster_generation={};cluster_principal={};cluster_integrity=true;cluster_is_member=true;uptime={uptime};objects={objects};tombstones=0",
        generation(shared),
        shared.options.node_name,
    )
}

fn namespace_statistics(shared: &Shared, namespace: &mut Namespace) -> String {
    let total = namespace.options.data_total_bytes.max(1);
    let used = namespace.used_bytes;
    let stop_writes = shared.faults.borrow().stop_writes == StopWrites::On;
    let avail = if stop_writes { 0 } else { 100 - (used * 100 / total).min(100) };
    format!(
        "ns_cluster_size=1;effective_replication_factor=1;objects={objects};tombstones=0;master_objects={objects};clock_skew_stop_writes=false;stop_writes={stop_writes};hwm_breached=false;current_time={now};expired_objects={expired};evicted_objects={evicted};data_total_bytes={total};data_used_bytes={used};data_used_pct={pct};data_avail_pct={avail};{configuration}",
        objects = namespace.objects(),
        now = shared.store.clock.now_secs(),
        expired = namespace.expired_objects,
        evicted = namespace.evicted_objects,
        pct = used * 100 / total,
        configuration = configuration(namespace),
    )
}

fn configuration(namespace: &Namespace) -> String {
    let options = &namespace.options;
    format!(
        "default-ttl={};nsup-period={};allow-ttl-without-nsup=false;max-record-size={};replication-factor=1;strong-consistency=false",
        options.default_ttl, options.nsup_period, options.max_record_bytes
    )
}

fn sets(name: &str, namespace: &Namespace) -> String {
    let line = |(set, used): (&bytes::Bytes, &crate::store::SetUse)| {
        let set_name = String::from_utf8_lossy(set);
        let limit = namespace.limits.get(set).copied().unwrap_or_default();
        format!(
            "ns={name}:set={set_name}:objects={}:tombstones=0:data_used_bytes={}:truncate_lut=0:stop-writes-count={}:stop-writes-size={}",
            used.objects,
            used.bytes,
            limit.count.unwrap_or(0),
            limit.bytes.unwrap_or(0)
        )
    };
    namespace.sets().map(line).collect::<Vec<_>>().join(";")
}

fn truncate(shared: &Shared, parameters: &str) -> String {
    let Some(name) = parameter(parameters, "namespace") else { return error("missing 'namespace'") };
    let until = match parameter(parameters, "lut").map(str::parse) {
        None => shared.store.clock.now_ms(),
        // Records older than that, not those of that very moment.
        Some(Ok(nanos)) => ms_of_unix_nanos(nanos).saturating_sub(1),
        Some(Err(_)) => return error("bad 'lut'"),
    };
    of_namespace(shared, name, |namespace| {
        namespace.truncate(parameter(parameters, "set").map(str::as_bytes), until);
        "ok".to_owned()
    })
}
