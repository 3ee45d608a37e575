"""What Layer does not change, it passes byte for byte, both ways."""

from __future__ import annotations

import gzip
import json
import random

import pytest

from harness.client import AUTHORIZED, Connection, ask
from harness.origin import Exchange, FakeOrigin
from harness.programs import INTERNAL_KEY, Program
from harness.wire import Message

PLAIN = "/v2/namespaces/ns"
"""With DELETE: a call that Layer has no reason to read, neither way."""
SCHEMA_LIKE = "/v1/namespaces/ns/operations/token"

ADDED_TO_REQUESTS = {"host", "content-length", "transfer-encoding", "authorization"}


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def pieces_of(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 1300, 64 << 10, (1 << 20) + 7])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_binary_body_reaches_the_origin_unchanged(
    router: Program, origin: FakeOrigin, size: int, chunked: bool
) -> None:
    body = noise(size)
    answer = ask(router.url, "DELETE", PLAIN, pieces_of(body, 9000) if chunked else body)
    assert answer.status == 200
    came = origin.last()
    assert came.complete
    assert came.body == body
    assert (came.get("content-length") is None) == chunked


@pytest.mark.parametrize("size", [0, 1, 1300, (1 << 20) + 7])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_binary_answer_reaches_the_caller_unchanged(
    router: Program, origin: FakeOrigin, size: int, chunked: bool
) -> None:
    body = noise(size, 2)

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        if chunked:
            exchange.reply_chunks(pieces_of(body, 9000))
        else:
            exchange.reply("200 OK", body)

    origin.script = script
    answer = ask(router.url, "GET", SCHEMA_LIKE)
    assert answer.complete
    assert answer.body == body
    assert (answer.get("content-length") is None) == chunked


def test_an_answer_without_a_length_ends_with_the_connection(router: Program, origin: FakeOrigin) -> None:
    body = noise(100_000, 3)

    def script(exchange: Exchange) -> None:
        exchange.send_head("200 OK")
        exchange.send(body)
        exchange.close()

    origin.script = script
    answer = ask(router.url, "GET", SCHEMA_LIKE)
    assert answer.complete
    assert answer.body == body


def test_compression_is_nobodys_business_on_the_way(router: Program, origin: FakeOrigin) -> None:
    sent, answered = gzip.compress(noise(5000)), gzip.compress(noise(7000, 4))

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("200 OK", answered, [("content-encoding", "gzip"), ("content-type", "application/json")])

    origin.script = script
    headers = [("content-encoding", "gzip"), ("accept-encoding", "gzip, br;q=0.5")]
    answer = ask(router.url, "DELETE", PLAIN, sent, headers)
    came = origin.last()
    assert came.body == sent
    assert came.get("content-encoding") == "gzip"
    assert came.get("accept-encoding") == "gzip, br;q=0.5"
    assert answer.body == answered
    assert answer.get("content-encoding") == "gzip"


def test_a_querys_compressed_answer_is_passed_as_it_is(router: Program, origin: FakeOrigin) -> None:
    answered = gzip.compress(b'{"rows":[]}')

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("200 OK", answered, [("content-encoding", "gzip")])

    origin.script = script
    answer = ask(router.url, "POST", "/v2/namespaces/ns/query", b'{"limit":1}', [("accept-encoding", "gzip")])
    assert origin.last().get("accept-encoding") == "gzip"
    assert answer.body == answered


def own(headers: list[tuple[str, str]], but: set[str]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers if name.lower() not in but]


def test_headers_of_a_request_keep_their_number_order_and_values(router: Program, origin: FakeOrigin) -> None:
    headers = [
        ("user-agent", "Turbopuffer/Python 3.1.0"),
        ("prefer", "respond-async"),
        ("x-many", "one"),
        ("x-many", "two, three"),
        ("x-many", ""),
        ("x-latin", "caf\xe9"),
        ("x-request-id", "tpreq_1"),
        ("cookie", "a=b; c=d"),
    ]
    ask(router.url, "DELETE", PLAIN, b"{}", headers)
    came = origin.last()
    for name in dict(headers):
        assert came.all(name) == [value for known, value in headers if known == name], name
    assert sorted(own(came.headers, ADDED_TO_REQUESTS)) == sorted(headers)
    assert came.get("authorization") == AUTHORIZED[1]
    assert came.get("host") == f"127.0.0.1:{origin.port}"


def test_headers_of_an_answer_keep_their_number_and_values(router: Program, origin: FakeOrigin) -> None:
    headers = [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-should-retry", "false"),
        ("retry-after-ms", "250"),
        ("preference-applied", "respond-async"),
        ("x-turbopuffer-client-telemetry-sample-rate", "0.5"),
        ("server", "turbopuffer"),
        ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("server-timing", "own;dur=1"),
        ("x-latin", "caf\xe9"),
    ]

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("200 OK", b"{}", headers)

    origin.script = script
    answer = ask(router.url, "DELETE", PLAIN, b"{}")
    for name in dict(headers):
        wanted = [value for known, value in headers if known == name]
        assert answer.all(name)[: len(wanted)] == wanted, name
    added = set(own(answer.headers, {"content-length"})) - set(headers)
    assert {name for name, _ in added} == {"x-layer-served-by", "server-timing"}
    assert answer.get("x-layer-served-by") == "origin"


