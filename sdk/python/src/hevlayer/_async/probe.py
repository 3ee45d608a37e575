"""Asks whether Layer is back while it is away, and returns to it once it knows what was written past it."""

from __future__ import annotations

import random

from .._breaker import Breaker
from .._runtime.aio import Background
from .._settings import Settings
from .healer import AsyncHealer


class AsyncProbe:
    """One loop in the background, which ends when the breaker is closed. None runs while it is."""

    def __init__(self, healer: AsyncHealer, breaker: Breaker, settings: Settings) -> None:
        self._healer = healer
        self._breaker = breaker
        self._settings = settings
        self._background = Background(self._run, "hevlayer-probe")

    def start(self) -> None:
        """Sees to it that the loop runs."""
        self._background.start()

    async def _run(self) -> None:
        settings = self._settings
        delay_s = settings.probe_initial_s
        while self._breaker.is_open and await self._background.pause(delay_s * random.uniform(0.5, 1.0)):
            if await self._layer_is_back():
                return
            delay_s = min(delay_s * 2, settings.probe_max_s)

    async def _layer_is_back(self) -> bool:
        """Asks, and once more at once where writes have ended meanwhile: then those who write tell Layer themselves."""
        last = False
        try:
            while await self._background.pause(0):
                self._breaker.probed(last)
                if not await self._healer.ready(self._settings.probe_path) or not await self._healer.heal():
                    return False
                # What is left now is a write that ended during the first probe, or one that Layer could not be told of.
                if self._breaker.close_if(lambda: self._healer.log.empty):
                    return True
                last = True
            return False
        finally:
            self._breaker.probed(last=False)

    async def aclose(self) -> None:
        """Ends the loop."""
        await self._background.aclose()
