"""A caller that grants no HTTP/2 window takes nothing of its answers, though its socket is healthy."""

from __future__ import annotations

import struct

from harness.client import Connection, ask
from harness.origin import Exchange, FakeOrigin
from harness.programs import KEY
from harness.waiting import until

SETTINGS, HEADERS, END = 0x4, 0x1, 0x5
INITIAL_WINDOW_SIZE = 4


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header without Huffman and without the table (RFC 7541, section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request(stream: int, authority: bytes) -> bytes:
    pairs = [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/v1/namespaces"),
        (b":authority", authority),
        (b"authorization", b"Bearer " + KEY.encode()),
    ]
    return frame(HEADERS, END, stream, b"".join(literal(name, value) for name, value in pairs))


def test_answers_that_nobody_takes_give_their_places_back(origin: FakeOrigin, start) -> None:
    router = start({"limits.requests_max": 8, "limits.body_stall_timeout_ms": 1000})

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("200 OK", b"x" * 1000)

    origin.script = script
    with Connection(router.url) as connection:
        no_window = struct.pack(">HI", INITIAL_WINDOW_SIZE, 0)
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, no_window))
        for number in range(8):
            connection.send(request(2 * number + 1, connection.host.encode()))
        until(lambda: len(origin.requests) >= 8, "all are in flight")
        assert ask(router.url, "GET", "/v1/namespaces").status == 429
        until(lambda: ask(router.url, "GET", "/v1/namespaces").status == 200, "the places are free again", 6)
