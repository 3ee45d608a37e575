"""Whatever comes in: a clear refusal in Layer's envelope, nothing at the origin, and a router that lives on."""

from __future__ import annotations

import contextlib
import gzip
import zlib

import pytest

from harness.client import AUTHORIZED, Connection, ask, refusal
from harness.exposition import value
from harness.origin import FakeOrigin
from harness.programs import KEY, Program
from harness.waiting import until
from harness.wire import chunk

BODY_BYTES = 1 << 20
MEMORY_BYTES = 96 << 20
"""A debug build holds about 40 MB when idle; a bomb or a large body held whole would be over this."""
ROUTER_SETTINGS = {
    "limits.body_bytes": BODY_BYTES,
    "limits.body_stall_timeout_ms": 2000,
    "write.read_ahead_bytes": 256 << 10,
}

WRITE = "/v2/namespaces/ns"
QUERY = "/v2/namespaces/ns/query"
RECALL = "/v1/namespaces/ns/_debug/recall"
GOOD_WRITE = b'{"upsert_rows":[{"id":1}]}'


@pytest.fixture(autouse=True)
def alive_afterwards(router: Program, origin: FakeOrigin):
    yield
    origin.reset()
    assert ask(router.url, "POST", WRITE, GOOD_WRITE).status == 200
    whole = [request for request in origin.requests if request.complete]
    assert len(whole) == 1, "exactly the good write reached the origin"


@pytest.mark.parametrize("target", [WRITE, QUERY, RECALL])
def test_a_body_that_says_it_is_too_large_is_refused_unread(router: Program, origin: FakeOrigin, target: str) -> None:
    with Connection(router.url) as connection:
        connection.send_head("POST", target, [("content-length", str(BODY_BYTES + 1))])
        status, code, message = refusal(connection.answer("POST"))
        assert (status, code) == (413, "payload_too_large")
        assert "limits.body_bytes" in message
    assert not origin.requests


@pytest.mark.parametrize("target", [WRITE, QUERY, RECALL])
def test_a_body_that_turns_out_too_large_is_refused(router: Program, origin: FakeOrigin, target: str) -> None:
    pieces = [b'{"upsert_rows":[', *[b'{"id":1},' * 1000] * 200, b'{"id":2}]}']
    with Connection(router.url) as connection:
        connection.send_head("POST", target, [("transfer-encoding", "chunked")])
        # The refusal comes while the rest is still being sent, and the connection may be closed on it.
        with contextlib.suppress(OSError):
            for piece in pieces:
                connection.send(chunk(piece))
        assert refusal(connection.answer("POST"))[:2] == (413, "payload_too_large")
    assert not any(request.complete for request in origin.requests)


@pytest.mark.parametrize("target", [WRITE, QUERY])
def test_the_limit_counts_what_comes_out_of_a_compressed_body(router: Program, origin: FakeOrigin, target: str) -> None:
    body = gzip.compress(b'{"upsert_rows":[{"id":1,"t":"' + b"a" * (2 * BODY_BYTES) + b'"}]}')
    assert len(body) < BODY_BYTES // 100
    answer = ask(router.url, "POST", target, body, [("content-encoding", "gzip")])
    assert refusal(answer)[:2] == (413, "payload_too_large")
    assert not any(request.complete for request in origin.requests)


