"""Races and background work on asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

import grpc
import grpc.aio
import httpx2
from google.protobuf.message import Message
from turbopuffer import DefaultAsyncHttpxClient
from turbopuffer._base_client import AsyncPaginator
from turbopuffer.pagination import AsyncNamespacePage
from turbopuffer.types.namespace_summary import NamespaceSummary

from .._perf import LayerResponse
from .grpc_types import ChannelOptions, M, Metadata

C = TypeVar("C")
T = TypeVar("T")

Page = AsyncNamespacePage[NamespaceSummary]
Listing = AsyncPaginator[NamespaceSummary, Page]
"""What listing namespaces answers: awaited the first page, iterated all namespaces."""
MeasuredListing = Coroutine[Any, Any, LayerResponse[Page]]


def default_transport() -> httpx2.AsyncBaseTransport:
    """A transport as the official client's own, with connections of its own."""
    return DefaultAsyncHttpxClient()._transport


class Racer(Generic[C, T]):
    """Races two attempts at each call: `first`, and after a delay `second` too if it may start.

    The first good result ends the other.
    """

    def __init__(
        self,
        first: Callable[[C], Awaitable[T]],
        second: Callable[[C], Awaitable[T]],
        delay_s: Callable[[], float],
        may_start: Callable[[C], bool],
        good_first: Callable[[T], bool],
        good_second: Callable[[T], bool],
    ) -> None:
        self._first, self._second, self._delay_s = first, second, delay_s
        self._may_start, self._good_first, self._good_second = may_start, good_first, good_second
        self._watch: _Watch[T] | None = None

    async def race(self, call: C) -> tuple[T | None, T | None]:
        """Both results where none is good; one alone where the other never started, or was ended. What raises ends both.

        Most reads need no second attempt, and a task for each of them would cost as much as all else of this package. So the
        first attempt runs in the caller's task, and is ended as `asyncio.timeout` ends what takes too long: the caller's task is
        cancelled, and the cancellation taken back.
        """
        race = self._begun(call)
        try:
            one = await self._first(call)
            race.over = True
            two = race.two
            if two is None or (self._good_first(one) and not race.won):
                return one, None
            if race.won:
                # It ended in the same moment, and nobody has taken the cancellation yet.
                race.task.uncancel()
                return None, two.result()
            await asyncio.wait({two})
            return one, two.result()
        except asyncio.CancelledError:
            # By the second attempt, or by the caller too?
            if race.won and race.two is not None and race.task.uncancel() <= race.cancelling:
                return None, race.two.result()
            raise
        finally:
            two = race.two
            race.end()
            if two is not None:
                await _end(two)

    def _begun(self, call: C) -> _Race[T]:
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        race: _Race[T] = _Race(call, task, loop.time() + self._delay_s())
        watch = self._watch
        if watch is None or watch.loop is not loop:
            watch = self._watch = _Watch(loop, self._begin_second)
        watch.add(race)
        return race

    def _begin_second(self, race: _Race[T]) -> None:
        if race.over or not self._may_start(race.call):
            return

        def done(two: asyncio.Future[T]) -> None:
            if race.over or two.cancelled() or two.exception() is not None:
                return
            if self._good_second(two.result()):
                race.over = race.won = True
                race.task.cancel()

        # In its caller's context: a span of it belongs to the caller's.
        race.two = race.context.run(asyncio.ensure_future, self._second(race.call))
        race.two.add_done_callback(done)

    async def aclose(self) -> None:
        """Ends the timer; a race ends what it has begun."""
        if self._watch is not None:
            self._watch.close()


class _Race(Generic[T]):
    """One race."""

    __slots__ = ("call", "cancelling", "context", "due", "over", "task", "two", "won")

    def __init__(self, call: Any, task: Any, due: float) -> None:
        self.call, self.task, self.due = call, task, due
        self.context: Any = contextvars.copy_context()
        self.cancelling: int = task.cancelling()
        self.two: asyncio.Future[T] | None = None
        self.over = self.won = False

    def end(self) -> None:
        """Lets go of all: it is watched until it would have been due."""
        self.over, self.call, self.task, self.context, self.two = True, None, None, None, None


