"""`layer cache`: what an operator asks of the document cache itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from harness.doc_cache import Cache, start_doc_cache, write_id
from harness.origin import FakeOrigin
from harness.ports import free_port
from harness.programs import KEY as KEY_OF_THE_STORE
from harness.programs import Program, layer

KEY = b"u" + (7).to_bytes(8, "big")
"""How the id 7 is written in the cache (crates/cache/src/key.rs)."""


@pytest.fixture(scope="module")
def doc_cache() -> Iterator[Program]:
    program = start_doc_cache()
    yield program
    program.process.kill()


def asked(doc_cache: Program, verb: str, *arguments: str) -> dict:
    done = layer("cache", verb, *arguments, "--cache-url", doc_cache.url, "--tenant", "store", "--output", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_inspect_tells_what_is_known_and_purge_forgets_it(doc_cache: Program) -> None:
    with Cache(doc_cache, "inspected") as client:
        assert asked(doc_cache, "inspect", "inspected", "7")["stored"] is False
        client.store(KEY, b'{"id":7}')
        page = asked(doc_cache, "inspect", "inspected", "7")
        assert (page["stored"], page["stored_bytes"], page["holds"]) == (True, 8, 0)
        assert page["expires_in_ms"] > 0
        client.hold(write_id(), KEY)
        page = asked(doc_cache, "inspect", "inspected", "7")
        assert (page["stored"], page["holds"]) == (False, 1)
        other = b"u" + (8).to_bytes(8, "big")
        client.store(other, b'{"id":8}')
        assert asked(doc_cache, "purge", "inspected") == {"purged": "inspected"}
        assert asked(doc_cache, "inspect", "inspected", "8")["stored"] is False


def test_stats_tell_how_a_replica_is(doc_cache: Program) -> None:
    page = asked(doc_cache, "stats")
    assert (page["backend"], page["connected"], page["proven"], page["stop_writes"]) == ("embedded", True, True, False)
    assert page["capacity_bytes"] > 0
    table = layer("cache", "stats", "--cache-url", doc_cache.url)
    assert table.returncode == 0
    assert "backend" in table.stdout


def test_status_tells_of_the_cache_beside_the_router(doc_cache: Program, router: Program, origin: FakeOrigin) -> None:
    origin.script = lambda exchange: exchange.reply_json({"namespaces": []})
    with Cache(doc_cache, "status") as client:
        client.store(KEY, b'{"id":7}')
        entries = client.stats().entries
    assert entries > 0
    at = ("status", "--url", router.url, "--api-key", KEY_OF_THE_STORE, "--cache-url")
    page = json.loads(layer(*at, doc_cache.url, "--output", "json").stdout)["doc_cache"]
    well = {"state": "serves", "replicas": 1, "answering": 1, "backend": "embedded"}
    assert page == well | {"url": doc_cache.url, "entries": entries}
    table = layer(*at, doc_cache.url)
    row = next(line for line in table.stdout.splitlines() if line.startswith("doc-cache"))
    assert "serves" in row
    assert f"replicas 1 of 1 backend embedded entries {entries}" in row
    away = layer(*at, f"http://127.0.0.1:{free_port()}")
    assert away.returncode == 0, "the mesh is well without it"
    assert "away" in away.stdout


def test_a_cache_that_is_not_there_is_one_line_that_says_what_to_do() -> None:
    done = layer("cache", "stats", "--cache-url", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no document cache at http://127.0.0.1:")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("--cache-url", "not a url"), ("--ca-file", "/nowhere.pem")])
def test_wrong_options_are_named(arguments: tuple[str, str]) -> None:
    url = () if arguments[0] == "--cache-url" else ("--cache-url", "https://127.0.0.1:1")
    done = layer("cache", "stats", *url, *arguments)
    assert done.returncode == 64, done.stderr
    assert arguments[0] in done.stderr
