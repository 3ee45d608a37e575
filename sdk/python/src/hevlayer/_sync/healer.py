# Generated from ../_async by tools/generate_sync.py: change that, and run `make sdk-python-generate`.
"""Tells Layer what was written past it, so that its document cache answers no older row."""

from __future__ import annotations

import logging
from urllib.parse import quote

import httpx2
import orjson

from .._address import Addresses
from .._breaker import Breaker
from .._events import Event, Events
from .._healing import EVERYTHING, HealingLog, Written
from .._outcome import SERVED_BY, failure_of_error
from .._settings import Settings

PAGE_SIZE = 1000
IDS_MAX = 10_000
"""So many ids Layer takes at once."""
REFUSED_IDS = (400, 413, 422)
REFUSED = (400, 404, 422)
"""Refusals that will never turn into anything else: a namespace that Layer does not accept is not in its cache either."""

log = logging.getLogger("hevlayer")


class Healer:
    """Remembers direct writes while Layer is away, and tells of the others at once."""

    def __init__(
        self,
        transport: httpx2.BaseTransport,
        addresses: Addresses,
        settings: Settings,
        breaker: Breaker,
        events: Events,
    ) -> None:
        self._transport = transport
        self._addresses = addresses
        self._timeout_s = settings.probe_timeout_s
        self._breaker = breaker
        self._events = events
        self._key_refused = False
        self.log = HealingLog(settings)
        self.headers: httpx2.Headers | None = None
        """Those of the last call: its key is shown where it is not known who wrote."""

    def wrote(self, written: Written) -> None:
        """Takes account of a direct write that has ended, however it did.

        While the breaker is open its probe tells Layer before it closes it. Otherwise, and while the last probe is under way,
        Layer is told before the write is answered; if it cannot be, the breaker opens.
        """
        if written.nothing or self._breaker.before_probe(lambda: self.log.add(written)):
            return
        told = False
        try:
            told = self._tell(written)
        finally:
            if not told:
                self._untold()
                self.owe(written)

    def _untold(self) -> None:
        self._events.tell(Event("untold", None, "untold"))

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
            if left:
                self._untold()
        return not left

    def _tell(self, written: Written) -> bool:
        if written is EVERYTHING or written.namespace is None:
            return self._tell_everything()
        path = f"/v2/namespaces/{quote(written.namespace, safe='')}/invalidate"
        if written.ids is not None and len(written.ids) <= IDS_MAX:
            answer = self._ask("POST", path, orjson.dumps({"ids": written.ids}), written.authorization)
            if answer is None or answer.status_code not in REFUSED_IDS:
                return self._took(answer)
        # Too many ids for one call, or ids that Layer does not take.
        return self._took(self._ask("POST", path, b"{}", written.authorization))

    def _took(self, answer: httpx2.Response | None) -> bool:
        """Whether Layer knows now, or never will."""
        if answer is None or answer.status_code not in (200, *REFUSED):
            return False
        self._key_refused = False
        if answer.status_code != 200:
            log.warning("Layer does not take what was written past it (%d)", answer.status_code)
        return True

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
        """Layer's answer; None where it has not answered for good.

        A key that is refused is no answer: it may be accepted later, or another may be. Whose key it is makes no difference to
        what is cleared, so that of the last call is tried too.
        """
        latest = None if self.headers is None else self.headers.get("authorization")
        response = None
        for key in dict.fromkeys((authorization or latest, latest)):
            headers = {"content-type": "application/json"} | ({} if key is None else {"authorization": key})
            response = self._send(method, path, headers, content)
            if response is None or SERVED_BY not in response.headers:
                return None
            if response.status_code not in (401, 403):
                return None if response.status_code >= 500 or response.status_code == 429 else response
        self._say_refused()
        return None

    def _say_refused(self) -> None:
        """Once, until Layer takes a key: a probe comes by this again and again."""
        if not self._key_refused:
            log.warning("Layer refuses the key that tells it of writes past it: calls go past it until it takes one")
        self._key_refused = True

    def ready(self, path: str) -> bool:
        """Whether Layer itself says that it is ready: whatever stands before it may answer 200 too."""
        response = self._send("GET", path, {}, None)
        return response is not None and response.status_code == 200 and response.headers.get(SERVED_BY) == "layer"

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
