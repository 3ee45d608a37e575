"""What the tests of writes and the document cache share: a cache, a router before a scripted origin, and their keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .client import ask
from .doc_cache import Cache
from .exposition import value
from .origin import Exchange, Script
from .programs import Program
from .wire import Message

JSON = [("content-type", "application/json")]
HELD = ("no_lease", "HELD")


def key(id_: int | str) -> bytes:
    """An id as the cache has it."""
    return b"u" + id_.to_bytes(8, "big") if isinstance(id_, int) else b"s" + id_.encode()


def write(router: Program, namespace: str, body: Any, headers: list[tuple[str, str]] | None = None) -> Message:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask(router.url, "POST", f"/v2/namespaces/{namespace}", data, [*JSON, *(headers or [])])


def store(cache: Cache, *ids: int | str) -> None:
    """Old values, as some reader has filled them in."""
    for id_ in ids:
        cache.store(key(id_), b"old")


def states(cache: Cache, *ids: int | str) -> list[str]:
    """Of each id: `hit`, `free` (a miss that may be filled) or `held`."""
    names = {"hit": "hit", "lease": "free"}
    found = cache.get_all([key(id_) for id_ in ids])
    return [names.get(kind) or {HELD: "held"}[(kind, what)] for kind, what in found]


def namespace_holds(cache: Cache) -> int:
    return cache.call("Inspect", scope=cache.scope, id=b"any").namespace_holds


def outcomes(router: Program, outcome: str) -> float:
    """How many writes came to that end."""
    return value(router.metrics(), "layer_write_outcomes_total", outcome=outcome)


def answering(look: Callable[[], Any], answer: Any = None, status: str = "200 OK") -> tuple[Script, list[Any]]:
    """An origin that looks before it answers, and what it saw."""
    seen: list[Any] = []

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        seen.append(look())
        exchange.reply_json({"status": "OK", "rows_affected": 1} if answer is None else answer, status)

    return script, seen