class _Watch(Generic[T]):
    """The races of one loop, which nearly all end before they are due: so one timer watches over all of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, begin: Callable[[_Race[T]], None]) -> None:
        self.loop = loop
        self._begin = begin
        # The timer is nobody's: it must not keep what the caller who set it first has in its context.
        self._context = contextvars.Context()
        self._races: list[_Race[T]] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._due = math.inf

    def add(self, race: _Race[T]) -> None:
        """Begins the second attempt when the race is due, unless it is over."""
        self._races.append(race)
        if race.due < self._due:
            self._set(race.due)

    def _set(self, due: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._due = due
        self._alarm = self.loop.call_at(due, self._look, context=self._context)

    def _look(self) -> None:
        self._alarm, self._due, now = None, math.inf, self.loop.time()
        races, self._races = self._races, []
        for race in races:
            if race.over:
                continue
            if race.due <= now:
                self._begin(race)
            else:
                self.add(race)

    def close(self) -> None:
        """Forgets all."""
        self._races.clear()
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._due = None, math.inf


async def _end(attempt: asyncio.Future[T]) -> None:
    if not attempt.done():
        attempt.cancel()
        await asyncio.wait({attempt})
    # An error that nobody asks for would be logged as lost.
    if not attempt.cancelled():
        attempt.exception()


class Background:
    """One job in the background, started again when it has ended."""

    def __init__(self, job: Callable[[], Awaitable[None]], name: str) -> None:
        self._job = job
        self._name = name
        self._task: asyncio.Future[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Starts it unless it runs, in the loop that is running."""
        task = self._task
        if self._closed:
            return
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            self._task = asyncio.ensure_future(self._job())

    async def pause(self, seconds: float) -> bool:
        """Waits; False when it is time to end."""
        await asyncio.sleep(seconds)
        return True

    async def aclose(self) -> None:
        """Ends it and waits for its end; it does not start again."""
        self._closed = True
        task, self._task = self._task, None
        if task is not None and not task.get_loop().is_closed():
            task.cancel()
            await asyncio.wait([task])


class Channel:
    """A gRPC channel."""

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None, options: ChannelOptions) -> None:
        self._make = (target, credentials, options)
        self._channel: grpc.aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def _open(self) -> grpc.aio.Channel:
        # Made with the first call, in the loop that the call runs in.
        loop = asyncio.get_running_loop()
        if self._channel is None or self._loop is not loop:
            target, credentials, options = self._make
            if credentials is None:
                self._channel = grpc.aio.insecure_channel(target, options)
            else:
                self._channel = grpc.aio.secure_channel(target, credentials, options)
            self._loop = loop
        return self._channel

    async def unary(
        self, method: str, request: Message, answer: type[M], timeout_s: float, metadata: Metadata
    ) -> tuple[M, Metadata]:
        """One answer, and the metadata that came before it."""
        rpc = self._open().unary_unary(method, type(request).SerializeToString, answer.FromString)
        call = rpc(request, timeout=timeout_s, metadata=metadata)
        return await call, _pairs(await call.initial_metadata())

    async def collected(
        self, method: str, request: Message, answer: type[M], timeout_s: float, metadata: Metadata
    ) -> tuple[list[M], Metadata]:
        """All answers of a stream, and the metadata that came before them."""
        rpc = self._open().unary_stream(method, type(request).SerializeToString, answer.FromString)
        call = rpc(request, timeout=timeout_s, metadata=metadata)
        return [each async for each in call], _pairs(await call.initial_metadata())

    async def aclose(self) -> None:
        """Ends all calls and the connection."""
        channel, self._channel = self._channel, None
        if channel is not None and self._loop is asyncio.get_running_loop():
            await channel.close()


def _pairs(metadata: Any) -> Metadata:
    return tuple((key, value) for key, value in metadata or () if isinstance(value, str))
