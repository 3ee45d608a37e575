"""doc-cache as a process: what its calls do, what it refuses, and how it starts and ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import grpc
from harness.doc_cache import HOLD_MS, Cache, start_doc_cache, write_id
from harness.exposition import value
from harness.grpc import FailedCall
from harness.process import binary, run
from harness.programs import Program, flags, get
from harness.waiting import until

EXIT_USAGE = 64
PIECE_BYTES = 1 << 20

StartCache = Callable[..., Program]


@pytest.fixture
def start() -> Iterator[StartCache]:
    """Starts doc-caches that are gone when the test is."""
    with ExitStack() as stack:

        def start_one(settings: dict[str, Any] | None = None, **options: Any) -> Program:
            program = start_doc_cache(settings, **options)
            stack.callback(program.process.kill)
            return program

        yield start_one


@pytest.fixture(scope="module")
def shared() -> Iterator[Program]:
    program = start_doc_cache({"limits.body_bytes": 32 << 20})
    yield program
    program.stop()


@pytest.fixture
def cache(shared: Program, request: pytest.FixtureRequest) -> Iterator[Cache]:
    """A namespace of the test's own."""
    with Cache(shared, request.node.name[:100]) as cache:
        yield cache
    assert shared.process.exit_code is None, shared.process.log


def test_a_filled_key_is_served_until_a_write_holds_it(cache: Cache) -> None:
    cache.store(b"k", b"one")
    assert cache.get(b"k") == ("hit", b"one")
    write = write_id()
    cache.hold(write, b"k")
    assert cache.get(b"k") == ("no_lease", "HELD")
    cache.release(write, b"k")
    kind, lease = cache.get(b"k")
    assert kind == "lease"
    assert cache.fill(b"k", lease, b"two") == "STORED"
    assert cache.get(b"k") == ("hit", b"two")


def test_a_fill_whose_lease_ended_is_refused(cache: Cache) -> None:
    _, lease = cache.get(b"k")
    write = write_id()
    cache.hold(write, b"k")
    assert cache.fill(b"k", lease, b"stale") == "LEASE_ENDED"
    cache.release(write, b"k")
    assert cache.fill(b"k", lease, b"stale") == "LEASE_ENDED"
    assert cache.get(b"k")[0] == "lease"


def test_a_purge_and_a_clear_end_what_was_stored(cache: Cache) -> None:
    for key in (b"a", b"b"):
        cache.store(key, key)
    cache.call("Clear", scope=cache.scope, ids=[b"a"])
    assert [kind for kind, _ in cache.get_all([b"a", b"b"])] == ["lease", "hit"]
    cache.call("PurgeNamespace", tenant="store", namespace=cache.scope["namespace"])
    assert [kind for kind, _ in cache.get_all([b"a", b"b"])] == ["lease", "lease"]


def test_a_namespace_hold_purges_when_it_runs_out(cache: Cache) -> None:
    cache.store(b"k", b"one")
    done = write_id()
    cache.call("HoldNamespace", scope=cache.scope, write_id=done, hold_ms=HOLD_MS)
    cache.call("ReleaseNamespace", scope=cache.scope, write_id=done)
    assert cache.get(b"k") == ("hit", b"one")
    cache.call("HoldNamespace", scope=cache.scope, write_id=write_id(), hold_ms=1500)
    assert cache.get(b"k") == ("hit", b"one")
    until(lambda: cache.get(b"k")[0] == "lease", "the namespace is purged", 5)


def test_a_value_is_served_no_longer_than_it_may_be(cache: Cache) -> None:
    _, lease = cache.get(b"k")
    cache.fill(b"k", lease, b"short", ttl_ms=1500)
    assert cache.get(b"k") == ("hit", b"short")
    until(lambda: cache.get(b"k")[0] == "lease", "the value expires", 5)


def test_kinds_namespaces_and_tenants_share_nothing(cache: Cache) -> None:
    cache.store(b"k", b"one")
    for other in ({"kind": 2}, {"namespace": "another"}, {"tenant": "other"}):
        answer = cache.call("Get", scope=cache.scope | other, id=b"k")
        assert answer.lookup.WhichOneof("outcome") == "lease", other


