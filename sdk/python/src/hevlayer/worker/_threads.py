"""Handlers that are no coroutine functions run here."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[..., T], *arguments: Any) -> T:
    """As `asyncio.to_thread`, in a thread that keeps neither the loop nor the process from ending.

    Whoever is cancelled while it waits leaves the thread behind: nothing can end a thread.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if not ended.done():
            ended.set_result((result, error))

    def run() -> None:
        result, error = None, None
        try:
            result = context.run(call, *arguments)
        except BaseException as raised:
            error = raised
        # The loop may have ended.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="hevlayer-handler", daemon=True).start()
    result, error = await ended
    if error is not None:
        raise error
    answer: T = result
    return answer
