"""Waiting for a condition instead of sleeping, and letting time pass where time itself is tested."""

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


def steady(look: Callable[[], T], for_s: float, within_s: float = 10.0) -> T:
    """What `look` gives once it has given the same for `for_s` seconds; fails when it never does."""
    seen, since = look(), time.monotonic()

    def is_steady() -> bool:
        nonlocal seen, since
        now = look()
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since >= for_s

    until(is_steady, "it stands still", within_s)
    return seen


def let_pass(seconds: float) -> None:
    """Lets time pass, where how much of it has passed is what is tested: a process lies still, a load goes on."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(left)