def test_a_batch_is_answered_whole_in_pieces_of_bounded_size(cache: Cache) -> None:
    size = 200_000
    keys = [b"%d" % at for at in range(1500)]
    for key in keys[:20]:
        cache.store(key, key * (size // len(key)))
    found = cache.get_all(keys)
    assert [kind for kind, _ in found] == ["hit"] * 20 + ["lease"] * 1480
    assert all(data.startswith(key) for key, (_, data) in zip(keys[:20], found, strict=False))
    pieces = cache.call("BatchGet", scope=cache.scope, ids=keys)
    assert len(pieces) >= 4
    assert all(piece.ByteSize() <= PIECE_BYTES + 4096 for piece in pieces)
    assert cache.call("BatchGet", scope=cache.scope, ids=[]) == []


def test_bodies_come_back_byte_for_byte_up_to_the_limit(cache: Cache) -> None:
    for size in (0, 1, 8 << 20):
        data = bytes(at * 7 % 256 for at in range(256)) * (size // 256) + b"x" * (size % 256)
        key = b"%d" % size
        _, lease = cache.get(key)
        assert cache.fill(key, lease, data) == "STORED"
        options = [("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(f"127.0.0.1:{cache_port(cache)}", options) as channel:
            answer = Cache.get(with_channel(cache, channel), key)
        assert answer == ("hit", data)
    _, lease = cache.get(b"large")
    assert cache.fill(b"large", lease, b"x" * ((8 << 20) + 1)) == "TOO_LARGE"


def cache_port(cache: Cache) -> int:
    return int(cache.address.rsplit(":", 1)[1])


def with_channel(cache: Cache, channel: grpc.Channel) -> Cache:
    other = object.__new__(Cache)
    other.service, other.channel, other.scope, other.address = cache.service, channel, cache.scope, cache.address
    return other


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("Get", {"id": b"k"}, "scope"),
    ("Get", {"scope": {"tenant": "", "namespace": "n", "kind": 1}, "id": b"k"}, "scope.tenant"),
    ("Get", {"scope": {"tenant": "t" * 65, "namespace": "n", "kind": 1}, "id": b"k"}, "scope.tenant"),
    ("Get", {"scope": {"tenant": "t", "namespace": "n" * 129, "kind": 1}, "id": b"k"}, "scope.namespace"),
    ("Get", {"scope": {"tenant": "t", "namespace": "n"}, "id": b"k"}, "scope.kind"),
    ("Get", {"scope": {"tenant": "t", "namespace": "n", "kind": 9}, "id": b"k"}, "scope.kind"),
    ("Get", {"scope": {"tenant": "t", "namespace": "n", "kind": 1}, "id": b""}, "id"),
    ("Get", {"scope": {"tenant": "t", "namespace": "n", "kind": 1}, "id": b"k" * 1025}, "id"),
    ("BatchGet", {"ids": [b"k", b""]}, "ids[1]"),
    ("BatchGet", {"ids": [b"k"] * 10_001}, "ids"),
    ("BatchFill", {"fills": [{"id": b"k", "body": {}, "lease": {"token": b"none"}}]}, "fills[0].lease"),
    ("BatchFill", {"fills": [{"id": b"k", "lease": {"token": b"\1" * 25}}]}, "fills[0].body"),
    ("Hold", {"write_id": b"short", "ids": [b"k"], "hold_ms": 1}, "write_id"),
    ("Hold", {"write_id": b"w" * 16, "ids": [b"k"], "hold_ms": 0}, "hold_ms"),
    ("Release", {"write_id": b"", "ids": [b"k"]}, "write_id"),
    ("HoldNamespace", {"write_id": b"w" * 16, "hold_ms": 600_001}, "hold_ms"),
    ("Clear", {"ids": [b""]}, "ids[0]"),
    ("PurgeNamespace", {"tenant": "", "namespace": "n"}, "tenant"),
]


@pytest.mark.parametrize(("method", "fields", "field"), WRONG, ids=[f"{one[0]}-{one[2]}" for one in WRONG])
def test_what_is_wrong_is_refused_by_its_field(cache: Cache, method: str, fields: dict[str, Any], field: str) -> None:
    scoped = {} if method in ("Get", "PurgeNamespace") else {"scope": cache.scope}
    with pytest.raises(FailedCall) as failed:
        cache.call(method, **(scoped | fields))
    assert failed.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert failed.value.reason == "INVALID_ARGUMENT"
    assert failed.value.text.startswith(f"{field} "), failed.value.text


def test_stats_inspection_and_metrics_tell_what_happened(start: StartCache) -> None:
    program = start()
    with Cache(program, "told") as cache:
        cache.store(b"k", b"x" * 1000)
        cache.get(b"k")
        stats = cache.stats()
        assert (stats.backend, stats.connected, stats.proven, stats.stop_writes) == ("embedded", True, True, False)
        assert (stats.hits, stats.misses, stats.fills, stats.entries) == (1, 1, 1, 1)
        assert 1000 < stats.bytes < 4000
        told = cache.call("Inspect", scope=cache.scope, id=b"k")
        assert (told.stored, told.stored_bytes, told.holds, told.epoch) == (True, 1000, 0, stats.epoch)
        assert 3_590_000 < told.expires_in_ms <= 3_600_000
        cache.hold(write_id(), b"k")
        told = cache.call("Inspect", scope=cache.scope, id=b"k")
        assert (told.stored, told.holds) == (False, 1)
    labels = {"set": "document", "namespace": "told", "result": "hit"}
    assert value(program.metrics(), "layer_cache_lookups_total", **labels) == 1
    assert value(program.metrics(), "layer_cache_backfills_total", set="document", status="ok") == 1
    assert value(program.metrics(), "layer_cache_writes_total", operation="hold", status="ok") == 1
    until(lambda: value(program.metrics(), "layer_cache_proven") == 1, "hits are served")


def test_more_calls_than_may_be_in_flight_are_shed_at_once(start: StartCache) -> None:
    program = start({"limits.requests_max": 1})
    # A window that does not grow: else the whole answer may be on its way, and the call over.
    options = [("grpc.http2.lookahead_bytes", 0), ("grpc.http2.bdp_probe", 0), ("grpc.max_receive_message_length", -1)]
    with Cache(program) as cache, grpc.insecure_channel(program.address, options) as slow_channel:
        for at in range(8):
            cache.store(b"%d" % at, b"x" * PIECE_BYTES)
        held = threading.Event()
        stop = threading.Event()

        def read_slowly() -> None:
            slow = Cache(program, channel=slow_channel)
            rpc = slow_channel.unary_stream(
                "/layer.cache.v1.DocCacheService/BatchGet",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=bytes,
            )
            pieces = rpc(slow.message("BatchGet", {"scope": slow.scope, "ids": [b"%d" % at for at in range(8)]}))
            next(pieces)
            held.set()
            stop.wait()
            pieces.cancel()

        reader = threading.Thread(target=read_slowly)
        reader.start()
        held.wait()
        try:
            with pytest.raises(FailedCall) as failed:
                cache.get(b"0")
        finally:
            stop.set()
            reader.join()
        assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert failed.value.retry_delay_s > 0
        assert value(program.metrics(), "layer_cache_shed_total") >= 1

        def served() -> bool:
            try:
                return cache.get(b"0")[0] == "hit"
            except FailedCall as error:
                assert error.reason == "OVERLOADED"
                return False

        until(served, "the place is given back")


def test_a_restart_is_empty_even_on_the_same_directory(start: StartCache, tmp_path: Path) -> None:
    settings = {"embedded.directory": str(tmp_path / "values"), "embedded.disk_bytes": 64 << 20}
    first = start(settings)
    with Cache(first) as cache:
        cache.store(b"k", b"one")
        epoch = cache.stats().epoch
    assert first.stop() == 0
    left = tmp_path / "values" / "foyer-storage-direct-fs-99999999"
    left.write_bytes(b"of a larger bound")
    second = start(settings)
    assert not left.exists()
    with Cache(second) as cache:
        assert cache.get(b"k")[0] == "lease"
        assert cache.stats().epoch != epoch
        assert cache.stats().entries == 0


def test_values_that_leave_memory_come_back_from_the_directory(start: StartCache, tmp_path: Path) -> None:
    program = start(
        {
            "embedded.directory": str(tmp_path / "values"),
            "embedded.disk_bytes": 256 << 20,
            "embedded.memory_bytes": 16 << 20,
            "embedded.value_bytes_max": 1 << 20,
        }
    )
    keys = [b"%d" % at for at in range(600)]
    with Cache(program) as cache:
        for at, key in enumerate(keys):
            cache.store(key, key * (100_000 // len(key)))
            if at % 20 == 19:
                # The disk drops what comes faster than it writes: these wait for it.
                written = at + 1
                until(lambda n=written: len(hits(cache, keys[:n])) >= 0.9 * n, "values are written", 20)
        assert len(hits(cache, keys)) >= 500
        assert all(data == key * (100_000 // len(key)) for key, data in hits(cache, keys).items())
        assert cache.stats().bytes <= cache.stats().capacity_bytes


def hits(cache: Cache, keys: list[bytes]) -> dict[bytes, bytes]:
    found = {}
    for at in range(0, len(keys), 25):
        some = keys[at : at + 25]
        found |= {key: data for key, (kind, data) in zip(some, cache.get_all(some), strict=True) if kind == "hit"}
    return found


def test_it_is_not_ready_and_not_serving_while_it_drains(start: StartCache) -> None:
    program = start({"drain.notice_ms": 1500})
    health = "/grpc.health.v1.Health/Check"
    with grpc.insecure_channel(program.address) as channel:
        check = channel.unary_unary(health, request_serializer=bytes, response_deserializer=bytes)
        assert check(b"", timeout=5) == b"\x08\x01"
        program.process.signal(signal.SIGTERM)
        until(lambda: program.ready() == "draining", "it drains")
        until(lambda: check(b"", timeout=5) == b"\x08\x02", "NOT_SERVING")
        with Cache(program) as cache:
            cache.store(b"k", b"still served")
        assert get(f"{program.admin_url}/health")[0] == 200
    assert program.process.wait() == 0
    assert "panicked" not in program.process.log


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"replicas": 2}, "replicas"),
        ({"listen.address": "0.0.0.0:1"}, "listen.address"),
        ({"embedded.memory_bytes": 1}, "embedded.memory_bytes"),
        ({"embedded.directory": "/dev/null/x"}, "embedded.directory"),
        ({"backend": "redis"}, "backend"),
        ({"limits.requests_max": 0}, "limits.requests_max"),
        ({"proof.lapse_ms": 199}, "proof.lapse_ms"),
        ({"tls.certificate_file": "/nowhere", "tls.key_file": "/nowhere"}, "tls."),
    ],
)
def test_a_wrong_setting_ends_it_with_64_and_its_name(settings: dict[str, Any], name: str) -> None:
    free = {"listen.address": "127.0.0.1:0", "admin.address": "127.0.0.1:0"}
    done = run([binary("doc-cache"), *flags(free | settings)], within_s=20)
    assert done.returncode == EXIT_USAGE, done.stderr
    assert name in done.stderr


def test_print_config_tells_what_is_in_force() -> None:
    done = run([binary("doc-cache"), "--print-config", "--embedded-memory-bytes", "268435456"])
    assert done.returncode == 0
    assert "memory_bytes = 268435456" in done.stdout
    assert 'backend = "embedded"' in done.stdout


def test_a_short_settling_time_is_warned_of(start: StartCache) -> None:
    assert "proof.settle_ms is below 3000" in start({"proof.settle_ms": 0}).process.log
    assert "proof.settle_ms" not in start({"proof.settle_ms": 3000}).process.log


def test_a_long_lapse_is_warned_of(start: StartCache) -> None:
    assert "proof.lapse_ms is above 500" in start({"proof.lapse_ms": 501}).process.log
    assert "proof.lapse_ms" not in start({"proof.lapse_ms": 500}).process.log
