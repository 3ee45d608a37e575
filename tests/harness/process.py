"""One process of a test: started, watched, stopped, and its log kept for the report of a failure."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from .waiting import until

STOP_S = 20.0
LOG_TAIL_BYTES = 8000

running: list[Process] = []
"""Those that have not been stopped, the oldest first."""


def binary(name: str) -> str:
    """The path of a program of this repository: in LAYER_BIN_DIR, or where cargo puts debug builds."""
    target = os.environ.get("CARGO_TARGET_DIR") or Path.home() / ".cache/layer/target"
    path = Path(os.environ.get("LAYER_BIN_DIR") or Path(target) / "debug") / name
    how = "cargo build --ignore-rust-version -p layer-cli -p query-router -p doc-cache -p pipeline-worker"
    assert path.exists(), f"{path} is missing: {how}"
    return str(path)


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without Layer's variables: a developer's own settings must not change a test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAYER_", "ROTEL_"))}
    return kept | dict(extra or {})


def run(
    arguments: Sequence[str], env: Mapping[str, str] | None = None, within_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; its output is text."""
    return subprocess.run(
        arguments, env=clean_environment(env), capture_output=True, text=True, timeout=within_s, check=False
    )


class Process:
    """A running command. Standard output and error go to one file."""

    def __init__(self, name: str, arguments: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._log = tempfile.NamedTemporaryFile(prefix=f"layer-{name}-", suffix=".log")  # noqa: SIM115
        self._popen = subprocess.Popen(
            arguments,
            env=clean_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        running.append(self)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def log(self) -> str:
        """All that it has printed."""
        return Path(self._log.name).read_text(errors="replace")

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll()

    def signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def suspend(self) -> None:
        """Lets it stand still, and waits until every thread of it does: on a busy machine some run on for a while."""
        self.signal(signal.SIGSTOP)
        until(self._is_stopped, f"{self.name} stands still")

    def resume(self) -> None:
        """Lets it go on."""
        self.signal(signal.SIGCONT)

    def _is_stopped(self) -> bool:
        try:
            stats = [(task / "stat").read_text() for task in Path(f"/proc/{self.pid}/task").iterdir()]
        except OSError:
            # A thread has ended meanwhile.
            return False
        return all(stat.rsplit(")", 1)[1].split()[0] == "T" for stat in stats)

    def wait(self, within_s: float = STOP_S) -> int:
        """Its exit code, once it has ended."""
        until(lambda: self.exit_code is not None, f"{self.name} ends", within_s)
        assert self.exit_code is not None
        return self.exit_code

    def memory_peak_bytes(self) -> int:
        """The most memory that it has held resident so far (VmHWM)."""
        return self._status_kib("VmHWM") * 1024

    def _status_kib(self, field: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))

    def kill(self) -> None:
        """Ends it at once (SIGKILL)."""
        if self.exit_code is None:
            self.signal(signal.SIGKILL)
            self.wait()
        self._forget()

    def stop(self) -> int:
        """Ends it as an operator would (SIGTERM); kills it when it does not end in time, which is an error."""
        try:
            if self.exit_code is None:
                self.signal(signal.SIGTERM)
            return self.wait()
        finally:
            self.kill()

    def _forget(self) -> None:
        if self in running:
            running.remove(self)


def logs() -> list[tuple[str, str]]:
    """Name and last output of each process that runs."""
    return [(process.name, process.log[-LOG_TAIL_BYTES:]) for process in running]
