"""The stand-in for an Aerospike server as a process, and its control port."""

from __future__ import annotations

import contextlib
import socket

from .ports import free_port
from .process import Process, binary
from .waiting import until


class AerospikeStandIn:
    """A server that keeps everything in memory, and fails as it is told."""

    def __init__(self) -> None:
        self.port, self._control = free_port(), free_port()
        listen = ["--listen", f"127.0.0.1:{self.port}", "--control", f"127.0.0.1:{self._control}"]
        self.process = Process("aerospike-stand-in", [binary("aerospike-stand-in"), *listen])
        until(self._listens, "the stand-in for Aerospike listens")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            return self.command("help") != ""
        return False

    def command(self, line: str) -> str:
        """Carries out a command of the control port (`help` lists them), and gives what it answers beside `ok`."""
        with socket.create_connection(("127.0.0.1", self._control), timeout=5) as control:
            control.sendall(line.encode() + b"\n")
            answer = control.makefile().readline().strip()
        assert answer.split(" ")[0] == "ok", answer
        return answer.removeprefix("ok").strip()
