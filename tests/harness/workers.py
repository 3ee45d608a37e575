"""The built-in workers as processes, an embedding endpoint to embed by, and the small model of the tests."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .ports import ADMIN_OFFSET, free_port
from .process import Process, binary
from .programs import Program, flags

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def model_dir() -> Path:
    """The folder of the small model, which is fetched where it is not there yet."""
    if given := os.environ.get("LAYER_TEST_MODEL_DIR"):
        return Path(given)
    made = subprocess.run(
        [ROOT / "scripts/model", sys.executable], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE
    )
    return Path(made.stdout.strip())


def start_worker(kind: str, service: Program, pipeline: str, settings: Mapping[str, Any] | None = None) -> Program:
    """`pipeline-worker work` for a stage of a pipeline."""
    port = free_port()
    own = {
        "kind": kind,
        "url": service.url,
        "pipeline": pipeline,
        "admin.address": f"127.0.0.1:{port + ADMIN_OFFSET}",
        "wait_ms": 1000,
        "lease_ms": 3000,
        "drain.timeout_ms": 5000,
    } | dict(settings or {})
    given = {path: value for path, value in own.items() if value is not None}
    process = Process(f"{kind}-worker", [binary("pipeline-worker"), "work", *flags(given)])
    program = Program(process, port, port + ADMIN_OFFSET)
    program.wait_ready()
    return program


class Endpoint:
    """An endpoint that speaks OpenAI's embeddings call. A text's vector: its length, its first character's code."""

    def __init__(self, port: int | None = None) -> None:
        self.requests: list[list[str]] = []
        self.keys: set[str | None] = set()
        self.open = threading.Event()
        self.open.set()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                endpoint.keys.add(self.headers["authorization"])
                endpoint.requests.append(body["input"])
                endpoint.open.wait()
                status, answer = endpoint.answer(body["input"])
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, texts: list[str]) -> tuple[int, Any]:
        if any("refuse me" in text for text in texts):
            return 400, {"error": {"message": "too many tokens"}}
        if any("break me" in text for text in texts):
            return 500, {"error": {"message": "broken"}}
        vectors = [[float(len(text)), float(ord(text[0]))] for text in texts]
        return 200, {"data": [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]}

    def close(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