MALFORMED = {
    "empty": b"",
    "white space": b" \r\n\t ",
    "text": b"nonsense",
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "cut in a row": GOOD_WRITE[:-4],
    "cut in a text": b'{"upsert_rows":[{"id":"abc',
    "two documents": GOOD_WRITE + GOOD_WRITE,
    "rubbish after": GOOD_WRITE + b"x",
    "a comma too many": b'{"upsert_rows":[{"id":1}],}',
    "single quotes": b"{'upsert_rows':[]}",
    "no write": b'{"rows":[{"id":1}]}',
    "an empty object": b"{}",
    "a zero byte": b"\0" + GOOD_WRITE,
    "a byte order mark": b"\xef\xbb\xbf" + GOOD_WRITE,
    "UTF-16": GOOD_WRITE.decode().encode("utf-16"),
    "brackets": b"[" * 100_000,
    "a reserved attribute": b'{"upsert_rows":[{"id":1,"_hevlayer_upserted_at":5}]}',
    "a reserved column": b'{"upsert_columns":{"id":[1],"_hevlayer_x":[5]}}',
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_a_body_that_is_no_write_is_refused(
    router: Program, origin: FakeOrigin, name: str, encoding: str | None
) -> None:
    body = gzip.compress(MALFORMED[name]) if encoding else MALFORMED[name]
    answer = ask(router.url, "POST", WRITE, body, [("content-encoding", encoding)] if encoding else [])
    assert refusal(answer)[:2] == (422, "validation_error")
    assert not origin.requests


def nested(depth: int, closed: bool) -> bytes:
    return b"[" * depth + (b"]" * depth if closed else b"")


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_deep_nesting_costs_nothing(router: Program, origin: FakeOrigin, closed: bool) -> None:
    deep = nested(100_000, closed)
    before = router.process.memory_peak_bytes()
    for _ in range(5):
        answer = ask(router.url, "POST", WRITE, b'{"upsert_rows":[{"id":1,"v":' + deep + b"}]}")
        # A value that Layer jumps over is the origin's business when it is whole.
        assert answer.status == (200 if closed else 422), answer
        assert ask(router.url, "POST", QUERY, b'{"filters":' + deep + b"}").status in (200, 422)
    assert router.process.memory_peak_bytes() - before < 16 << 20
    for request in origin.requests:
        assert deep in request.body, "what is passed on is passed on whole"


def test_text_that_is_no_utf8_is_passed_on_as_it_is_or_refused(router: Program, origin: FakeOrigin) -> None:
    for broken in (b"\xff\xfe", b"\xc3(", b"\xed\xa0\x80"):
        answer = ask(router.url, "POST", WRITE, b'{"upsert_rows":[{"id":1,"t":"' + broken + b'"}]}')
        if answer.get("x-layer-served-by") == "layer":
            assert refusal(answer)[:2] == (422, "validation_error")
        else:
            assert broken in origin.last().body
        answer = ask(router.url, "POST", RECALL, broken)
        assert answer.status == 200
        assert origin.last().body == broken


@pytest.mark.parametrize("target", [WRITE, QUERY])
@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "snappy", "x" * 200])
def test_an_encoding_that_layer_cannot_read_is_refused(
    router: Program, origin: FakeOrigin, target: str, encoding: str
) -> None:
    status, code, message = refusal(ask(router.url, "POST", target, GOOD_WRITE, [("content-encoding", encoding)]))
    assert (status, code) == (415, "unsupported_encoding")
    assert "content-encoding" in message
    assert len(message) < 300
    assert not origin.requests


@pytest.mark.parametrize("target", [WRITE, QUERY])
@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(GOOD_WRITE)[:-9],
        gzip.compress(GOOD_WRITE)[:5],
        gzip.compress(GOOD_WRITE)[:-8] + b"\0" * 8,
        GOOD_WRITE,
        zlib.compress(GOOD_WRITE),
    ],
    ids=["cut", "only a head", "wrong sum", "not compressed", "zlib"],
)
def test_broken_compression_is_refused(router: Program, origin: FakeOrigin, target: str, body: bytes) -> None:
    status, code, _ = refusal(ask(router.url, "POST", target, body, [("content-encoding", "gzip")]))
    assert (status, code) in {(400, "bad_request"), (422, "validation_error")}
    assert not origin.requests


def test_a_gzip_of_several_members_is_read_whole(router: Program, origin: FakeOrigin) -> None:
    body = gzip.compress(GOOD_WRITE[:12]) + gzip.compress(GOOD_WRITE[12:])
    answer = ask(router.url, "POST", WRITE, body, [("content-encoding", "gzip")])
    assert answer.status == 200
    assert origin.last().body.startswith(GOOD_WRITE[:-3])


def test_what_follows_a_gzip_is_not_passed_over_in_silence(router: Program, origin: FakeOrigin) -> None:
    body = gzip.compress(GOOD_WRITE) + b"and more"
    refused = refusal(ask(router.url, "POST", WRITE, body, [("content-encoding", "gzip")]))
    assert refused[:2] in {(400, "bad_request"), (422, "validation_error")}
    assert not origin.requests


def test_a_bomb_does_not_grow_the_router(origin: FakeOrigin, start) -> None:
    router = start({"limits.body_bytes": 256 << 20, "write.read_ahead_bytes": 256 << 10})
    head, zeros, tail = b'{"upsert_rows":[{"id":1,"t":"', b"0" * (1 << 20), b'"}]}'
    packer = zlib.compressobj(9, wbits=31)
    body = packer.compress(head) + b"".join(packer.compress(zeros) for _ in range(128)) + packer.compress(tail)
    body += packer.flush()
    assert len(body) < 1 << 18
    assert ask(router.url, "POST", WRITE, body, [("content-encoding", "gzip")]).status == 200
    assert origin.last().length > 128 << 20
    assert router.process.memory_peak_bytes() < MEMORY_BYTES


@pytest.mark.parametrize("target", [WRITE, QUERY, RECALL])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_caller_that_goes_away_mid_body_leaves_nothing_behind(
    router: Program, origin: FakeOrigin, target: str, chunked: bool
) -> None:
    with Connection(router.url) as connection:
        how = ("transfer-encoding", "chunked") if chunked else ("content-length", str(len(GOOD_WRITE)))
        connection.send_head("POST", target, [how])
        connection.send(b"5\r\n" + GOOD_WRITE[:5] + b"\r\n" if chunked else GOOD_WRITE[:10])
    until(lambda: value(router.metrics(), "layer_tpuf_inflight") == 0, "the call to the origin is given up")
    assert not any(request.complete for request in origin.requests)