def test_headers_of_one_hop_go_no_further(router: Program, origin: FakeOrigin) -> None:
    headers = [
        ("connection", "keep-alive, X-Once"),
        ("connection", "x-twice"),
        ("keep-alive", "timeout=5"),
        ("x-once", "1"),
        ("x-twice", "2"),
        ("te", "trailers"),
        ("proxy-authorization", "Basic eDp5"),
        ("proxy-connection", "keep-alive"),
        ("x-stays", "3"),
    ]

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        hop = [("connection", "x-drop"), ("x-drop", "1"), ("keep-alive", "timeout=9"), ("x-kept", "2")]
        exchange.reply("200 OK", b"{}", hop)

    origin.script = script
    answer = ask(router.url, "DELETE", PLAIN, b"{}", headers)
    came = own(origin.last().headers, ADDED_TO_REQUESTS)
    assert came == [("x-stays", "3")]
    names = {name for name, _ in own(answer.headers, set())}
    assert "x-kept" in names
    assert not names & {"x-drop", "keep-alive", "connection"}


def test_the_internal_key_never_leaves_the_mesh(router: Program, origin: FakeOrigin) -> None:
    for target, body in [("/v1/namespaces/ns/schema", b"{}"), ("/v2/namespaces/ns", b'{"upsert_rows":[{"id":1}]}')]:
        ask(router.url, "POST", target, body, [("x-layer-internal-key", INTERNAL_KEY)])
        came = origin.last()
        assert came.get("x-layer-internal-key") is None
        assert INTERNAL_KEY not in str(came.headers)
    assert len(origin.requests) == 2


@pytest.mark.parametrize(
    "target",
    [
        "/v1/namespaces?prefix=%7B%22a%22%7D&page_size=10",
        "/v1/namespaces?cursor=a+b%2Bc&empty=&novalue&x=1&x=2",
        "/v1/namespaces/a%2Fb%20c%C3%A9/operations/%2e%2e%2ft%3Fq",
        "/v1/namespaces/ns/operations/a;b=c,d:e@f!$&'()*+~",
        "/v2/anything/new//with//slashes/?",
        "/v1/namespaces/ns/operations/..",
    ],
)
def test_paths_and_query_strings_are_passed_as_written(router: Program, origin: FakeOrigin, target: str) -> None:
    assert ask(router.url, "GET", target).status == 200
    assert origin.last().target == target


@pytest.mark.parametrize(
    "status", [200, 201, 206, 301, 400, 401, 402, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529]
)
def test_the_origins_statuses_and_errors_are_relayed_verbatim(router: Program, origin: FakeOrigin, status: int) -> None:
    body = json.dumps({"status": "error", "error": f"🤷 number {status}"}, ensure_ascii=False).encode()

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply(f"{status} Whatever", body, [("retry-after", "7"), ("content-type", "application/json")])

    origin.script = script
    for target in ("/v1/namespaces/ns/_debug/recall", "/v2/namespaces/ns/query", "/v2/namespaces/ns"):
        answer = ask(router.url, "POST", target, b'{"upsert_rows":[]}')
        assert (answer.status, answer.body) == (status, body), target
        assert answer.get("retry-after") == "7"
        assert answer.get("x-layer-served-by") == "origin"
    assert len(origin.requests) == 3, "Layer repeats nothing"


@pytest.mark.parametrize("target", ["/v1/namespaces/ns/schema", "/v2/namespaces/ns/metadata"])
def test_errors_where_layer_reads_the_answer_are_verbatim_too(router: Program, origin: FakeOrigin, target: str) -> None:
    def script(exchange: Exchange) -> None:
        exchange.reply("404 Not Found", b'{"error": "no _hevlayer_x here"}', [("x-odd", "1")])

    origin.script = script
    answer = ask(router.url, "GET", target)
    assert (answer.status, answer.body, answer.get("x-odd")) == (404, b'{"error": "no _hevlayer_x here"}', "1")


def test_an_answer_without_a_body_stays_without(router: Program, origin: FakeOrigin) -> None:
    for status in ("204 No Content", "304 Not Modified"):
        origin.script = lambda exchange, status=status: exchange.send_head(status, [("etag", '"1"')])
        with Connection(router.url) as connection:
            for _ in range(2):
                answer = connection.request("GET", SCHEMA_LIKE)
                assert (answer.start, answer.get("etag")) == (f"HTTP/1.1 {status}", '"1"')


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://{origin}/v1/namespaces/ns/operations/t?x=%20", "/v1/namespaces/ns/operations/t?x=%20"),
        ("/v1/namespaces/ns/operations/t", "/v1/namespaces/ns/operations/t"),
        ("http://elsewhere.example/v1/x", "http://elsewhere.example/v1/x"),
    ],
)
def test_a_location_at_the_origin_becomes_one_at_the_router(
    router: Program, origin: FakeOrigin, location: str, expected: str
) -> None:
    def script(exchange: Exchange) -> None:
        exchange.read_body()
        there = location.format(origin=f"127.0.0.1:{origin.port}")
        headers = [("location", there), ("preference-applied", "respond-async")]
        exchange.reply("202 Accepted", b'{"token":"t"}', headers)

    origin.script = script
    answer = ask(router.url, "POST", "/v2/namespaces/ns", b'{"upsert_rows":[{"id":1}]}', [("prefer", "respond-async")])
    assert (answer.status, answer.body) == (202, b'{"token":"t"}')
    assert answer.get("location") == expected
    assert answer.get("preference-applied") == "respond-async"


