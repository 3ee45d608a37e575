"""Sends a request exactly as a case spells it.

HTTP libraries tidy up paths and add headers; a suite about what a proxy leaves alone needs the bytes as written.
"""

from __future__ import annotations

import gzip
import http.client
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TIMEOUT_S = 30


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    """As the server meant it: decompressed."""


def send(base_url: str, request: Request) -> Answer:
    url = urlsplit(base_url)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=TIMEOUT_S)
    try:
        connection.putrequest(request.method, url.path.rstrip("/") + request.path, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        if request.body is not None:
            connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body)
        return read(connection.getresponse())
    finally:
        connection.close()


def read(response: http.client.HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    body = response.read()
    if headers.get("content-encoding") == "gzip" and body:
        body = gzip.decompress(body)
    return Answer(response.status, headers, body)
