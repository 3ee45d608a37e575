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
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .._errors import LayerUnavailable, OutcomeUnknown
from .._grpc_errors import LayerError
from .._guards import Kind
from ._jobs import Job
from ._meaning import Meaning, ends_worker, meaning_of
from ._queues import Queue, Result, Work, kind_of
from ._threads import in_thread

log = logging.getLogger("hevlayer.worker")

READS_AT_ONCE = 8
"""Documents whose chunks are read at the same time."""
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
        inputs = await self._inputs(works)
        if any(each is None and not work.lost for work, each in zip(works, inputs, strict=True)):
            # Layer is away, and the time to drain is over.
            return
        handled = asyncio.create_task(self._results(inputs))
        if not await self._done_in_time(handled):
            handled.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await handled
            await self._give_back(works)
            return
        await self._hand_in(works, handled.result(), time.monotonic() - begun)

    async def _inputs(self, works: Sequence[Work]) -> list[Any]:
        """What the handler gets of each; its exception where it cannot be had, None where it was given up."""
        turns = asyncio.Semaphore(READS_AT_ONCE)

        async def read(work: Work) -> Any:
            async with turns:
                try:
                    return await self._persist(lambda: self._queue.input(work), [work])
                except LayerError as error:
                    work.lost = work.lost or meaning_of(error) is Meaning.GONE
                    return error

        return list(await asyncio.gather(*map(read, works)))

    async def _results(self, inputs: Sequence[Any]) -> list[Any]:
        """What became of each: the handler is not bothered with what could not be read."""
        read = [each for each in inputs if each is not None and not isinstance(each, LayerError)]
        results = iter(await self._handle(read) if read else ())
        return [each if each is None or isinstance(each, LayerError) else next(results) for each in inputs]

    async def _handle(self, inputs: Sequence[Any]) -> list[Any]:
        """The handler's results; its exception for each where it raises one, or answers too few."""
        handler = self._queue.job.handler
        try:
            if inspect.iscoroutinefunction(handler):
                results = list(await handler(inputs))
            else:
                results = list(await in_thread(handler, inputs))  # type: ignore[arg-type]
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
        tally: Counter[str] = Counter()
        pairs = list(zip(works, results, strict=True))
        for call in self._queue.calls([pair for pair in pairs if not isinstance(pair[1], BaseException)]):
            await self._complete(call, tally)
        for work, error in pairs:
            if isinstance(error, BaseException):
                await self._fail([work], error, kind_of(error), tally)
        for kind, count in tally.items():
            self._tell(kind, count, 0.0 if kind == "lost" else took_s)

    async def _complete(self, results: list[Result], tally: Counter[str]) -> None:
        kept = [pair for pair in results if not pair[0].lost]
        works = [work for work, _ in kept]
        try:
            answered = bool(kept) and await self._persist(lambda: self._queue.complete(kept), works)
        except Exception as error:
            tally["lost"] += len(results) - len(kept)
            await self._refused(kept, error, tally)
            return
        lost = sum(work.lost for work, _ in results)
        tally["lost"] += lost
        tally["done"] += len(results) - lost if answered else 0

    async def _refused(self, results: list[Result], error: Exception, tally: Counter[str]) -> None:
        """What a call cannot hand in is handed in one by one: a bad row must not fail the others."""
        works = [work for work, _ in results]
        if meaning_of(error) is Meaning.GONE:
            self._drop(works, error)
            tally["lost"] += len(works)
        elif len(results) == 1:
            # No attempt at that will ever do.
            await self._fail(works, error, "permanent", tally)
        else:
            for each in results:
                await self._complete([each], tally)

    async def _fail(self, works: list[Work], error: BaseException, kind: Kind, tally: Counter[str]) -> None:
        kept = [work for work in works if not work.lost]
        message = f"{type(error).__name__}: {error}"
        answered = None
        if kept:
            answered = await self._told(kept, lambda: self._queue.fail(kept, kind, message))
        lost = sum(work.lost for work in works)
        tally["lost"] += lost
        tally["failed"] += len(works) - lost if answered else 0

    async def _told(self, works: list[Work], call: Callable[[], Awaitable[Any]]) -> Any:
        """Makes a call about works; where Layer does not take it they wait for the end of their leases."""
        try:
            return await self._persist(call, works)
        except LayerError as error:
            self._drop(works, error)
            return None

    def _drop(self, works: list[Work], error: Exception) -> None:
        log.warning("%s of %s are left to the end of their leases: %s", len(works), self._queue.job.queue_id, error)
        for work in works:
            work.lost = True

    async def _give_back(self, works: list[Work]) -> None:
        kept = [work for work in works if not work.lost]
        if kept and await self._told(kept, lambda: self._queue.release(kept)):
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
        """Makes a call until it is answered, or refused for good; None when that is no use any more.

        A claim ends when the worker is told to stop; what belongs to works ends when all of them are lost, or when draining takes
        too long.
        """
        delay_s, stopped_at = BACKOFF_S, None
        while True:
            try:
                return await call()
            except (LayerUnavailable, OutcomeUnknown, LayerError) as error:
                # Without works it is a claim.
                if meaning_of(error) is not Meaning.AWAY or (not works and ends_worker(error)):
                    raise
                self._again(error, first=delay_s == BACKOFF_S)
            if self._stop.is_set():
                stopped_at = stopped_at or time.monotonic()
                if not works or time.monotonic() - stopped_at > self._pace.drain_s:
                    return None
            if works and all(work.lost for work in works):
                return None
            await self._pause(delay_s * random.uniform(0.5, 1.0), bool(works))
            delay_s = min(delay_s * 2, BACKOFF_MAX_S)

    def _again(self, error: Exception, first: bool) -> None:
        # That Layer is away the client has said.
        level = logging.WARNING if first and isinstance(error, LayerError) else logging.DEBUG
        log.log(level, "trying again: %s", error)
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
