"""When a read that has no answer yet is asked of Turbopuffer too, and how often.

A suspended router still accepts connections, so silence is all that tells it from a slow one. The delay is learned from the
latencies seen; a budget keeps a Layer that is merely slow from doubling the load. While Layer has just failed there is no
budget: otherwise calls would hang as soon as it is spent, before the breaker knows.
"""

from __future__ import annotations

import threading

from ._settings import Settings

SORT_EVERY = 16
"""Sorting all samples on each call would cost more than it is worth."""


class Hedge:
    """The delay and the budget of one transport."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._samples: list[float] = []
        self._seen = 0
        self._samples_max = settings.hedge_samples
        self._tokens = self._burst = settings.hedge_budget_burst
        self._delay_s = settings.hedge_delay_default_s

    @property
    def delay_s(self) -> float:
        """How long to wait for Layer alone."""
        return self._delay_s

    def answered(self, latency_s: float) -> None:
        """Learns from a read that Layer answered."""
        # Without the lock: of two threads at the same time one sample may be lost, which changes no quantile.
        seen = self._seen
        if seen < self._samples_max:
            self._samples.append(latency_s)
        else:
            self._samples[seen % self._samples_max] = latency_s
        self._seen = seen = seen + 1
        if seen % SORT_EVERY == 0 and seen >= self._settings.hedge_samples_min:
            self._delay_s = self._learned()

    def _learned(self) -> float:
        settings, known = self._settings, sorted(self._samples)
        quantile = known[min(int(len(known) * settings.hedge_quantile), len(known) - 1)]
        return min(max(quantile * settings.hedge_factor, settings.hedge_delay_min_s), settings.hedge_delay_max_s)

    def called(self) -> None:
        """Counts a read, which earns a part of a hedge."""
        if self._tokens >= self._burst:
            return
        with self._lock:
            self._tokens = min(self._tokens + self._settings.hedge_budget_ratio, self._burst)

    def take(self, unlimited: bool) -> bool:
        """Whether a hedge may start now."""
        with self._lock:
            if unlimited:
                return True
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
