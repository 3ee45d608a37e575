"""A router with pipeline-worker behind it, asked over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from .pipelines import start_pipeline_worker
from .ports import free_port
from .programs import KEY, Program, start_router
from .waiting import until

AUTHORIZED = {"authorization": f"Bearer {KEY}"}


class PipelinesMesh:
    """Origin, router and pipeline-worker; the latter comes and goes."""

    def __init__(self, origin: Program, directory: Path) -> None:
        self.port = free_port()
        self.directory = directory
        self.router = start_router(origin.url, {"pipelines.addresses": f"127.0.0.1:{self.port}"})
        self.start()

    def start(self) -> None:
        place = {"listen.address": f"127.0.0.1:{self.port}"}
        self.worker = start_pipeline_worker(self.router.url, self.directory, place)
        until(lambda: self.ask("GET", "/v2/pipelines").status_code == 200, "the router finds pipeline-worker")

    def stop(self) -> None:
        self.worker.process.kill()
        self.router.process.kill()

    def ask(self, method: str, path: str, body: Any = None, timeout_ms: int | None = None) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        headers = AUTHORIZED | ({} if timeout_ms is None else {"x-request-timeout-ms": str(timeout_ms)})
        return httpx.request(method, self.router.url + path, content=content, headers=headers, timeout=30.0)

    def rows(self, namespace: str) -> dict[str, Any]:
        query = {"rank_by": ["id", "asc"], "limit": 1000, "include_attributes": ["text"]}
        answer = self.ask("POST", f"/v2/namespaces/{namespace}/query", query)
        return {row["id"]: row["text"] for row in answer.json()["rows"]} if answer.status_code == 200 else {}

    def published(self, work: Callable[[Any], Awaitable[None]]) -> None:
        """Runs `work` with the published client, which needs Python 3.11."""
        from hevlayer import AsyncHevlayer

        async def run() -> None:
            async with AsyncHevlayer(api_key=KEY, base_url=self.router.url) as client:
                await work(client)

        asyncio.run(run())
