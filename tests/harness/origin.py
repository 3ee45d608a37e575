"""An origin that does as it is told: it records what comes to the byte, and answers, stalls or breaks off on command.

A script is a function of an `Exchange`: the head of the request is there, the body is read when the script asks for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any

from .ports import free_port
from .waiting import until
from .wire import LAST_CHUNK, BrokenOff, Message, Stream, body_pieces, chunk, head, read_head

PATIENCE_S = 60.0
KEPT_BODY_BYTES = 8 << 20
"""Of a longer body only the digest and the length are kept."""


class Request(Message):
    """A request as it came."""

    connection: int = 0
    length: int = 0
    sha256: str = ""


class Exchange:
    """One request and its answer."""

    def __init__(self, origin: FakeOrigin, stream: Stream, request: Request) -> None:
        self.origin = origin
        self.request = request
        self.keep_alive = True
        self._stream = stream

    def read_body(self, watch: Callable[[bytes], None] | None = None) -> None:
        """Reads the body to its end, or until the caller breaks off (`complete` stays false then)."""
        digest, kept = hashlib.sha256(), []
        request = self.request
        try:
            for piece in body_pieces(self._stream, request, to_end=False):
                digest.update(piece)
                request.length += len(piece)
                if watch:
                    watch(piece)
                if request.length <= KEPT_BODY_BYTES:
                    kept.append(piece)
            request.complete = True
        except (BrokenOff, OSError):
            self.keep_alive = False
        request.sha256, request.body = digest.hexdigest(), b"".join(kept)

    def send(self, data: bytes) -> None:
        self._stream.socket.sendall(data)

    def send_head(self, status: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        self.send(head(f"HTTP/1.1 {status}", headers))

    def reply(self, status: str, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()) -> None:
        """A whole answer with its length."""
        self.send(head(f"HTTP/1.1 {status}", [*headers, ("content-length", str(len(body)))]) + body)

    def reply_json(self, value: Any, status: str = "200 OK") -> None:
        self.reply(status, json.dumps(value).encode(), [("content-type", "application/json")])

    def reply_chunks(self, pieces: Sequence[bytes], headers: Sequence[tuple[str, str]] = ()) -> None:
        self.send_head("200 OK", [*headers, ("transfer-encoding", "chunked")])
        for piece in pieces:
            self.send(chunk(piece))
        self.send(LAST_CHUNK)

    def stall(self) -> None:
        """Stands still until the origin is released, or the caller has gone."""
        self.origin.released.wait(PATIENCE_S)

    def wait_gone(self, within_s: float = PATIENCE_S) -> bool:
        """Whether the caller closes the connection within the time."""
        self._stream.socket.settimeout(within_s)
        try:
            return self._stream.at_end()
        except TimeoutError:
            return False

    def close(self) -> None:
        self.keep_alive = False

    def reset(self) -> None:
        """Ends the connection with a reset rather than a close."""
        self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


Script = Callable[[Exchange], None]


def ok(exchange: Exchange) -> None:
    """Reads the body and says yes."""
    exchange.read_body()
    exchange.reply_json({"status": "OK"})


def nothing_here(exchange: Exchange) -> None:
    exchange.reply("404 Not Found")


def stalled(exchange: Exchange) -> None:
    """Reads the body and never answers."""
    exchange.read_body()
    exchange.stall()
    exchange.close()


class FakeOrigin:
    """Listens on loopback, a thread for each connection."""

    def __init__(self, port: int = 0) -> None:
        self.script: Script = ok
        self.health: Script = nothing_here
        """Answers the router's own question at its start, which is not recorded."""
        self.requests: list[Request] = []
        self.connections = 0
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = self._listen(port or free_port())
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=256)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(PATIENCE_S)
                with self._lock:
                    self.connections += 1
                    self._open.add(sock)
                    number = self.connections
                threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        stream = Stream(sock)
        try:
            # A script's failure ends the connection: the test sees it as a broken answer.
            with contextlib.suppress(BrokenOff, OSError):
                while self._exchange(stream, number):
                    pass
        finally:
            sock.close()
            with self._lock:
                self._open.discard(sock)

    def _exchange(self, stream: Stream, number: int) -> bool:
        came = read_head(stream)
        request = Request(came.start, came.headers)
        request.connection = number
        exchange = Exchange(self, stream, request)
        if request.target == "/health":
            self.health(exchange)
            return exchange.keep_alive
        with self._lock:
            self.requests.append(request)
        self.script(exchange)
        return exchange.keep_alive

    def last(self, within_s: float = 5.0) -> Request:
        """The last request, waiting for one."""
        until(lambda: self.requests, "the origin is asked", within_s)
        return self.requests[-1]

    def open_connections(self) -> int:
        """How many are open now."""
        with self._lock:
            return len(self._open)

    def reset(self) -> None:
        """As new: no requests, no script, nobody stalled."""
        self.released.set()
        self.requests = []
        self.script, self.health = ok, nothing_here
        self.released = threading.Event()

    def cut(self) -> None:
        """Closes all connections and the port, as a process that dies does."""
        self._shut(self._listener)
        with self._lock:
            for sock in self._open:
                self._shut(sock)

    @staticmethod
    def _shut(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    def restart(self) -> None:
        """Listens again on the same port, after a cut."""
        self._listener = self._listen(self.port)

    def stop(self) -> None:
        self.released.set()
        self.cut()
