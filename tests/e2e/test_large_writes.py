"""Writes above write.read_ahead_bytes are stamped and checked while they stream, in flat memory."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator

import pytest

from harness.client import Connection, ask, refusal
from harness.origin import Exchange, FakeOrigin
from harness.programs import INTERNAL_KEY, Program
from harness.waiting import steady, until
from harness.wire import LAST_CHUNK, chunk

READ_AHEAD_BYTES = 256 << 10
MEMORY_BYTES = 96 << 20
ROUTER_SETTINGS = {"write.read_ahead_bytes": READ_AHEAD_BYTES, "limits.body_bytes": 513 << 20}
WRITE = "/v2/namespaces/ns"
STAMP = re.compile(rb',"_hevlayer_upserted_at":(\d{13})\}')
HELD_BYTES = 128
"""Longer than a stamp, which pieces may cut in two, and than the declaration at the end."""

ROW = b'{"id":%d,"vector":[0.1,-2.5e-3,12345678901234567890],"text":"' + b"blue whale " * 90 + b'"}'
SIZES = [64 << 20] + ([(512 << 20) - 4096] if os.environ.get("LAYER_SOAK") else [])


def rows(size: int) -> Iterator[bytes]:
    """A write of about `size` bytes, in pieces."""
    yield b'{"upsert_rows":['
    sent, number = 0, 0
    while sent < size - len(ROW):
        piece = b",".join(ROW % (number + offset) for offset in range(64))
        piece += b"," if sent + len(piece) < size - len(ROW) else b""
        sent, number = sent + len(piece), number + 64
        yield piece
    yield b'],"distance_metric":"cosine_distance"}'


class Unstamp:
    """Takes the stamps out of a body as it comes: what is left must be what the caller sent."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.stamps: set[bytes] = set()
        self.count = 0
        self._rest = b""

    def take(self, piece: bytes) -> None:
        text = STAMP.sub(self._note, self._rest + piece)
        kept = max(len(text) - HELD_BYTES, 0)
        self.digest.update(text[:kept])
        self._rest = text[kept:]

    def _note(self, found: re.Match[bytes]) -> bytes:
        self.stamps.add(found[1])
        self.count += 1
        return b"}"

    def end(self, declaration: bytes) -> str:
        assert self._rest.endswith(declaration + b"}"), self._rest
        self.digest.update(self._rest.removesuffix(declaration + b"}") + b"}")
        return self.digest.hexdigest()


@pytest.mark.parametrize("size", SIZES, ids=[f"{size >> 20} MiB" for size in SIZES])
@pytest.mark.timeout(600)
def test_a_large_write_streams_in_flat_memory_and_every_row_is_stamped(
    router: Program, origin: FakeOrigin, size: int
) -> None:
    unstamp, sent, count = Unstamp(), hashlib.sha256(), 0

    def script(exchange: Exchange) -> None:
        exchange.read_body(unstamp.take)
        exchange.reply_json({"rows_upserted": 1})

    origin.script = script
    before_ms = int(time.time() * 1000)
    with Connection(router.url, patience_s=120) as connection:
        connection.send_head("POST", WRITE, [("transfer-encoding", "chunked")])
        for piece in rows(size):
            sent.update(piece)
            count += piece.count(b'"id":')
            connection.send(chunk(piece))
        connection.send(LAST_CHUNK)
        assert connection.answer("POST").status == 200
    after_ms = int(time.time() * 1000)
    assert origin.last().complete
    assert unstamp.count == count
    assert len(unstamp.stamps) == 1, "one write, one stamp"
    assert before_ms <= int(unstamp.stamps.pop()) <= after_ms
    assert unstamp.end(b',"schema":{"_hevlayer_upserted_at":"int"}') == sent.hexdigest()
    assert router.process.memory_peak_bytes() < MEMORY_BYTES


def test_a_large_body_that_layer_does_not_read_streams_in_flat_memory(router: Program, origin: FakeOrigin) -> None:
    sent = hashlib.sha256()
    with Connection(router.url, patience_s=120) as connection:
        connection.send_head("DELETE", WRITE, [("content-length", str(64 << 20))])
        for number in range(64):
            piece = bytes([number]) * (1 << 20)
            sent.update(piece)
            connection.send(piece)
        assert connection.answer().status == 200
    assert origin.last().sha256 == sent.hexdigest()
    assert router.process.memory_peak_bytes() < MEMORY_BYTES


def test_a_large_answer_streams_in_flat_memory_however_slowly_it_is_read(router: Program, origin: FakeOrigin) -> None:
    size, sent = 64 << 20, 0

    def script(exchange: Exchange) -> None:
        nonlocal sent
        exchange.read_body()
        exchange.send_head("200 OK", [("content-length", str(size))])
        while sent < size:
            exchange.send(b"x" * (1 << 20))
            sent += 1 << 20

    origin.script = script
    with Connection(router.url) as connection:
        connection.send_request("POST", f"{WRITE}/query", b'{"limit":1}')
        assert connection.answer_head().status == 200
        until(lambda: sent, "the origin begins to send")
        # The sockets' buffers fill up, and then the origin must wait for the caller.
        assert steady(lambda: sent, 0.2) < size
        assert sum(len(piece) for piece in connection.stream.pieces(size)) == size
    assert router.process.memory_peak_bytes() < MEMORY_BYTES


