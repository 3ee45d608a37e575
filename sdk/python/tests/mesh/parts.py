"""A router with its cache as processes that a test may end, stop, drain and start again, at one address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.doc_cache import start_doc_cache
from harness.ports import ADMIN_OFFSET, free_port
from harness.programs import KEY, Program, start_router
from hevlayer import AsyncHevlayer, Hevlayer, Settings

TURBOPUFFER_KEY = "key-of-the-direct-way"
PATIENT = Settings(probe_initial_s=0.1, probe_max_s=0.5)
UNHURRIED = Settings(connect_timeout_s=10, hedge=False)
"""On a busy machine too nothing but Layer's failure makes a call go direct."""


class Mesh:
    """A router before an origin."""

    def __init__(self, origin: Program, directory: Path, cache: bool) -> None:
        self.origin = origin
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings: dict[str, Any] = {
            "listen.address": f"127.0.0.1:{self.port}",
            "admin.address": f"127.0.0.1:{self.port + ADMIN_OFFSET}",
            "object_store.backend": "directory",
            "object_store.directory": str(directory / "objects"),
        }
        self._cache = start_doc_cache({"proof.lapse_ms": None}) if cache else None
        if self._cache is not None:
            self.settings["cache.addresses"] = self._cache.address
        self.router: Program | None = None

    def start(self, more: dict[str, Any] | None = None) -> None:
        """Starts the router, with the settings of last time and these."""
        self.settings |= more or {}
        made = start_router(self.settings.get("origin.url", self.origin.url), self.settings, ready=False)
        self.router = Program(made.process, self.port, self.port + ADMIN_OFFSET)
        self.router.wait_ready()

    def kill(self) -> None:
        """Ends the router at once."""
        if self.router is not None:
            self.router.process.kill()

    def drain(self) -> None:
        """Ends the router as an operator would."""
        if self.router is not None:
            self.router.stop()

    def pause(self) -> None:
        """Suspends the router: it still accepts connections."""
        assert self.router is not None
        self.router.process.suspend()

    def resume(self) -> None:
        """Lets it go on."""
        assert self.router is not None
        self.router.process.resume()

    def stop(self) -> None:
        """Ends all of it."""
        self.kill()
        if self._cache is not None:
            self._cache.process.kill()

    def options(self, **more: Any) -> dict[str, Any]:
        """What a client of it is given."""
        return {
            "base_url": self.url,
            "api_key": KEY,
            "turbopuffer_api_key": TURBOPUFFER_KEY,
            "turbopuffer_base_url": self.origin.url,
            "settings": PATIENT,
        } | more

    def client(self, **more: Any) -> Hevlayer:
        """A client for threads."""
        return Hevlayer(**self.options(**more))

    def async_client(self, **more: Any) -> AsyncHevlayer:
        """A client for asyncio."""
        return AsyncHevlayer(**self.options(**more))
