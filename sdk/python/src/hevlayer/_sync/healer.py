# Generated from ../_async by tools/generate_sync.py: change that, and run `make sdk-python-generate`.
"""Tells Layer what was written past it, so that its document cache answers no older row."""

from __future__ import annotations

from urllib.parse import quote

import httpx2
import orjson

from .._address import Addresses
from .._breaker import Breaker
from .._healing import EVERYTHING, HealingLog, Written
from .._outcome import SERVED_BY, failure_of_error
from .._settings import Settings

PAGE_SIZE = 1000
IDS_MAX = 10_000
"""So many ids Layer takes at once."""


class Healer:
    """Remembers direct writes while Layer is away, and tells of the others at once."""

    def __init__(
        self, transport: httpx2.BaseTransport, addresses: Addresses, settings: Settings, breaker: Breaker
    ) -> None:
        self._transport = transport
        self._addresses = addresses
        self._timeout_s = settings.probe_timeout_s
        self._breaker = breaker
        self.log = HealingLog(settings)
        self.headers: httpx2.Headers | None = None
        """Those of the last call: its key is shown where it is not known who wrote."""

    def wrote(self, written: Written) -> None:
        """Takes account of a direct write that has ended, however it did.

        While the breaker is open its probe tells Layer before it closes it. Otherwise Layer is told before the write is
        answered; if it cannot be, the breaker opens.
        """
        if written.nothing or self._breaker.if_open(lambda: self.log.add(written)):
            return
        told = False
        try:
            told = self._tell(written)
        finally:
            if not told:
                self.owe(written)

    def owe(self, written: Written) -> None:
        """Remembers a write that Layer could not be told of, and keeps calls off Layer until it has been."""
        if not written.nothing:
            self.log.add(written)
            self._breaker.open(None, "healing")

    def heal(self) -> bool:
        """Tells Layer all that is remembered; False where something is left."""
        left = self.log.take()
        try:
            while left and self._tell(left[0]):
                left.pop(0)
        finally:
            self.log.told(left)
        return not left

    def _tell(self, written: Written) -> bool:
        if written is EVERYTHING or written.namespace is None:
            return self._tell_everything()
        path = f"/v2/namespaces/{quote(written.namespace, safe='')}/invalidate"
        if written.ids is not None and len(written.ids) <= IDS_MAX:
            answer = self._ask("POST", path, orjson.dumps({"ids": written.ids}), written.authorization)
            if answer is None or answer.status_code not in (400, 413, 422):
                return answer is not None
        # Too many ids for one call, or ids that Layer does not take.
        return self._ask("POST", path, b"{}", written.authorization) is not None

    def _tell_everything(self) -> bool:
        cursor: str | None = ""
        while cursor is not None:
            query = f"?page_size={PAGE_SIZE}" + (f"&cursor={quote(cursor, safe='')}" if cursor else "")
            page = self._ask("GET", f"/v1/namespaces{query}")
            if page is None or page.status_code != 200:
                return False
            listed = orjson.loads(page.content)
            for namespace in listed["namespaces"]:
                if not self._tell(Written(namespace["id"], None)):
                    return False
            cursor = listed.get("next_cursor") or None
        return True

    def _ask(
        self, method: str, path: str, content: bytes | None = None, authorization: str | None = None
    ) -> httpx2.Response | None:
        """Layer's answer; None where it has not answered for good. A refusal is an answer: repeating changes nothing."""
        headers = {"content-type": "application/json"}
        if authorization is None and self.headers is not None:
            authorization = self.headers.get("authorization")
        if authorization is not None:
            headers["authorization"] = authorization
        response = self._send(method, path, headers, content)
        if response is None or SERVED_BY not in response.headers:
            return None
        return None if response.status_code >= 500 or response.status_code == 429 else response

    def ready(self, path: str) -> bool:
        """Whether Layer says that it is ready."""
        response = self._send("GET", path, {}, None)
        return response is not None and response.status_code == 200

    def _send(self, method: str, path: str, headers: dict[str, str], content: bytes | None) -> httpx2.Response | None:
        request = httpx2.Request(
            method,
            self._addresses.layer_url + path,
            headers={"accept-encoding": "identity", **headers},
            content=content,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)},
        )
        try:
            response = self._transport.handle_request(request)
            response.read()
        except Exception as error:
            if failure_of_error(error) is None and not isinstance(error, httpx2.PoolTimeout):
                raise
            return None
        return response
