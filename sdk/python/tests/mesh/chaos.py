"""Clients that query, write and fetch while the router is ended, suspended, cut off, drained and started again.

Each client has rows of its own and writes them in order, so it knows what it must read. What must never happen: a call fails that
should have gone past Layer; a write that must not be repeated arrives twice; a fetch through Layer answers an older row than the
client's last acknowledged write; a row ends as something else than the last write.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from turbopuffer import APIStatusError

from hevlayer import LayerError, LayerUnavailable, OutcomeUnknown

ROWS = 3
PAUSE_S = 0.01


@dataclass
class Account:
    """What one client has seen."""

    name: str
    calls: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Marks of writes whose outcome is unknown."""
    acknowledged: list[str] = field(default_factory=list)
    """Marks of writes that must not be repeated and were answered."""
    versions: dict[str, int] = field(default_factory=dict)
    """The last acknowledged version of each row."""
    slowest_s: float = 0.0
    answered: list[tuple[float, float]] = field(default_factory=list)
    """When each call was answered, and how long it took."""


async def settled(value: Any) -> Any:
    """The value, of either half of the package."""
    return await value if inspect.isawaitable(value) else value


class Customer:
    """One client at work."""

    def __init__(self, client: Any, namespace: str, name: str, seed: int) -> None:
        self.client = client
        self.space = client.namespace(namespace)
        self.namespace = namespace
        self.account = Account(name)
        self._random = random.Random(seed)
        self._number = 0

    async def work(self, until: threading.Event) -> None:
        """Makes calls until it is told to stop."""
        while not until.is_set():
            call = self._random.choices([self.query, self.upsert, self.conditional, self.fetch], [4, 3, 1, 2])[0]
            begun = time.monotonic()
            try:
                await call()
            except Exception as error:
                cause = error.__cause__
                self.account.failed.append(f"{call.__name__}: {error!r} from {cause!r}")
            took = time.monotonic() - begun
            self.account.calls[call.__name__] += 1
            self.account.answered.append((begun + took, took))
            await asyncio.sleep(self._random.uniform(0, PAUSE_S))

    def _row(self) -> str:
        return f"{self.account.name}-{self._random.randrange(ROWS)}"

    def _mark(self) -> str:
        self._number += 1
        return f"{self.account.name}:{self._number}"

    async def query(self) -> None:
        """A query of its rows: each as it was written last."""
        name = self._row()
        answer = await settled(
            self.space.query(rank_by=["id", "asc"], top_k=1, filters=["id", "Eq", name], include_attributes=["version"])
        )
        self._check("query", name, answer.rows[0].version if answer.rows else 0)

    async def upsert(self) -> None:
        """A write that may be repeated."""
        name, version = self._row(), self._number + 1
        row = {"id": name, "version": version, "mark": self._mark()}
        await settled(self.space.write(upsert_rows=[row]))
        self.account.versions[name] = version

    async def conditional(self) -> None:
        """A write that must not be repeated."""
        name, version, mark = f"{self.account.name}-once-{self._number}", self._number + 1, self._mark()
        row = {"id": name, "version": version, "mark": mark}
        try:
            await settled(self.space.write(upsert_rows=[row], upsert_condition=["version", "Lt", version]))
            self.account.acknowledged.append(mark)
        except OutcomeUnknown:
            self.account.unknown.append(mark)

    async def fetch(self) -> None:
        """A fetch through Layer, which may be away."""
        name = self._row()
        try:
            document = await settled(self.client.fetch_document(self.namespace, name, timeout=2.0))
        except (LayerUnavailable, LayerError) as error:
            if isinstance(error, LayerError) and error.code == "NOT_FOUND":
                self._check("fetch", name, 0)
            return
        self._check("fetch", name, document.attributes["version"])

    def _check(self, what: str, name: str, seen: int) -> None:
        known = self.account.versions.get(name, 0)
        if seen < known:
            self.account.failed.append(f"{what} of {name}: {seen} after {known} was acknowledged")


def as_thread(customer: Customer, until: threading.Event) -> threading.Thread:
    """A customer with a client for threads, in a thread of its own."""
    thread = threading.Thread(target=lambda: asyncio.run(customer.work(until)), name=customer.account.name)
    thread.start()
    return thread


__all__ = ["APIStatusError", "Account", "Customer", "as_thread", "settled"]
