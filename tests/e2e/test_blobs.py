"""Blobs: PUT and GET by hash, from a directory and from a real S3 server, also when that server is away."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.client import Connection, ask, refusal
from harness.doc_cache import start_doc_cache
from harness.origin import Exchange, FakeOrigin
from harness.programs import Program, await_cache, start_router
from harness.seaweed import Seaweed
from harness.waiting import until
from harness.wire import Message, chunk

BLOBS = "/v1/namespaces/ns/blobs"
PIECE_BYTES = 1 << 20
SMALLER_BYTES = 32 << 20
LARGE_BYTES = (512 << 20) if os.environ.get("LAYER_SOAK") else 128 << 20
GROWTH_BYTES = 32 << 20
"""What a router may hold more at a large blob than at a smaller one: a third of the difference."""


@pytest.fixture(scope="module", params=["directory", "s3"])
def store(
    request: pytest.FixtureRequest, module_origin: FakeOrigin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """A router over each backend."""
    if request.param == "s3":
        settings = request.getfixturevalue("seaweed").settings(prefix="blobs-test/")
    else:
        settings = in_directory(tmp_path_factory.mktemp("objects"))
    program = start_router(module_origin.url, settings)
    yield program
    program.process.kill()


@pytest.fixture
def router(tmp_path: Path, module_origin: FakeOrigin) -> Iterator[Program]:
    """A router over a directory of the test's own."""
    program = start_router(module_origin.url, in_directory(tmp_path / "objects") | {"blobs.bytes_max": 3 << 20})
    yield program
    program.process.kill()


def in_directory(path: Path) -> dict[str, object]:
    return {"object_store.backend": "directory", "object_store.directory": str(path)}


def put(url: str, body: bytes, query: str = "") -> Message:
    return ask(url, "PUT", BLOBS + query, body)


def get(url: str, body_or_hash: bytes | str, headers: list[tuple[str, str]] | None = None) -> Message:
    name = body_or_hash if isinstance(body_or_hash, str) else hashlib.sha256(body_or_hash).hexdigest()
    return ask(url, "GET", f"{BLOBS}/{name}", headers=headers or [])


