"""Runs one test over both halves of the package: the client for threads, and the one for asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from collections.abc import Callable
from typing import Any

from fakes import Pair

WITHIN_S = 10.0


class Threads:
    """The half for threads."""

    name = "threads"

    def client(self, pair: Pair, **more: Any) -> Any:
        return pair.client(**more)

    def run(self, value: Any) -> Any:
        return value

    def until(self, condition: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> None:
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {within_s} s"
            time.sleep(0.005)

    def close(self, client: Any) -> None:
        client.close()

    def end(self) -> None:
        """Nothing is left to end."""


class Loop:
    """The half for asyncio, on a loop that runs while something is waited for."""

    name = "asyncio"

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def client(self, pair: Pair, **more: Any) -> Any:
        return pair.async_client(**more)

    def run(self, value: Any) -> Any:
        return (
            self._runner.run(_await(value), context=contextvars.copy_context()) if inspect.isawaitable(value) else value
        )

    def until(self, condition: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> None:
        self._runner.run(_until(condition, what, within_s))

    def started(self, value: Any) -> Any:
        """A task that runs while the loop does."""
        return self._runner.run(_start(value))

    def close(self, client: Any) -> None:
        self._runner.run(client.close())

    def end(self) -> None:
        self._runner.close()


async def _start(value: Any) -> Any:
    return asyncio.ensure_future(value)


async def _await(value: Any) -> Any:
    return await value


async def _until(condition: Callable[[], Any], what: str, within_s: float) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {within_s} s"
        await asyncio.sleep(0.005)
