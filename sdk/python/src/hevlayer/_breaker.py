"""Remembers that Layer is away, so that later calls lose no time on it.

It opens at once where nobody listens, and after a few other failures in a row. It never closes by itself: a probe closes it,
and only when Layer knows what was written past it. Whoever asks it gets an answer without waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ._effects import WEIGHTS, Failure, Weight

Transition = Callable[[bool, str], None]
"""Told of each transition: whether it is open now, and why."""


class Breaker:
    """Closed while Layer is there. Any number of threads may use one."""

    def __init__(self, failures_to_open: int, on_transition: Transition) -> None:
        self._failures_to_open = failures_to_open
        self._on_transition = on_transition
        self._failures = 0
        self._probed_last = False
        self._lock = threading.RLock()
        self.is_open = False
        self.cause: BaseException | None = None
        """What opened it."""

    @property
    def suspicious(self) -> bool:
        """Whether a failure was counted and Layer has not answered since."""
        return self._failures > 0

    def note(self, failure: Failure, cause: BaseException | None) -> None:
        """Takes account of how a call ended."""
        weight = WEIGHTS[failure]
        if weight is Weight.CLOSES:
            self._failures = 0
        elif weight is Weight.OPENS:
            self.open(cause, failure.value)
        elif weight is Weight.COUNTS:
            self._count(failure, cause)

    def _count(self, failure: Failure, cause: BaseException | None) -> None:
        with self._lock:
            self._failures += 1
            enough = self._failures >= self._failures_to_open
        # Without the lock: who is told of it may take its time.
        if enough:
            self.open(cause, failure.value)

    def open(self, cause: BaseException | None, why: str) -> None:
        """Opens it, if it is closed."""
        with self._lock:
            if self.is_open:
                return
            self.is_open, self.cause = True, cause
        self._on_transition(True, why)

    def before_probe(self, do: Callable[[], None]) -> bool:
        """Does something that a probe will see before it closes; False, and nothing is done, where none will.

        None does where it is closed, and during the last probe: otherwise a client that never stops writing past Layer would
        never return to it.
        """
        with self._lock:
            seen = self.is_open and not self._probed_last
            if seen:
                do()
            return seen

    def probed(self, last: bool) -> None:
        """A probe begins, or has ended: whether it is one after which nothing but a failure keeps this open."""
        with self._lock:
            self._probed_last = last

    def close_if(self, ready: Callable[[], bool]) -> bool:
        """Closes it where `ready` says so; nothing of `before_probe` happens between the two."""
        with self._lock:
            if not ready():
                return False
            self.is_open, self.cause, self._failures, self._probed_last = False, None, 0, False
        self._on_transition(False, "ready")
        return True
