"""Stands before the origin, for both ways to it, and counts how often each write arrives."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections import Counter

from fakes import Exchange, Server

MARK = re.compile(rb'"mark": ?"([^"]+)"')
STAMP = b"_hevlayer_upserted_at"
HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "date"}


class Recorder:
    """Forwards everything to a port."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._here = threading.local()
        self._lock = threading.Lock()
        self.marks: Counter[str] = Counter()
        """How often a write with each mark was asked of the origin."""
        self.writes: list[tuple[float, str]] = []
        """When each write was asked, and what of: what a failure is to be understood by."""
        self.server = Server(self._forward)
        self.url = self.server.url

    def _forward(self, exchange: Exchange) -> None:
        with self._lock:
            marks = [mark.decode() for mark in MARK.findall(exchange.body)]
            self.marks.update(marks)
            way = "through Layer" if STAMP in exchange.body else "direct"
            self.writes.extend((time.monotonic(), f"{mark} {way}") for mark in marks)
            self.server.requests.clear()
        connection = self._connection()
        connection.request(exchange.method, exchange.target, exchange.body, exchange.headers)
        answer = connection.getresponse()
        body = answer.read()
        headers = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in HOP}
        exchange.answer(answer.status, body, **headers)

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._here, "connection"):
            self._here.connection = http.client.HTTPConnection("127.0.0.1", self._to_port, timeout=30)
        made: http.client.HTTPConnection = self._here.connection
        return made

    def stop(self) -> None:
        """Closes its port."""
        self.server.stop()
