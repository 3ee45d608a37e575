"""A pipeline-worker that ends at a point, and is started again by who watches it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.pipelines import start_pipeline_worker
from harness.ports import free_port
from harness.programs import Program
from harness.waiting import until

PROGRAM = "pipeline-worker-failpoints"
SETTINGS = {
    "state.statement_timeout_ms": 100,
    "state.body_grace_ms": 2000,
    "state.late_write_ms": 300,
    "upkeep.interval_ms": 50,
    "upkeep.sweep_interval_ms": 200,
}
"""A sweep in seconds rather than a day."""


class Crashing:
    """The process; after its first end it is started again, and then nothing ends it any more."""

    def __init__(
        self, router_url: str, directory: Path, crash_at: str | None, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.points_file = directory / "points"
        self._start = (router_url, directory, SETTINGS | dict(settings or {}))
        self._port = free_port()
        env = {"LAYER_POINTS_FILE": str(self.points_file)}
        if crash_at:
            env["LAYER_CRASH_AT"] = crash_at
        directory.mkdir(parents=True, exist_ok=True)
        # Some points are come to before it is ready.
        self.program = self.first = self._run(env, ready=False)
        self._stopping = threading.Event()
        self._failed: list[BaseException] = []
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._watcher.start()
        until(lambda: self.program.ready() == "ready" or self._failed, "it is ready", 60)

    def _run(self, env: Mapping[str, str], ready: bool) -> Program:
        url, directory, settings = self._start
        return start_pipeline_worker(url, directory, settings, ready, self._port, env, PROGRAM)

    def _watch(self) -> None:
        try:
            while not self._stopping.wait(0.02):
                if self.program.process.exit_code is not None:
                    assert self.program is self.first, self.program.process.log
                    self.program = self._run({}, ready=False)
        except BaseException as error:
            self._failed.append(error)

    def ended_at(self, crash_at: str) -> bool:
        """Whether it ended, and by that point."""
        point, hit = crash_at.rsplit(":", 1)
        told = f"the process ends at point {point}, hit {hit}" in self.first.process.log
        return told and self.first.process.exit_code == -signal.SIGABRT

    def points(self) -> set[str]:
        return set(self.points_file.read_text().split())

    def stop(self) -> None:
        self._stopping.set()
        self._watcher.join()
        for program in (self.first, self.program):
            program.process.kill()
        assert not self._failed, self._failed