def large(size: int) -> Iterator[bytes]:
    """Bytes of which no two pieces are the same."""
    for number in range(size // PIECE_BYTES):
        yield number.to_bytes(8, "big") * (PIECE_BYTES // 8)


def files(directory: Path) -> list[Path]:
    """The objects, and whatever was left of unfinished ones."""
    kept = [path for path in directory.rglob("*") if path.is_file() and ".locks" not in path.parts]
    return sorted(kept)


@pytest.mark.parametrize("size", [0, 1, 70_000, 9 << 20])
def test_what_is_put_is_got_by_its_hash(store: Program, size: int) -> None:
    body = os.urandom(size)
    name = hashlib.sha256(body).hexdigest()
    first = put(store.url, body)
    assert (first.status, first.get("x-layer-served-by")) == (201 if size else first.status, "layer")
    assert json.loads(first.body) == {"ref": f"sha256:{name}", "sha256": name, "size": size}
    again = put(store.url, body)
    assert (again.status, again.body) == (200, first.body)
    got = get(store.url, name)
    assert (got.status, got.complete, got.body == body) == (200, True, True)
    assert got.get("etag") == f'"{name}"'
    assert got.get("content-length") == str(size)
    assert (got.get("x-layer-cache"), got.get("x-layer-served-by")) == ("miss", "layer")
    assert got.get("content-type") == "application/octet-stream"


def test_head_and_if_none_match_send_no_bytes(store: Program) -> None:
    body = os.urandom(1000)
    name = json.loads(put(store.url, body).body)["sha256"]
    head = ask(store.url, "HEAD", f"{BLOBS}/{name}")
    assert (head.status, head.get("content-length"), head.get("etag")) == (200, "1000", f'"{name}"')
    known = get(store.url, name, [("if-none-match", f'"{name}"')])
    assert (known.status, known.body, known.get("etag")) == (304, b"", f'"{name}"')
    assert get(store.url, name, [("if-none-match", '"other"')]).body == body
    whole = get(store.url, name, [("range", "bytes=0-9")])
    assert (whole.status, whole.body, whole.get("accept-ranges")) == (200, body, "none")


def test_what_is_absent_is_404_also_in_another_namespace(store: Program) -> None:
    body = os.urandom(100)
    assert put(store.url, body).status == 201
    for method in ("GET", "HEAD"):
        for target in (f"{BLOBS}/{'0' * 64}", BLOBS.replace("ns", "other") + "/" + hashlib.sha256(body).hexdigest()):
            answer = ask(store.url, method, target)
            assert answer.status == 404, answer
            if method == "GET":
                assert refusal(answer)[1] == "not_found"


def test_large_blobs_pass_both_ways_in_flat_memory(store: Program) -> None:
    pass_both_ways(store, SMALLER_BYTES)
    before = store.process.memory_peak_bytes()
    pass_both_ways(store, LARGE_BYTES)
    grown = store.process.memory_peak_bytes() - before
    assert grown < GROWTH_BYTES, f"{grown} bytes on top of {before}"


def pass_both_ways(store: Program, size: int) -> None:
    digest = hashlib.sha256()
    for piece in large(size):
        digest.update(piece)
    name = digest.hexdigest()
    with Connection(store.url, patience_s=120) as connection:
        answer = connection.request("PUT", BLOBS, large(size))
        assert answer.status == 201, answer
        assert json.loads(answer.body) == {"ref": f"sha256:{name}", "sha256": name, "size": size}
    got, length = hashlib.sha256(), 0
    with Connection(store.url, patience_s=120) as connection:
        connection.send_request("GET", f"{BLOBS}/{name}")
        assert connection.answer_head().status == 200
        for piece in connection.stream.pieces(size):
            got.update(piece)
            length += len(piece)
    assert (got.hexdigest(), length) == (name, size)


def test_names_and_bodies_that_cannot_be_are_refused_by_name(router: Program, tmp_path: Path) -> None:
    for name in ("abc", "A" * 64, "0" * 63, "g" * 64, "0" * 64 + "/x"):
        status, code, text = refusal(ask(router.url, "GET", f"{BLOBS}/{name}"))
        assert (status, code) == (422, "validation_error") and "sha256" in text, name
    status, _, text = refusal(ask(router.url, "PUT", "/v1/namespaces/a%20b/blobs", b"x"))
    assert status == 422 and "namespace" in text
    status, _, text = refusal(ask(router.url, "PUT", BLOBS, gzip.compress(b"x"), [("content-encoding", "gzip")]))
    assert status == 422 and "content-encoding" in text
    status, _, text = refusal(put(router.url, b"x", "?warm=maybe"))
    assert status == 422 and "warm" in text
    assert files(tmp_path / "objects") == []


def test_a_blob_over_the_limit_is_413_however_it_comes(router: Program, tmp_path: Path) -> None:
    with Connection(router.url) as connection:
        connection.send_head("PUT", BLOBS, [("content-length", str((3 << 20) + 1)), ("expect", "100-continue")])
        status, code, text = refusal(connection.answer())
        assert (status, code) == (413, "payload_too_large") and "blobs.bytes_max" in text
    with Connection(router.url) as connection:
        with contextlib.suppress(ConnectionError):
            connection.send_request("PUT", BLOBS, large(8 << 20))
        assert refusal(connection.answer())[0] == 413
    assert files(tmp_path / "objects") == []
    assert put(router.url, b"x" * (3 << 20)).status == 201


@pytest.mark.parametrize("declared", [("content-length", "2000000"), ("transfer-encoding", "chunked")])
def test_an_upload_that_breaks_off_leaves_nothing(router: Program, tmp_path: Path, declared: tuple[str, str]) -> None:
    with Connection(router.url) as connection:
        connection.send_head("PUT", BLOBS, [declared])
        piece = b"y" * 1_500_000
        connection.send(piece if declared[0] == "content-length" else chunk(piece))
        until(lambda: "layer_object_store_uploads_inflight 1" in router.metrics(), "the upload has begun")
    until(lambda: "layer_object_store_uploads_inflight 0" in router.metrics(), "the upload has ended")
    assert files(tmp_path / "objects") == []
    assert get(router.url, b"y" * 1_500_000).status == 404


def test_a_wrong_byte_in_the_store_breaks_the_answer_off(router: Program, tmp_path: Path) -> None:
    body = os.urandom(1_000_000)
    assert put(router.url, body).status == 201
    [path] = files(tmp_path / "objects")
    wrong = bytearray(body)
    wrong[500_000] ^= 1
    path.write_bytes(wrong)
    answer = get(router.url, body)
    assert answer.status == 200 and not answer.complete and len(answer.body) < len(body)
    path.write_bytes(body[:-1])
    answer = get(router.url, body)
    assert not answer.complete and len(answer.body) < len(body) - 1
    path.write_bytes(b"")
    assert refusal(get(router.url, body))[:2] == (502, "upstream_error")
    assert 'layer_blob_corrupt_total{source="store"} 3' in router.metrics()
    # One of another size is put anew.
    assert put(router.url, body).status == 201
    assert get(router.url, body).body == body


def test_blobs_outlive_the_router(tmp_path: Path, origin: FakeOrigin) -> None:
    first = start_router(origin.url, in_directory(tmp_path))
    assert put(first.url, b"kept").status == 201
    first.process.kill()
    second = start_router(origin.url, in_directory(tmp_path))
    assert get(second.url, b"kept").body == b"kept"
    second.process.kill()


def test_without_an_object_store_blobs_are_refused_at_once(origin: FakeOrigin) -> None:
    router = start_router(origin.url)
    for answer in (put(router.url, b"x"), get(router.url, b"x")):
        status, code, text = refusal(answer)
        assert (status, code) == (503, "service_unavailable") and "object_store.backend" in text
        assert answer.get("retry-after") is None
    router.process.kill()


def test_with_the_s3_server_away_blobs_say_so_in_time(tmp_path: Path, origin: FakeOrigin) -> None:
    server = Seaweed(tmp_path / "seaweedfs")
    quick = server.settings(
        connect_timeout_ms=500, attempt_timeout_ms=1000, operation_timeout_ms=2000, stall_timeout_ms=1000
    )
    router = start_router(origin.url, quick)
    small, big = os.urandom(1000), b"".join(large(12 << 20))
    assert put(router.url, small).status == 201
    server.pause()
    away(get(router.url, small))
    away(put(router.url, b"another"))
    server.resume()
    assert put(router.url, big).status in (200, 201)
    # Killed with the first parts of an upload in it.
    with Connection(router.url) as connection:
        connection.send_head("PUT", BLOBS, [("content-length", str(64 << 20))])
        connection.send(big)
        server.kill()
        with contextlib.suppress(ConnectionError):
            for piece in large(52 << 20):
                connection.send(piece)
        away(connection.answer())
    away(get(router.url, small))
    assert router.ready() == "ready"
    server.start()
    assert get(router.url, small).body == small
    assert put(router.url, b"another").status == 201
    server.kill()
    router.process.kill()


def away(answer: Message) -> None:
    status, code, text = refusal(answer)
    assert (status, code) == (503, "object_store_unavailable"), (status, text)
    assert "object store" in text and answer.get("retry-after") == "1"


def test_the_cache_is_first_and_its_absence_costs_nothing_but_time(tmp_path: Path, origin: FakeOrigin) -> None:
    cache = start_doc_cache()
    own = in_directory(tmp_path / "objects") | {"cache.addresses": cache.address, "blobs.cache_bytes_max": 500_000}
    router = await_cache(start_router(origin.url, own))
    small, warm, big = os.urandom(300_000), os.urandom(1000), os.urandom(600_000)
    assert [put(router.url, body).status for body in (small, big)] == [201, 201]
    assert put(router.url, warm, "?warm=true").status == 201

    def got(body: bytes) -> str | None:
        answer = get(router.url, body)
        assert (answer.status, answer.complete, answer.body == body) == (200, True, True)
        return answer.get("x-layer-cache")

    # PUT fills nothing unasked; GET does, in the background.
    assert got(small) == "miss"
    until(lambda: got(small) == "hit", "a blob that was got is cached")
    until(lambda: got(warm) == "hit", "a blob that was put with ?warm=true is cached")
    assert [got(big) for _ in range(3)] == ["miss"] * 3, "it is over blobs.cache_bytes_max"
    # What the cache has needs no store.
    for path in files(tmp_path / "objects"):
        path.unlink()
    assert got(small) == got(warm) == "hit"
    assert get(router.url, big).status == 404
    assert put(router.url, small).status == 201
    cache.process.kill()
    until(lambda: got(small) == "miss-on-error", "the cache is seen to be away")
    assert refusal(get(router.url, big))[:2] == (404, "not_found")
    assert put(router.url, big, "?warm=true").status == 201
    router.process.kill()


def test_only_bearers_that_the_origin_accepts_have_blobs(tmp_path: Path, origin: FakeOrigin) -> None:
    """In mode pass-through the origin is asked about a key that it has not accepted lately."""

    def decide(exchange: Exchange) -> None:
        exchange.read_body()
        known = exchange.request.get("authorization") == "Bearer known"
        exchange.reply_json({"namespaces": []}, "200 OK" if known else "401 Unauthorized")

    origin.script = decide
    mode = in_directory(tmp_path) | {"auth.mode": "pass-through", "origin.api_key": None}
    alone = start_router(origin.url, mode)
    status, _, text = refusal(ask(alone.url, "PUT", BLOBS, b"x"))
    assert status == 503 and "auth.single_organisation" in text
    alone.process.kill()
    router = start_router(origin.url, mode | {"auth.single_organisation": True})

    def shown(method: str, target: str, key: str | None, body: bytes | None = None) -> Message:
        headers = [("authorization", f"Bearer {key}")] if key else []
        return ask(router.url, method, target, body, headers, key=False)

    target = f"{BLOBS}/{hashlib.sha256(b'x').hexdigest()}"
    assert shown("PUT", BLOBS, "stranger", b"x").status == 403
    assert shown("PUT", BLOBS, None, b"x").status == 401
    assert shown("PUT", BLOBS, "known", b"x").status == 201
    assert shown("GET", target, "stranger").status == 403
    assert shown("GET", target, "known").body == b"x"
    router.process.kill()


def test_layer_up_keeps_blobs_in_its_data_directory(up: Callable[..., Program], tmp_path: Path) -> None:
    mesh = up()
    assert put(mesh.url, b"kept").status == 201
    mesh.process.kill()
    assert get(up().url, b"kept").body == b"kept"
    assert (tmp_path / "mesh" / "objects").is_dir()
