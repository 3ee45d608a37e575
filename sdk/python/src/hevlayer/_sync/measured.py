# Generated from ../_async by tools/generate_sync.py: change that, and run `make sdk-python-generate`.
"""Makes a call and says how it went."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .._perf import LayerResponse, record_perf

T = TypeVar("T")


def measured(call: Callable[..., T], *arguments: Any, **named: Any) -> LayerResponse[T]:
    """What a call answers to `with_perf=True`; what it raises is raised."""
    with record_perf() as record:
        data = call(*arguments, **named)
    return LayerResponse(data, record.whole())
