"""How a call went: how long it took, whether the cache had it, and whether it went past Layer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

CACHE = "x-layer-cache"
DIRECT = "turbopuffer_direct"
"""What `fallback` says of a call that went past Layer."""


@dataclass(frozen=True, slots=True)
class LayerPerf:
    """How a call went."""

    latency_ms: float
    """From the start of the first attempt to the answer, in milliseconds."""
    cache_status: str | None
    """`hit`, `miss` or `miss-on-error`, where Layer says so."""
    fallback: str | None
    """`turbopuffer_direct`, or None for an answer that came through Layer."""


@dataclass(frozen=True, slots=True)
class LayerResponse(Generic[T]):
    """What a call answered, and how it went."""

    data: T
    perf: LayerPerf


@dataclass(slots=True)
class PerfRecord:
    """The calls made inside of `record_perf`, in the order of their answers."""

    calls: list[LayerPerf] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    outer: PerfRecord | None = None
    """The record inside of which this one was begun."""

    @property
    def last(self) -> LayerPerf:
        """The last call's; IndexError where there was none."""
        return self.calls[-1]

    def whole(self) -> LayerPerf:
        """The last answer's, with the time since the record began: retries and polling included."""
        last = self.calls[-1] if self.calls else LayerPerf(0, None, None)
        return LayerPerf((time.monotonic() - self.begun) * 1000, last.cache_status, last.fallback)


_record: ContextVar[PerfRecord | None] = ContextVar("hevlayer_perf", default=None)


@contextmanager
def record_perf() -> Iterator[PerfRecord]:
    """Records how the calls inside of it go, those of tasks that are started inside too."""
    record = PerfRecord(outer=_record.get())
    token = _record.set(record)
    try:
        yield record
    finally:
        _record.reset(token)


def note(begun: float, said: Mapping[str, str], fallback: str | None) -> None:
    """Adds an answer to the records of the caller, if there are any: when it was asked for, and the headers it came with."""
    record = _record.get()
    if record is None:
        return
    perf = LayerPerf((time.monotonic() - begun) * 1000, said.get(CACHE), fallback)
    while record is not None:
        record.calls.append(perf)
        record = record.outer
