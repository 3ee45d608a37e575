"""Faults, one after another, drawn from a seed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.programs import Program

from .proxy import Proxy


@dataclass
class Mesh:
    """What can fail. `restart_cache` starts doc-cache again on its port, empty."""

    routers: list[Program]
    proxies: list[Proxy]
    cache: Program
    restart_cache: Callable[[], Program]
    purge: Callable[[], None]


@dataclass
class Chaos(threading.Thread):
    """Breaks one thing at a time, for a while, and mends it; `said` is what it did."""

    mesh: Mesh
    kinds: list[str]
    seed: int
    stop: threading.Event
    said: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(name="chaos", daemon=True)
        self._random = random.Random(self.seed)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        # Some pauses are long enough for the cache to settle and be used again, some faults meet it while it does.
        while not self.stop.wait(self._random.choice([0.1, 1.0, 4.0])):
            kind = self._random.choice(self.kinds)
            # Around the canary's lapse (0.5 s) and beyond the hold's deadline (1 s): where mistakes would hide.
            seconds = self._random.choice([0.03, 0.2, 0.45, 0.55, 1.2, 2.2])
            self.said.append(f"{kind} {seconds} s")
            try:
                getattr(self, f"_{kind}")(seconds)
            except Exception as error:
                self.failed.append(f"{kind}: {error!r}")
                return

    def _kill_cache(self, seconds: float) -> None:
        self.mesh.cache.process.kill()
        self._wait(seconds)
        self.mesh.cache = self.mesh.restart_cache()

    def _pause_cache(self, seconds: float) -> None:
        self._pause(self.mesh.cache, seconds)

    def _pause_router(self, seconds: float) -> None:
        self._pause(self._random.choice(self.mesh.routers), seconds)

    def _cut_all(self, seconds: float) -> None:
        self._network(self.mesh.proxies, Proxy.cut, seconds)

    def _stall_all(self, seconds: float) -> None:
        self._network(self.mesh.proxies, Proxy.stall, seconds)

    def _cut_one(self, seconds: float) -> None:
        self._network([self._random.choice(self.mesh.proxies)], Proxy.cut, seconds)

    def _stall_one(self, seconds: float) -> None:
        self._network([self._random.choice(self.mesh.proxies)], Proxy.stall, seconds)

    def _delay_all(self, seconds: float) -> None:
        self._network(self.mesh.proxies, lambda proxy: proxy.delay(0.03), seconds)

    def _purge(self, seconds: float) -> None:
        self.mesh.purge()
        self._wait(seconds)

    def _pause(self, program: Program, seconds: float) -> None:
        program.process.suspend()
        self._wait(seconds)
        program.process.resume()

    def _network(self, proxies: list[Proxy], broken: Callable[[Proxy], None], seconds: float) -> None:
        for proxy in proxies:
            broken(proxy)
        self._wait(seconds)
        for proxy in proxies:
            proxy.heal()

    def _wait(self, seconds: float) -> None:
        """A fault lasts so long, also when the test ends."""
        threading.Event().wait(seconds)
