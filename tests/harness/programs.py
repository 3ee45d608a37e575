"""Layer's own programs as processes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .exposition import value
from .ports import ADMIN_OFFSET, free_port
from .process import Process, binary, run
from .waiting import until

KEY = "key-of-the-store"
INTERNAL_KEY = "key-of-the-mesh"
READY_S = 20.0
# Many tests say what comes from the cache. On a busy machine an answer of it may be later than the 25 ms that services
# wait by default; a test of lateness takes the default (None) or its own.
CACHE_DEADLINE_MS = 1000


def get(url: str, within_s: float = 5.0) -> tuple[int, str]:
    """Status and body of a page."""
    try:
        with urllib.request.urlopen(url, timeout=within_s) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Program:
    """A process with a data port and an admin port."""

    def __init__(self, process: Process, port: int, admin_port: int, scheme: str = "http") -> None:
        self.process = process
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.admin_url = f"http://127.0.0.1:{admin_port}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ready(self) -> str:
        """What /ready on the admin port says, for example `ready`; empty where nobody answers."""
        with contextlib.suppress(OSError):
            return json.loads(get(f"{self.admin_url}/ready")[1])["status"]
        return ""

    def wait_ready(self) -> None:
        def look() -> bool:
            assert self.process.exit_code is None, f"{self.process.name} ended early:\n{self.process.log}"
            return self.ready() == "ready"

        until(look, f"{self.process.name} is ready", READY_S)

    def metrics(self) -> str:
        """The page of its metrics."""
        return get(f"{self.admin_url}/metrics")[1]

    def stop(self) -> int:
        return self.process.stop()


def flags(settings: Mapping[str, Any]) -> list[str]:
    """`{"limits.requests_max": 2}` as a command line."""
    line = []
    for path, given in settings.items():
        text = given if isinstance(given, str) else json.dumps(given)
        line += ["--" + path.replace(".", "-").replace("_", "-"), text]
    return line


def start_router(origin_url: str, settings: Mapping[str, Any] | None = None, ready: bool = True) -> Program:
    """A query-router on a free port. Settings by their path; the key is KEY unless they say otherwise."""
    port = free_port()
    own = {
        "listen.address": f"127.0.0.1:{port}",
        "admin.address": f"127.0.0.1:{port + ADMIN_OFFSET}",
        "listen.workers": 2,
        "origin.url": origin_url,
        "origin.api_key": KEY,
        "auth.internal_key": INTERNAL_KEY,
        "cache.deadline_ms": CACHE_DEADLINE_MS,
        "drain.linger_ms": 100,
        "drain.timeout_ms": 10_000,
    } | dict(settings or {})
    given = {path: value for path, value in own.items() if value is not None}
    process = Process("query-router", [binary("query-router"), *flags(given)])
    scheme = "https" if "tls.certificate_file" in given else "http"
    program = Program(process, port, port + ADMIN_OFFSET, scheme)
    if ready:
        program.wait_ready()
    return program


def await_cache(router: Program) -> Program:
    """The router, once it has found its cache: a read before would neither ask the cache nor fill it."""
    until(lambda: value(router.metrics(), "layer_cache_replicas", state="connected") > 0, "the cache is found")
    return router


def start_stand_in(data_dir: Path, port: int | None = None) -> Program:
    """`layer origin` on a free port."""
    port = port or free_port()
    listen = f"127.0.0.1:{port}"
    arguments = [binary("layer"), "origin", "--data-dir", str(data_dir), "--listen", listen]
    program = Program(Process("stand-in", arguments), port, port + ADMIN_OFFSET)
    program.wait_ready()
    return program


def start_mesh(data_dir: Path, env: Mapping[str, str] | None = None, *more: str) -> Program:
    """`layer up` on free ports, as a process of the test."""
    port = free_port()
    arguments = [binary("layer"), "up", *up_arguments(data_dir, port, free_port()), *more]
    program = Program(Process("layer-up", arguments, env), port, port + ADMIN_OFFSET)
    program.wait_ready()
    return program


def up_arguments(data_dir: Path, router_port: int, stand_in_port: int) -> list[str]:
    return [
        "--data-dir",
        str(data_dir),
        "--router-address",
        f"127.0.0.1:{router_port}",
        "--stand-in-address",
        f"127.0.0.1:{stand_in_port}",
        "--doc-cache-address",
        f"127.0.0.1:{free_port()}",
        "--pipeline-worker-address",
        f"127.0.0.1:{free_port()}",
    ]


def layer(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a verb of `layer` to its end."""
    return run([binary("layer"), *arguments], env)
