"""The loop of a worker: claim, work, hand in, and leave nothing claimed behind.

Whatever dies, nothing is lost: what a worker has comes back when its leases end, and what it hands in after that is refused. So
the loop never guesses; it asks again while Layer is away, and drops what it has lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .._errors import LayerUnavailable, OutcomeUnknown
from .._grpc_errors import LayerError
from ._jobs import Job
from ._queues import Queue, Work, kind_of

log = logging.getLogger("hevlayer.worker")

AGAIN = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED")
"""Statuses after which a call of a queue is made again."""
BACKOFF_S, BACKOFF_MAX_S = 0.25, 15.0
BEATS_PER_LEASE = 3.0


@dataclass(frozen=True, slots=True)
class WorkerEvent:
    """Something worth counting."""

    kind: Literal["claimed", "done", "failed", "lost", "released", "retry"]
    queue_id: str
    count: int
    seconds: float = 0.0
    """Of `done` and `failed`: how long the batch took."""


OnWork = Callable[[WorkerEvent], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker works."""

    concurrency: int
    wait_s: float
    drain_s: float
    once: bool


class Lane:
    """One batch at a time."""

    def __init__(self, queue: Queue, pace: Pace, stop: asyncio.Event, on_work: OnWork | None) -> None:
        self._queue = queue
        self._pace = pace
        self._stop = stop
        self._on_work = on_work

    async def run(self) -> None:
        """Works until told to stop, or once until nothing is left."""
        while not self._stop.is_set():
            claimed = await self._persist(lambda: self._queue.claim(self._pace.wait_s))
            if claimed is None:
                return
            if not claimed.works and self._pace.once:
                return
            if claimed.works:
                self._tell("claimed", len(claimed.works))
                await self._batch(claimed.works, claimed.lease_s)

    async def _batch(self, works: list[Work], lease_s: float) -> None:
        beats = asyncio.create_task(self._beat(works, lease_s / BEATS_PER_LEASE))
        try:
            if self._stop.is_set():
                await self._give_back(works)
            else:
                await self._work(works)
        finally:
            beats.cancel()
            await asyncio.wait([beats])

    async def _work(self, works: list[Work]) -> None:
        begun = time.monotonic()
        inputs = await self._persist(lambda: self._queue.inputs(works), works)
        if inputs is None:
            return
        handled = asyncio.create_task(self._handle(inputs))
        if not await self._done_in_time(handled):
            handled.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await handled
            await self._give_back(works)
            return
        await self._hand_in(works, handled.result(), time.monotonic() - begun)

    async def _handle(self, inputs: Sequence[Any]) -> list[Any]:
        """The handler's results; its exception for each where it raises one, or answers too few."""
        handler = self._queue.job.handler
        try:
            if inspect.iscoroutinefunction(handler):
                results = list(await handler(inputs))
            else:
                results = list(await asyncio.to_thread(handler, inputs))  # type: ignore[arg-type]
        except Exception as error:
            log.exception("the handler of %s failed", self._queue.job.queue_id)
            return [error] * len(inputs)
        if len(results) != len(inputs):
            return [ValueError(f"the handler answered {len(results)} results for {len(inputs)} inputs")] * len(inputs)
        return results

    async def _done_in_time(self, handled: asyncio.Task[list[Any]]) -> bool:
        """Waits for the handler; once the worker is told to stop, no longer than it may take to drain."""
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({handled, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not handled.done():
                await asyncio.wait({handled}, timeout=self._pace.drain_s)
            return handled.done()
        finally:
            stopped.cancel()

    async def _hand_in(self, works: list[Work], results: list[Any], took_s: float) -> None:
        good = [(work, each) for work, each in zip(works, results, strict=True) if not isinstance(each, BaseException)]
        bad = [(work, each) for work, each in zip(works, results, strict=True) if isinstance(each, BaseException)]
        if good:
            await self._complete(good, took_s)
        for work, error in bad:
            await self._fail([work], error, took_s)

    async def _complete(self, good: list[tuple[Work, Any]], took_s: float) -> None:
        kept = [(work, result) for work, result in good if not work.lost]
        try:
            if kept:
                await self._persist(lambda: self._queue.complete(kept), [work for work, _ in kept])
        except (LayerError, TypeError, ValueError) as error:
            # What was answered cannot be handed in: no attempt at that will ever do.
            await self._fail([work for work, _ in kept], error, took_s)
            return
        lost = sum(work.lost for work, _ in good)
        self._tell("done", len(good) - lost, took_s)
        self._tell("lost", lost)

    async def _fail(self, works: list[Work], error: BaseException, took_s: float) -> None:
        kept = [work for work in works if not work.lost]
        message = f"{type(error).__name__}: {error}"
        if kept:
            await self._persist(lambda: self._queue.fail(kept, kind_of(error), message), kept)
        self._tell("failed", len(kept), took_s)
        self._tell("lost", len(works) - len(kept))

    async def _give_back(self, works: list[Work]) -> None:
        kept = [work for work in works if not work.lost]
        if kept:
            await self._persist(lambda: self._queue.release(kept), kept)
        self._tell("released", len(kept))

    async def _beat(self, works: list[Work], every_s: float) -> None:
        """Extends leases until it is cancelled; an attempt that fails is made again with the next."""
        while True:
            await asyncio.sleep(every_s)
            kept = [work for work in works if not work.lost]
            if not kept:
                return
            with contextlib.suppress(LayerUnavailable, OutcomeUnknown, LayerError):
                await self._queue.beat(kept)

    async def _persist(self, call: Callable[[], Awaitable[Any]], works: Sequence[Work] = ()) -> Any:
        """Makes a call until it is answered; None when that is no use any more.

        A claim ends when the worker is told to stop; what belongs to works ends when all of them are lost, or when draining takes
        too long.
        """
        delay_s, stopped_at = BACKOFF_S, None
        while True:
            try:
                return await call()
            except (LayerUnavailable, OutcomeUnknown) as error:
                self._again(error)
            except LayerError as error:
                if error.code not in AGAIN or error.reason == "STALE_VERSION":
                    raise
                self._again(error)
            if self._stop.is_set():
                stopped_at = stopped_at or time.monotonic()
                if not works or time.monotonic() - stopped_at > self._pace.drain_s:
                    return None
            if works and all(work.lost for work in works):
                return None
            await self._pause(delay_s * random.uniform(0.5, 1.0), bool(works))
            delay_s = min(delay_s * 2, BACKOFF_MAX_S)

    def _again(self, error: Exception) -> None:
        log.debug("trying again: %s", error)
        self._tell("retry", 1)

    async def _pause(self, seconds: float, to_the_end: bool) -> None:
        if to_the_end and self._stop.is_set():
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def _tell(self, kind: Any, count: int, seconds: float = 0.0) -> None:
        if self._on_work is None or count == 0:
            return
        try:
            self._on_work(WorkerEvent(kind, self._queue.job.queue_id, count, seconds))
        except Exception:
            log.exception("on_work failed")


async def work(queue: Queue, job: Job, pace: Pace, stop: asyncio.Event, on_work: OnWork | None) -> None:
    """Runs all lanes; the first that fails ends the others."""
    async with asyncio.TaskGroup() as lanes:
        for _ in range(pace.concurrency):
            lanes.create_task(Lane(queue, pace, stop, on_work).run())
