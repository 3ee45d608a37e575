"""A client that sends exactly what a test wrote, and tells exactly what came back."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from .programs import KEY
from .wire import LAST_CHUNK, BrokenOff, Message, Stream, body_pieces, chunk, head, read_head

PATIENCE_S = 20.0
AUTHORIZED = ("authorization", f"Bearer {KEY}")


class Connection:
    """One connection to `url`."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None, patience_s: float = PATIENCE_S) -> None:
        place = urlsplit(url)
        self.host = place.netloc
        sock = socket.create_connection((place.hostname, place.port), timeout=patience_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname="localhost")
        self.stream = Stream(sock)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.stream.close()

    def send(self, data: bytes) -> None:
        self.stream.socket.sendall(data)

    def send_head(self, method: str, target: str, headers: Sequence[tuple[str, str]] = (), key: bool = True) -> None:
        """The head of a request, with `host` and, unless told otherwise, the right key."""
        own = [("host", self.host), *([AUTHORIZED] if key else [])]
        self.send(head(f"{method} {target} HTTP/1.1", [*own, *headers]))

    def request(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Sequence[tuple[str, str]] = (),
        key: bool = True,
    ) -> Message:
        """Sends a request and reads its answer. Bytes go with a length, pieces go chunked."""
        self.send_request(method, target, body, headers, key)
        return self.answer(method)

    def send_request(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Sequence[tuple[str, str]] = (),
        key: bool = True,
    ) -> None:
        if body is None:
            self.send_head(method, target, headers, key)
        elif isinstance(body, bytes):
            self.send_head(method, target, [*headers, ("content-length", str(len(body)))], key)
            self.send(body)
        else:
            self.send_head(method, target, [*headers, ("transfer-encoding", "chunked")], key)
            for piece in body:
                self.send(chunk(piece))
            self.send(LAST_CHUNK)

    def answer(self, method: str = "GET") -> Message:
        """The next answer; where its body breaks off, what came of it, and `complete` says so."""
        message = self.answer_head()
        if method == "HEAD" or message.status in (204, 304):
            message.complete = True
            return message
        body = []
        try:
            for piece in body_pieces(self.stream, message, to_end=True):
                body.append(piece)
            message.complete = True
        except (BrokenOff, ConnectionResetError):
            pass
        message.body = b"".join(body)
        return message

    def answer_head(self) -> Message:
        return read_head(self.stream)

    def is_closed(self) -> bool:
        """Whether the other side closes, waiting for it as long as this connection has patience."""
        try:
            return self.stream.at_end()
        except TimeoutError:
            return False


def ask(
    url: str,
    method: str,
    target: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Sequence[tuple[str, str]] = (),
    key: bool = True,
) -> Message:
    """One request on a connection of its own."""
    with Connection(url) as connection:
        return connection.request(method, target, body, headers, key)


def ask_json(url: str, method: str, target: str, body: Any = None) -> tuple[int, Any]:
    """One request with JSON both ways."""
    data = None if body is None else json.dumps(body).encode()
    answer = ask(url, method, target, data, [("content-type", "application/json")])
    return answer.status, json.loads(answer.body)


def refusal(answer: Message) -> tuple[int, str, str]:
    """Status, code and text of an answer in Layer's envelope, which it must be in."""
    assert answer.get("x-layer-served-by") == "layer", answer
    assert answer.get("content-type") == "application/json", answer
    envelope = json.loads(answer.body)
    assert set(envelope) == {"error", "message"}, envelope
    assert envelope["message"], envelope
    return answer.status, envelope["error"], envelope["message"]