@pytest.mark.parametrize("target", [WRITE, RECALL])
def test_a_body_that_ends_too_early_is_a_bad_request(router: Program, origin: FakeOrigin, target: str) -> None:
    with Connection(router.url) as connection:
        connection.send_head("POST", target, [("transfer-encoding", "chunked")])
        connection.send(b"no chunk\r\n")
        assert refusal(connection.answer("POST"))[:2] == (400, "bad_request")
    assert not any(request.complete for request in origin.requests)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "1s", "86400001", "9" * 30, "\xe9"])
def test_a_time_that_is_none_is_refused_by_its_name(router: Program, origin: FakeOrigin, text: str) -> None:
    answer = ask(router.url, "POST", WRITE, GOOD_WRITE, [("x-request-timeout-ms", text)])
    status, code, message = refusal(answer)
    assert (status, code) == (422, "validation_error")
    assert "x-request-timeout-ms" in message
    assert not origin.requests


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (None, (401, "unauthorized")),
        ("", (401, "unauthorized")),
        ("Basic eDp5", (401, "unauthorized")),
        (KEY, (401, "unauthorized")),
        ("Bearer", (401, "unauthorized")),
        ("Bearer wrong", (403, "forbidden")),
        (f"Bearer {KEY}x", (403, "forbidden")),
        (f"Bearer {KEY[:-1]}", (403, "forbidden")),
        ("Bearer \xe9\xff", (403, "forbidden")),
    ],
)
@pytest.mark.parametrize("target", [WRITE, QUERY, RECALL])
def test_a_caller_without_the_right_key_is_refused(
    router: Program, origin: FakeOrigin, target: str, shown: str | None, expected: tuple[int, str]
) -> None:
    headers = [] if shown is None else [("authorization", shown)]
    status, code, message = refusal(ask(router.url, "POST", target, GOOD_WRITE, headers, key=False))
    assert (status, code) == expected
    assert "authorization" in message
    assert KEY not in message
    assert not origin.requests


def test_only_the_right_scheme_is_taken_whatever_its_case(router: Program, origin: FakeOrigin) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = [("authorization", f"{scheme} {AUTHORIZED[1].split()[1]}")]
        assert ask(router.url, "POST", RECALL, b"{}", headers, key=False).status == 200


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("POST", "/v1/namespaces/ns"),
        ("POST", "/v1/vectors/ns"),
        ("PUT", "/v2/namespaces/ns"),
        ("POST", "/v2/namespaces/"),
        ("POST", "/v2/namespaces//query"),
        ("POST", "/v2/namespaces/ns/query/"),
        ("OPTIONS", "/v2/namespaces/ns"),
    ],
)
def test_what_layer_does_not_serve_is_not_found(router: Program, origin: FakeOrigin, method: str, target: str) -> None:
    body = GOOD_WRITE if method != "GET" else None
    status, code, message = refusal(ask(router.url, method, target, body))
    assert (status, code) == (404, "not_found")
    assert target in message
    assert not origin.requests


@pytest.mark.parametrize(
    "text",
    [
        b"rubbish\r\n\r\n",
        b"GET  /x HTTP/1.1\r\n\r\n",
        b"GET /x HTTP/9.9\r\n\r\n",
        b"GET /x HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n",
        b"GET /x HTTP/1.1\r\nhost: a\r\n" + b"x: " + b"y" * (80 << 10) + b"\r\n\r\n",
        b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
        b"POST /v2/namespaces/ns HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00",
    ],
    ids=["rubbish", "no target", "version", "header", "large", "two lengths", "no length", "coding", "TLS"],
)
def test_what_is_no_http_is_refused_and_the_connection_closed(router: Program, origin: FakeOrigin, text: bytes) -> None:
    with Connection(router.url) as connection:
        # It may be refused before it is sent whole.
        with contextlib.suppress(OSError):
            connection.send(text)
            connection.stream.socket.shutdown(1)
        received = b""
        while not connection.stream.at_end():
            received += b"".join(connection.stream.pieces(1))
        assert received == b"" or received.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505"))
    assert not origin.requests


def test_a_smuggled_request_is_none(router: Program, origin: FakeOrigin) -> None:
    inner = b"DELETE /v2/namespaces/victim HTTP/1.1\r\nhost: a\r\nauthorization: %s\r\n\r\n" % AUTHORIZED[1].encode()
    with Connection(router.url) as connection:
        both = [("content-length", str(len(inner) + 5)), ("transfer-encoding", "chunked")]
        connection.send_head("POST", RECALL, both)
        connection.send(b"0\r\n\r\n" + inner)
        connection.answer("POST")
    for request in origin.requests:
        lengths = [request.get("content-length"), request.get("transfer-encoding")]
        assert None in lengths, "one way of telling the length goes on, not two"