def begin(connection: Connection, origin: FakeOrigin) -> None:
    """Sends more of a write than the router reads ahead, and leaves its end open."""
    connection.send_head("POST", WRITE, [("transfer-encoding", "chunked")])
    connection.send(chunk(b'{"upsert_rows":['))
    for number in range(2 * READ_AHEAD_BYTES // len(ROW)):
        connection.send(chunk(ROW % number + b","))
    until(lambda: origin.requests, "the write has begun at the origin")


LATE = {
    "a reserved attribute": b'{"id":1,"_hevlayer_upserted_at":1}]}',
    "another reserved attribute": b'{"id":1,"_hevlayer_mine":1}]}',
    "no JSON": b"{id:1}]}",
    "an early end": b'{"id":1}',
    "rubbish after the end": b'{"id":1}]}x',
}


@pytest.mark.parametrize("name", LATE)
def test_a_violation_found_late_breaks_the_origins_request_off(router: Program, origin: FakeOrigin, name: str) -> None:
    def script(exchange: Exchange) -> None:
        exchange.read_body()
        if exchange.request.complete:
            exchange.reply_json({"rows_upserted": 1})

    origin.script = script
    with Connection(router.url) as connection:
        begin(connection, origin)
        with contextlib.suppress(OSError):
            connection.send(chunk(LATE[name]) + LAST_CHUNK)
        assert refusal(connection.answer("POST"))[:2] == (422, "validation_error")
    until(lambda: origin.last().sha256, "the origin's request ends")
    assert not origin.last().complete
    assert len(origin.requests) == 1


def test_a_caller_that_goes_away_breaks_the_origins_request_off(router: Program, origin: FakeOrigin) -> None:
    with Connection(router.url) as connection:
        begin(connection, origin)
    until(lambda: origin.last().sha256, "the origin's request ends")
    assert not origin.last().complete


def test_an_early_refusal_of_the_origin_reaches_a_caller_that_is_still_sending(
    router: Program, origin: FakeOrigin
) -> None:
    def script(exchange: Exchange) -> None:
        exchange.reply("429 Too Many Requests", b'{"error":"slow down"}', [("retry-after", "3")])
        exchange.read_body()

    origin.script = script
    with Connection(router.url) as connection:
        connection.send_head("POST", WRITE, [("transfer-encoding", "chunked")])
        with contextlib.suppress(OSError):
            for piece in rows(4 << 20):
                connection.send(chunk(piece))
        answer = connection.answer("POST")
        assert (answer.status, answer.body, answer.get("retry-after")) == (429, b'{"error":"slow down"}', "3")


COLUMNS = (
    b' { "upsert_columns" : { "id" : [1, 2, 18446744073709551615], "f": [1.0, 1e400, -0.0], "t": [null,"",'
    b'"\\u00e9\xc3\xa9"] } , "unknown": {"z": 1, "a": [ ]}, "schema": {"t": "string"} } '
)
PATCH = b'{"patch_rows":[{"id":"a","x":0.10000000000000000001}],"deletes":[1,2],"return_affected_ids":true}'


@pytest.mark.parametrize("size", [1, 64, 1 << 20], ids=["byte by byte", "small pieces", "whole"])
@pytest.mark.parametrize("body", [COLUMNS, PATCH], ids=["columns", "patch"])
def test_a_small_write_keeps_its_numbers_order_and_unknown_fields(
    router: Program, origin: FakeOrigin, body: bytes, size: int
) -> None:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    assert ask(router.url, "POST", WRITE, pieces).status == 200
    came = origin.last().body
    stamp = re.search(rb'"_hevlayer_upserted_at":\[?(1\d{12})', came)
    assert stamp, came
    new = re.compile(
        rb',?"_hevlayer_upserted_at":(\[[0-9,]*\]|\d{13}|"int"),?|,"schema":\{"_hevlayer_upserted_at":"int"\}'
    )
    if body == PATCH:
        assert new.sub(b"", came) == body
    document = json.loads(came)
    assert list(document)[: len(json.loads(body))] == list(json.loads(body))
    if body == COLUMNS:
        assert document["upsert_columns"]["_hevlayer_upserted_at"] == [int(stamp[1])] * 3
        for untouched in (b"18446744073709551615", b"1e400", b"-0.0", b'"\\u00e9\xc3\xa9"', b'{"z": 1, "a": [ ]}'):
            assert untouched in came
    assert document["schema"]["_hevlayer_upserted_at"] == "int"


def test_a_compressed_write_is_stamped_too(router: Program, origin: FakeOrigin) -> None:
    body = gzip.compress(b"".join(rows(1 << 20)))
    assert ask(router.url, "POST", WRITE, body, [("content-encoding", "gzip")]).status == 200
    came = origin.last()
    assert came.get("content-encoding") is None
    documents = json.loads(came.body)["upsert_rows"]
    assert len(documents) > 500
    assert all(row["_hevlayer_upserted_at"] > 1 for row in documents)


def test_layers_own_services_may_set_reserved_attributes_but_never_the_stamp(
    router: Program, origin: FakeOrigin
) -> None:
    internal = [("x-layer-internal-key", INTERNAL_KEY)]
    own = b'{"upsert_rows":[{"id":1,"_hevlayer_chunk":5}]}'
    stamp = b'{"upsert_rows":[{"id":1,"_hevlayer_upserted_at":5}]}'
    assert ask(router.url, "POST", WRITE, own, internal).status == 200
    assert json.loads(origin.last().body)["upsert_rows"][0]["_hevlayer_chunk"] == 5
    for body, headers in [
        (stamp, internal),
        (own, []),
        (own, [("x-layer-internal-key", "wrong")]),
        (own, [("x-layer-internal-key", INTERNAL_KEY[:-1])]),
    ]:
        status, code, message = refusal(ask(router.url, "POST", WRITE, body, headers))
        assert (status, code) == (422, "validation_error")
        assert "_hevlayer_" in message
    assert len(origin.requests) == 1
