"""A real OpenTelemetry collector: rotel, which takes OTLP over gRPC and prints every span."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from .ports import free_port
from .process import Process
from .waiting import until

ATTRIBUTE = re.compile(r"^ +-> ([\w.]+): \w+\((.*)\)$")
FIELD = re.compile(r"^ +(Trace ID|Parent ID|ID|Name|Kind|Status code) +: ?(.*)$")


@dataclass
class Span:
    """One span, as the collector received it."""

    fields: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)


def agent() -> str:
    found = find_spec("rotel")
    assert found
    assert found.origin
    return str(Path(found.origin).parent / "rotel-agent")


class Collector:
    """A collector on free ports."""

    def __init__(self, directory: Path) -> None:
        grpc, http = free_port(), free_port()
        self.url = f"http://127.0.0.1:{grpc}"
        places = ["--pid-file", str(directory / "rotel.pid"), "--log-file", str(directory / "rotel.log")]
        ports = ["--otlp-grpc-endpoint", f"127.0.0.1:{grpc}", "--otlp-http-endpoint", f"127.0.0.1:{http}"]
        printing = ["--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"]
        self.process = Process("rotel", [agent(), "start", *places, *ports, *printing])
        until(lambda: self._listens(grpc), "the collector listens")

    @staticmethod
    def _listens(port: int) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    def spans(self) -> list[Span]:
        """All spans that have come so far."""
        found: list[Span] = []
        for line in self.process.log.splitlines():
            if line.startswith("Span #"):
                found.append(Span())
            elif not found:
                continue
            elif match := FIELD.match(line):
                found[-1].fields[match[1]] = match[2]
            elif match := ATTRIBUTE.match(line):
                found[-1].attributes[match[1]] = match[2]
        return found

    def trace(self, trace_id: str, count: int) -> dict[str, Span]:
        """The spans of a trace by name, once there are `count`."""

        def look() -> list[Span]:
            spans = [span for span in self.spans() if span.fields.get("Trace ID") == trace_id]
            return spans if len(spans) >= count else []

        spans = until(look, f"{count} spans of {trace_id}", 20)
        return {span.fields["Name"]: span for span in spans}
