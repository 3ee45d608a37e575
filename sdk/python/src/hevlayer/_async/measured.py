"""Makes a call and says how it went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from .._perf import LayerResponse, record_perf

T = TypeVar("T")


async def measured(call: Callable[..., Awaitable[T]], *arguments: Any, **named: Any) -> LayerResponse[T]:
    """What a call answers to `with_perf=True`; what it raises is raised."""
    with record_perf() as record:
        data = await call(*arguments, **named)
    return LayerResponse(data, record.whole())
