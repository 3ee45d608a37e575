"""Races and background work on asyncio."""

from __future__ import annotations

import asyncio
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

T = TypeVar("T")

Page = AsyncNamespacePage[NamespaceSummary]
Listing = AsyncPaginator[NamespaceSummary, Page]
"""What listing namespaces answers: awaited the first page, iterated all namespaces."""
MeasuredListing = Coroutine[Any, Any, LayerResponse[Page]]


def default_transport() -> httpx2.AsyncBaseTransport:
    """A transport as the official client's own, with connections of its own."""
    return DefaultAsyncHttpxClient()._transport


class Racer(Generic[T]):
    """Races attempts of one transport."""

    async def race(
        self,
        first: Callable[[], Awaitable[T]],
        second: Callable[[], Awaitable[T]],
        delay_s: float,
        may_start: Callable[[], bool],
        good_first: Callable[[T], bool],
        good_second: Callable[[T], bool],
    ) -> tuple[T | None, T | None]:
        """Runs `first`, and after a delay `second` too if it may start; the first good result ends the other.

        Both results where none is good; one alone where the other never started, or was ended. What raises ends both.
        """
        return await _Race(second, may_start, good_second).run(first, delay_s, good_first)

    async def aclose(self) -> None:
        """Nothing to do: a race ends what it has begun."""


class _Race(Generic[T]):
    """One race: its first attempt in the caller's task, its second, if any, in a task of its own.

    Most reads need no second attempt, and a task for each of them would cost as much as all else of this package. So the
    first attempt is ended as `asyncio.timeout` ends what takes too long: the caller's task is cancelled, and the cancellation
    taken back.
    """

    def __init__(
        self, second: Callable[[], Awaitable[T]], may_start: Callable[[], bool], good: Callable[[T], bool]
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._second, self._may_start, self._good = second, may_start, good
        self._two: asyncio.Future[T] | None = None
        self._over = self._won = False

    async def run(
        self, first: Callable[[], Awaitable[T]], delay_s: float, good_first: Callable[[T], bool]
    ) -> tuple[T | None, T | None]:
        """Both results, as `Racer.race` says."""
        alarm = self._task.get_loop().call_later(delay_s, self._begin)
        try:
            one = await first()
            self._over = True
            if self._two is None or (good_first(one) and not self._won):
                return one, None
            if self._won:
                # It ended in the same moment, and nobody has taken the cancellation yet.
                self._task.uncancel()
                return None, self._two.result()
            await asyncio.wait({self._two})
            return one, self._two.result()
        except asyncio.CancelledError:
            # By the second attempt, or by the caller too?
            if self._won and self._two is not None and self._task.uncancel() <= self._cancelling:
                return None, self._two.result()
            raise
        finally:
            self._over = True
            alarm.cancel()
            if self._two is not None:
                await _end(self._two)

    def _begin(self) -> None:
        if not self._over and self._may_start():
            self._two = asyncio.ensure_future(self._second())
            self._two.add_done_callback(self._second_done)

    def _second_done(self, two: asyncio.Future[T]) -> None:
        if self._over or two.cancelled() or two.exception() is not None:
            return
        if self._good(two.result()):
            self._over = self._won = True
            self._task.cancel()


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

    def start(self) -> None:
        """Starts it unless it runs, in the loop that is running."""
        task = self._task
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            self._task = asyncio.ensure_future(self._job())

    async def pause(self, seconds: float) -> bool:
        """Waits; False when it is time to end."""
        await asyncio.sleep(seconds)
        return True

    async def aclose(self) -> None:
        """Ends it and waits for its end."""
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
