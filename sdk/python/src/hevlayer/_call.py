"""One call as the transport sees it: what it is, and what it would be when it went to Turbopuffer."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from urllib.parse import parse_qs, unquote

import httpx2

from . import _bodies
from ._address import Addresses
from ._effects import Effect
from ._healing import Written
from ._operations import Operation, find

HINT_OPTIONS = ("turbopuffer", "documents", "snapshots", "blobs", "blob_budget_bytes", "page_size")
"""Parameters of the warm hint that only Layer understands."""
CHANGING_ROWS = ("write", "start_copy", "update_schema")
"""Operations after which cached rows may be old."""
NOT_FOR_TURBOPUFFER = ("x-layer-", "x-hevlayer-")
"""Headers that begin so are Layer's."""
SET_ANEW = ("authorization", "cookie", "proxy-authorization", "x-request-timeout-ms", "host", "content-length")
"""Headers that name the caller to Layer or to what stands before it, or that are set anew."""


class Call:
    """A request to Layer's address. Its body is read when something hangs on it."""

    def __init__(self, request: httpx2.Request, path: str, addresses: Addresses) -> None:
        self.request = request
        self.begun = time.monotonic()
        self._path = path
        self._addresses = addresses
        self._content = request.content
        self.timeouts: dict[str, float | None] = request.extensions.get("timeout") or {}
        """The client's own, in seconds, by phase; connecting to Layer has a shorter one."""
        self._operation: Operation | None = find(request.method, path.partition("?")[0])

    @property
    def operation(self) -> str | None:
        """The operation's name; None for one that is not listed."""
        return self._operation.name if self._operation else None

    @cached_property
    def _body(self) -> _bodies.Body | None:
        return _bodies.read(self._content)

    @cached_property
    def effect(self) -> Effect:
        """What happens when it is sent twice."""
        if self._operation is None:
            return Effect.READ if self.request.method in ("GET", "HEAD") else Effect.UNREPEATABLE_WRITE
        return self._operation.effect or _bodies.write_effect(self._body)

    @property
    def may_be_hedged(self) -> bool:
        """Whether its operation is a read that can go direct; the body may still say that it needs Layer."""
        return self._operation is not None and self._operation.hedged

    @cached_property
    def needs_layer(self) -> bool:
        """Whether only Layer can answer it."""
        operation = self._operation
        if operation is None or not operation.direct:
            return True
        if operation.tail in ("/query", "/explain_query"):
            return _bodies.query_needs_layer(self._body)
        return self._query_needs_layer(operation)

    def _query_needs_layer(self, operation: Operation) -> bool:
        query = parse_qs(self._path.partition("?")[2], keep_blank_values=True)
        if operation.name == "hint_cache_warm":
            return any(option in query for option in HINT_OPTIONS)
        return operation.name in ("get_metadata", "get_metadata_v1") and "layer" in query.get("include", [])

    @cached_property
    def written(self) -> Written | None:
        """The rows that it changes; None where it changes none."""
        if self.operation not in CHANGING_ROWS:
            return None
        namespace = unquote(self._path.partition("?")[0].split("/")[3])
        written = _bodies.written(namespace, self._body) if self.operation == "write" else Written(namespace, None)
        return replace(written, authorization=self.request.headers.get("authorization"))

    def to_turbopuffer(self) -> httpx2.Request:
        """The same request for Turbopuffer, with its key and without Layer's headers."""
        # The transport below may have compressed in place, and said so.
        zipped = self._content.startswith(_bodies.GZIP)
        headers = [
            (name, value)
            for name, value in self.request.headers.multi_items()
            if not name.startswith(NOT_FOR_TURBOPUFFER)
            and name not in SET_ANEW
            and not (name == "content-encoding" and value == "gzip" and not zipped)
        ]
        headers.append(("authorization", f"Bearer {self._addresses.turbopuffer_api_key}"))
        return httpx2.Request(
            self.request.method,
            self._addresses.turbopuffer(self._direct_path),
            headers=headers,
            content=self._content or None,
            extensions={**self.request.extensions, "timeout": self.timeouts},
        )

    @property
    def _direct_path(self) -> str:
        # Turbopuffer has queries under the new name alone.
        return self._path.replace("/v1/", "/v2/", 1) if self.operation == "query_v1" else self._path
