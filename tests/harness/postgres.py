"""A private PostgreSQL cluster: Debian's programs, its own directory, gone with the test."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .ports import free_port
from .process import Process
from .waiting import until

READY_S = 60.0
USER = "postgres"
"""The server does not run as root; Debian's package makes this user."""


def programs() -> Path:
    """Where the server's programs are; `make test` installs them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert found, "PostgreSQL is missing: apt-get install postgresql"
    return found[-1]


class Postgres:
    """The cluster; its server can be stopped, killed and started again on the same data."""

    def __init__(self, env: Mapping[str, str] | None = None, directory: Path | None = None) -> None:
        """`env`: variables of the server alone. `directory`: where it is; its own user must be able to go there."""
        self._env = env
        # Not under pytest's own directory, which only its owner can enter.
        self.directory = directory or Path(tempfile.mkdtemp(prefix="layer-postgres-"))
        self.port = free_port()
        self._names = itertools.count()
        if os.geteuid() == 0:
            account = pwd.getpwnam(USER)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        initdb = [
            str(programs() / "initdb"),
            "-D",
            str(self.directory / "data"),
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        made = subprocess.run(self._as_user(initdb), capture_output=True, text=True, check=False, cwd="/")
        assert made.returncode == 0, made.stderr
        self.start()

    def _as_user(self, arguments: list[str]) -> list[str]:
        return (
            ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *arguments]
            if os.geteuid() == 0
            else arguments
        )

    def start(self) -> None:
        arguments = [str(programs() / "postgres"), "-D", str(self.directory / "data"), "-p", str(self.port)]
        arguments += ["-c", "listen_addresses=127.0.0.1", "-k", str(self.directory), "-c", "max_connections=100"]
        # After a crash it syncs every file of every database, one by one unless it is told otherwise.
        arguments += ["-c", "recovery_init_sync_method=syncfs"]
        # Not the variables of what changes the user: a library would make things there that the server cannot use.
        variables = [f"{name}={value}" for name, value in (self._env or {}).items()]
        self.process = Process("postgres", self._as_user(["env", *variables, *arguments]))

        def ready() -> bool:
            assert self.process.exit_code is None, f"PostgreSQL ended early:\n{self.process.log}"
            return "ready to accept connections" in self.process.log

        until(ready, "PostgreSQL is ready", READY_S)

    def stop(self) -> None:
        """Ends the server as a restart does: connections are cut, nothing is lost."""
        self.process.signal(signal.SIGINT)
        self.process.wait()
        self.process.kill()

    def kill(self) -> None:
        """Ends it as a loss of power does."""
        self.process.signal(signal.SIGQUIT)
        self.process.wait()
        self.process.kill()

    def pause(self) -> None:
        """Stops every process of it; connections stay."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        group = os.getpgid(self.process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
        # Backends are sessions of their own.
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), number)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What a statement answers, as psql prints it without decoration."""
        psql = [str(programs() / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database]
        ran = subprocess.run([*psql, "-XAtq", "-c", statement], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def cut_connections(self, database: str) -> int:
        """Cuts all connections to a database; how many there were."""
        statement = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            f"WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        )
        return int(self.sql(statement))

    def database(self) -> str:
        """The name of a new, empty database."""
        name = f"test{next(self._names)}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def url(self, database: str, port: int | None = None) -> str:
        return f"postgres://{USER}@127.0.0.1:{port or self.port}/{database}"

    def remove(self) -> None:
        with contextlib.suppress(AssertionError):
            self.kill()
        # Hundreds of databases have a hundred thousand files, which take Python minutes.
        subprocess.run(["rm", "-rf", str(self.directory)], check=False)
