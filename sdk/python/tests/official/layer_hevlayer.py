"""A pytest plugin for the official client's own suite: its clients are ours.

While Layer is away (LAYER_SUITE_AWAY) the suite's deletes of namespaces go to Turbopuffer by an official client: ours refuse
them. At the end it says in LAYER_SUITE_WAYS how many calls our clients made through Layer and past it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import turbopuffer
from turbopuffer import AsyncTurbopuffer, Turbopuffer
from turbopuffer.resources.namespaces import AsyncNamespacesResource, NamespacesResource

import hevlayer
from hevlayer import _perf

ways: Counter[str] = Counter()
"""How often our clients' calls were answered by whom."""


def note(begun: float, said: Any, fallback: str | None) -> None:
    """Stands in the place of the package's own note."""
    ways[fallback or "layer"] += 1


_perf.note = note


def pytest_sessionfinish() -> None:
    """Writes the counts."""
    Path(os.environ["LAYER_SUITE_WAYS"]).write_text(json.dumps(ways))


PATIENT = hevlayer.Settings(connect_timeout_s=10, hedge=False)
"""On a busy machine too nothing but Layer's failure makes a call go direct."""


class Ours(hevlayer.Hevlayer):
    """Takes the region that the suite gives, which is for the direct way."""

    def __init__(self, *, region: str | None = None, **options: Any) -> None:
        super().__init__(turbopuffer_region=region, **{"settings": PATIENT, **options})


class OursAsync(hevlayer.AsyncHevlayer):
    """The same for asyncio."""

    def __init__(self, *, region: str | None = None, **options: Any) -> None:
        super().__init__(turbopuffer_region=region, **{"settings": PATIENT, **options})


def delete_all(self: NamespacesResource, **options: Any) -> Any:
    """Past Layer."""
    namespace = options.pop("namespace", None) or self._client.default_namespace
    with Turbopuffer(base_url=os.environ["TURBOPUFFER_BASE_URL"]) as client:
        return client.namespace(namespace).delete_all(**options)


async def delete_all_async(self: AsyncNamespacesResource, **options: Any) -> Any:
    """Past Layer."""
    namespace = options.pop("namespace", None) or self._client.default_namespace
    async with AsyncTurbopuffer(base_url=os.environ["TURBOPUFFER_BASE_URL"]) as client:
        return await client.namespace(namespace).delete_all(**options)


if os.environ.get("LAYER_SUITE_AWAY"):
    original, original_async = NamespacesResource.delete_all, AsyncNamespacesResource.delete_all

    def choose(self: Any, **options: Any) -> Any:
        """Ours go past Layer; the official client's are its own."""
        return (delete_all if isinstance(self._client, Ours) else original)(self, **options)

    async def choose_async(self: Any, **options: Any) -> Any:
        """The same for asyncio."""
        return await (delete_all_async if isinstance(self._client, OursAsync) else original_async)(self, **options)

    NamespacesResource.delete_all = choose  # type: ignore[method-assign,assignment]
    AsyncNamespacesResource.delete_all = choose_async  # type: ignore[method-assign,assignment]

turbopuffer.Turbopuffer = Ours  # type: ignore[misc,assignment]
turbopuffer.AsyncTurbopuffer = OursAsync  # type: ignore[misc,assignment]
