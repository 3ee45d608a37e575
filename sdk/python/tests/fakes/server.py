"""An HTTP server on a socket that answers, stalls or breaks off as a script says, and keeps what came to the byte."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PATIENCE_S = 30.0


@dataclass
class Exchange:
    """One request, and the means to answer it."""

    server: Server
    sock: socket.socket
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    keep: bool = True

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def json(self) -> Any:
        body = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        return json.loads(body) if body else None

    def answer(self, status: int, body: Any, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"content-type": "application/json", "content-length": str(len(content))}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self.sock.sendall(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + content)


Script = Callable[[Exchange], None]


def answers(status: int = 200, body: Any = None, **headers: str) -> Script:
    """The same answer to everything."""
    return lambda exchange: exchange.answer(status, {} if body is None else body, **headers)


def layer_error(status: int, code: str) -> Script:
    """An error of Layer's own."""
    return answers(status, {"error": code, "message": "no"}, x_layer_served_by="layer")


def reset(exchange: Exchange) -> None:
    """Breaks the connection before any byte of an answer."""
    exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.keep = False


def silent(exchange: Exchange) -> None:
    """Never answers, until the server is released."""
    exchange.server.released.wait(PATIENCE_S)
    exchange.keep = False


@dataclass
class Server:
    """Listens on loopback, a thread for each connection."""

    script: Script = field(default_factory=answers)
    port: int = 0
    requests: list[Exchange] = field(default_factory=list)
    """What came, but for probes."""
    probes: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.ready: Script = answers(200, {"status": "ready"}, x_layer_served_by="layer")
        self.start()

    def start(self) -> None:
        """Listens, again on the same port after a stop."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [exchange.path for exchange in self.requests]

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.settimeout(PATIENCE_S)
                with self._lock:
                    self._open.add(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), sock.makefile("rb") as reader:
            while (exchange := self._read(sock, reader)) is not None:
                if exchange.path == "/ready":
                    self.probes += 1
                    self.ready(exchange)
                else:
                    with self._lock:
                        self.requests.append(exchange)
                    self.script(exchange)
                if not exchange.keep:
                    break
        with self._lock:
            self._open.discard(sock)
        sock.close()

    def _read(self, sock: socket.socket, reader: Any) -> Exchange | None:
        line = reader.readline().decode()
        if not line:
            return None
        method, target, _ = line.split(" ", 2)
        headers: dict[str, str] = {}
        while (field_line := reader.readline().decode().rstrip("\r\n")) != "":
            name, _, value = field_line.partition(":")
            # One that comes twice is seen twice.
            before = headers.get(name.lower())
            headers[name.lower()] = value.strip() if before is None else f"{before}, {value.strip()}"
        body = reader.read(int(headers.get("content-length", "0")))
        return Exchange(self, sock, method, target, headers, body)

    def stop(self) -> None:
        """Closes the port and all connections, as a process that dies does."""
        self.released.set()
        assert self._listener is not None
        with self._lock:
            for sock in [self._listener, *self._open]:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
