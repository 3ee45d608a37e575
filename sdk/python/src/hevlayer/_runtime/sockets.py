"""Ends a call that another thread is blocked in, by shutting its socket down.

httpx has no way to cancel a blocking call. So the streams below remember for whom they were used last, and a scope shuts down
the one that its own thread uses. A stream that has gone back to the pool meanwhile and serves another call is left alone; one
that lies idle there is found dead by the pool before its next use.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2
from turbopuffer import DEFAULT_CONNECTION_LIMITS
from turbopuffer.lib.transport_httpx import HttpxTransport
from typing_extensions import override

_here = threading.local()


class Scope:
    """Calls of one thread that another can end."""

    _stream: Stream | None = None
    _before: Scope | None = None
    ended = False

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Calls of this thread belong to this scope until it exits. It is entered once."""
        self._before = getattr(_here, "scope", None)
        _here.scope = self

    def __exit__(self, *_: object) -> None:
        _here.scope = self._before

    def use(self, stream: Stream) -> None:
        """Takes note of the stream in use; raises where the scope has ended."""
        with self._lock:
            if self.ended:
                raise httpcore2.ReadError("the call was ended")
            self._stream = stream
            stream.user = self

    def end(self) -> None:
        """Ends the call that is being made in it, and those to come."""
        with self._lock:
            self.ended = True
            stream = self._stream
            if stream is not None and stream.user is self:
                stream.shut()


class Stream(httpcore2.NetworkStream):
    """A network stream that knows who uses it."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner
        self.user: Scope | None = None

    def _used(self) -> None:
        scope: Scope | None = getattr(_here, "scope", None)
        if scope is not None:
            if scope.ended or self.user is not scope:
                scope.use(self)
        elif self.user is not None:
            self.user = None

    def shut(self) -> None:
        """Wakes whoever reads from it or writes to it."""
        sock = self._inner.get_extra_info("socket")
        if isinstance(sock, socket.socket):
            with contextlib.suppress(OSError):
                # The method of ssl.SSLSocket would take the TLS state from under the thread that reads.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, timeout)

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._used()
        self._inner.write(buffer, timeout)

    @override
    def close(self) -> None:
        self._inner.close()

    @override
    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.SyncBackend):
    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        return Stream(super().connect_tcp(host, port, timeout, local_address, socket_options))


class ScopedTransport(HttpxTransport):
    """The official client's transport, over streams that a scope can end."""

    def __init__(self) -> None:
        super().__init__(limits=DEFAULT_CONNECTION_LIMITS)
        limits = DEFAULT_CONNECTION_LIMITS
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(),
        )
