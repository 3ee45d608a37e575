"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_S = 0.01


def until(condition: Callable[[], T], what: str, within_s: float = 10.0) -> T:
    """The first true value of `condition`; fails, naming `what`, when there is none within `within_s` seconds."""
    end = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {within_s} s")
        time.sleep(LOOK_S)