def test_layers_own_answers_say_so(router: Program, origin: FakeOrigin) -> None:
    for target in ("/nowhere", "/health", "/ready", "/metrics"):
        assert ask(router.url, "GET", target).get("x-layer-served-by") == "layer", target
    assert not origin.requests


@pytest.mark.parametrize(
    "target", [SCHEMA_LIKE, "/v1/namespaces", "/v1/namespaces/ns/schema", "/v2/namespaces/ns/metadata"]
)
def test_head_has_the_heads_of_get_and_no_body(router: Program, origin: FakeOrigin, target: str) -> None:
    def script(exchange: Exchange) -> None:
        exchange.send_head("200 OK", [("content-length", "12345"), ("x-own", "1")])

    origin.script = script
    with Connection(router.url) as connection:
        for _ in range(2):
            answer = connection.request("HEAD", target)
            assert (answer.status, answer.get("x-own")) == (200, "1")
            # Where Layer would change the body it does not know the length, and then it says none.
            assert answer.get("content-length") in ("12345", None)
    assert [request.method for request in origin.requests] == ["HEAD", "HEAD"]


def test_pipelined_requests_are_answered_in_order(router: Program, origin: FakeOrigin) -> None:
    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("200 OK", exchange.request.target.encode() + exchange.request.body)

    origin.script = script
    with Connection(router.url) as connection:
        targets = [f"/v2/namespaces/ns{number}" for number in range(20)]
        together = []
        connection.send = together.append
        for target in targets:
            connection.send_request("DELETE", target, b"body")
        del connection.send
        connection.send(b"".join(together))
        answers: list[Message] = [connection.answer() for _ in targets]
    assert [answer.body.decode() for answer in answers] == [f"{target}body" for target in targets]


def test_expect_100_continue_is_answered_when_the_body_is_wanted(router: Program, origin: FakeOrigin) -> None:
    for method in ("DELETE", "POST"):
        body = b'{"upsert_rows":[{"id":1}]}'
        with Connection(router.url) as connection:
            connection.send_head(method, PLAIN, [("expect", "100-continue"), ("content-length", str(len(body)))])
            assert connection.answer_head().status == 100
            connection.send(body)
            assert connection.answer("POST").status == 200
        assert origin.last().get("expect") is None
        assert origin.last().complete


def test_expect_100_continue_is_not_answered_to_who_is_refused(router: Program, origin: FakeOrigin) -> None:
    with Connection(router.url) as connection:
        connection.send_head("DELETE", PLAIN, [("expect", "100-continue"), ("content-length", "100")], key=False)
        assert connection.answer("POST").status == 401
    assert not origin.requests


def test_trailers_do_no_harm(router: Program, origin: FakeOrigin) -> None:
    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send_head("200 OK", [("transfer-encoding", "chunked"), ("trailer", "x-sum")])
        exchange.send(b"4\r\ndone\r\n0\r\nx-sum: 1\r\n\r\n")

    origin.script = script
    with Connection(router.url) as connection:
        for method in ("DELETE", "POST"):
            connection.send_head(method, PLAIN, [("transfer-encoding", "chunked"), ("trailer", "x-check")])
            connection.send(b"16\r\n" + b'{"upsert_rows": [  ] }' + b"\r\n0\r\nx-check: 1\r\n\r\n")
            answer = connection.answer("POST")
            assert (answer.status, answer.body, answer.complete) == (200, b"done", True)
            assert json.loads(origin.last().body)["upsert_rows"] == []
            assert origin.last().complete


def test_an_early_answer_does_not_wait_for_the_body(router: Program, origin: FakeOrigin) -> None:
    def script(exchange: Exchange) -> None:
        exchange.reply("400 Bad Request", b"no", [("connection", "close")])
        exchange.close()

    origin.script = script
    with Connection(router.url) as connection:
        connection.send_head("DELETE", PLAIN, [("content-length", "1000000")])
        connection.send(b"{")
        answer = connection.answer("POST")
        assert (answer.status, answer.body) == (400, b"no")


def test_a_connection_carries_many_requests(router: Program, origin: FakeOrigin) -> None:
    with Connection(router.url) as connection:
        for _ in range(50):
            assert connection.request("DELETE", PLAIN, b"{}").status == 200
    assert len({request.connection for request in origin.requests}) == 1
