"""What was written and fetched when, and whether a fetch was answered with something too old.

A key is written by one writer at a time, so its writes have an order; each has a version of its own, from 1. A write
whose outcome is not known may be applied then, later, or never: its key is written no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

ABSENT = 0
"""The version of a row that is not there."""


@dataclass(frozen=True)
class Write:
    """A write of one key. `shows` is what a fetch sees of it: its version, or ABSENT where it deleted the row."""

    key: str
    version: int
    shows: int
    start: float
    end: float
    acknowledged: bool
    how: str = ""


@dataclass(frozen=True)
class Fetch:
    """A fetch that was answered."""

    key: str
    shows: int
    start: float
    end: float
    router: int
    cache: str


def stale(writes: Iterable[Write], fetches: Iterable[Fetch]) -> list[str]:
    """Every fetch that shows what it must not, in words."""
    by_key: dict[str, list[Write]] = defaultdict(list)
    for write in writes:
        by_key[write.key].append(write)
    for of_key in by_key.values():
        of_key.sort(key=lambda write: write.version)
    return [found for fetch in fetches if (found := _judge(by_key[fetch.key], fetch))]


def _judge(writes: list[Write], fetch: Fetch) -> str:
    settled = [write for write in writes if write.acknowledged and write.end < fetch.start]
    last = settled[-1] if settled else None
    since = last.version if last else 0
    later = [write for write in writes if write.version > since and write.start < fetch.end]
    allowed = {last.shows if last else ABSENT, *(write.shows for write in later)}
    if fetch.shows in allowed:
        return ""
    when = f"{fetch.start:.4f} to {fetch.end:.4f}"
    lately = "; ".join(
        f"{write.shows} by {write.how} {write.start:.4f} to {write.end:.4f}{'' if write.acknowledged else ' unknown'}"
        for write in writes
        if fetch.shows - 2 <= write.version <= since + 2
    )
    return (
        f"{fetch.key} through reader {fetch.router} ({fetch.cache}) from {when} shows {fetch.shows}, allowed "
        f"{sorted(allowed)}; acknowledged {since} at {last.end if last else 0:.4f}; writes: {lately}"
    )
