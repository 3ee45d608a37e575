"""Races and background work on threads.

A call that needs no second attempt runs in its caller's thread, as it would without this package: a race only leaves a note
with the one thread that wakes when a second attempt is due.
"""

from __future__ import annotations

import contextvars
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import grpc
import httpx2
from google.protobuf.message import Message
from turbopuffer.pagination import SyncNamespacePage
from turbopuffer.types.namespace_summary import NamespaceSummary

from .._perf import LayerResponse
from .grpc_types import ChannelOptions, M, Metadata
from .sockets import Scope, ScopedTransport

T = TypeVar("T")

Listing = SyncNamespacePage[NamespaceSummary]
"""What listing namespaces answers: the first page, which iterates over all namespaces."""
MeasuredListing = LayerResponse[Listing]

CLOSE_S = 5.0
"""How long closing waits for a thread. Ended calls take no time; one that is just connecting takes its connect timeout."""


def default_transport() -> httpx2.BaseTransport:
    """A transport as the official client's own, with connections of its own."""
    return ScopedTransport()


class _Race(Generic[T]):
    """One race: its first attempt in the caller's thread, its second, if any, in a thread of its own."""

    def __init__(self, second: Callable[[], T], may_start: Callable[[], bool], good: Callable[[T], bool]) -> None:
        self._second, self._may_start, self._good = second, may_start, good
        self._lock = threading.Lock()
        self._context = contextvars.copy_context()
        self._over = False
        self.first_scope, self._second_scope = Scope(), Scope()
        self.thread: threading.Thread | None = None
        self.result: T | None = None
        self.error: BaseException | None = None
        self.won = False

    def begin_second(self) -> threading.Thread | None:
        """Starts the second attempt, if there is still something to win."""
        with self._lock:
            if self._over or not self._may_start():
                return None
            self.thread = threading.Thread(target=self._run, name="hevlayer-hedge", daemon=True)
            self.thread.start()
            return self.thread

    def _run(self) -> None:
        try:
            with self._second_scope.entered():
                self.result = self._context.run(self._second)
        except BaseException as error:
            self.error = error
            return
        with self._lock:
            if not self._over and self._good(self.result):
                self.won = True
                self.first_scope.end()

    def stop(self) -> bool:
        """No second attempt from now on; whether one has begun."""
        with self._lock:
            self._over = True
            return self.thread is not None

    def end_second(self) -> None:
        """Ends the second attempt."""
        self._second_scope.end()

    def wait_second(self) -> T:
        """The second attempt's result."""
        assert self.thread is not None
        self.thread.join()
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result


class Racer(Generic[T]):
    """Races attempts of one transport."""

    def __init__(self) -> None:
        self._alarms = _Alarms()
        self._threads: set[threading.Thread] = set()

    def race(
        self,
        first: Callable[[], T],
        second: Callable[[], T],
        delay_s: float,
        may_start: Callable[[], bool],
        good_first: Callable[[T], bool],
        good_second: Callable[[T], bool],
    ) -> tuple[T | None, T | None]:
        """Runs `first`, and after a delay `second` too if it may start; the first good result ends the other.

        Both results where none is good; one alone where the other never started, or was ended. What raises ends both.
        """
        race: _Race[T] = _Race(second, may_start, good_second)
        alarm = self._alarms.set(delay_s, lambda: self._begin(race))
        try:
            with race.first_scope.entered():
                result = first()
        except BaseException:
            race.end_second()
            raise
        finally:
            alarm.cancel()
            begun = race.stop()
        if not begun:
            return result, None
        if race.won:
            return None, race.wait_second()
        if good_first(result):
            race.end_second()
            return result, None
        return result, race.wait_second()

    def _begin(self, race: _Race[T]) -> None:
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        thread = race.begin_second()
        if thread is not None:
            self._threads.add(thread)

    def close(self) -> None:
        """Ends the thread that waits for alarms, and waits for attempts that were ended."""
        self._alarms.close()
        for thread in self._threads:
            thread.join(CLOSE_S)


class _Alarm:
    __slots__ = ("action", "cancelled")

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action
        self.cancelled = False

    def cancel(self) -> None:
        """Makes it do nothing, and lets go of what it would have done it to."""
        self.cancelled, self.action = True, _nothing


def _nothing() -> None:
    """What a cancelled alarm does."""


class _Alarms:
    """One thread that does things when their time has come. It starts with the first alarm."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._due: list[tuple[float, int, _Alarm]] = []
        self._count = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def set(self, delay_s: float, action: Callable[[], None]) -> _Alarm:
        """Does something after a delay, unless the alarm is cancelled."""
        alarm, due = _Alarm(action), time.monotonic() + delay_s
        with self._wake:
            earliest = not self._due or due < self._due[0][0]
            heapq.heappush(self._due, (due, next(self._count), alarm))
            if self._thread is None or not self._thread.is_alive():
                self._start()
            elif earliest:
                self._wake.notify()
        return alarm

    def _start(self) -> None:
        # Also in the child of a fork, where the parent's thread is not.
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="hevlayer-alarms", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (alarm := self._next()) is not None:
            if not alarm.cancelled:
                alarm.action()

    def _next(self) -> _Alarm | None:
        with self._wake:
            while not self._closed:
                while self._due and self._due[0][2].cancelled:
                    heapq.heappop(self._due)
                left = self._due[0][0] - time.monotonic() if self._due else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._due)[2]
                self._wake.wait(left)
            return None

    def close(self) -> None:
        """Ends the thread and waits for its end."""
        with self._wake:
            self._closed, thread = True, self._thread
            self._due.clear()
            self._wake.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_S)


class Background:
    """One job in the background, started again when it has ended."""

    def __init__(self, job: Callable[[], None], name: str) -> None:
        self._job = job
        self._name = name
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._scope = Scope()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts it unless it runs."""
        with self._lock:
            if self._stop.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        with self._scope.entered():
            self._job()

    def pause(self, seconds: float) -> bool:
        """Waits; False when it is time to end."""
        return not self._stop.wait(seconds)

    def close(self) -> None:
        """Ends it and waits for its end; it does not start again."""
        self._stop.set()
        self._scope.end()
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_S)


class Channel:
    """A gRPC channel."""

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None, options: ChannelOptions) -> None:
        self._make = (target, credentials, options)
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None

    def _open(self) -> grpc.Channel:
        # Made with the first call: a client that makes none has no connection and no threads of gRPC.
        with self._lock:
            if self._channel is None:
                target, credentials, options = self._make
                if credentials is None:
                    self._channel = grpc.insecure_channel(target, options)
                else:
                    self._channel = grpc.secure_channel(target, credentials, options)
            return self._channel

    def unary(
        self, method: str, request: Message, answer: type[M], timeout_s: float, metadata: Metadata
    ) -> tuple[M, Metadata]:
        """One answer, and the metadata that came before it."""
        rpc = self._open().unary_unary(method, type(request).SerializeToString, answer.FromString)
        got, call = rpc.with_call(request, timeout=timeout_s, metadata=metadata)
        return got, _pairs(call.initial_metadata())

    def collected(
        self, method: str, request: Message, answer: type[M], timeout_s: float, metadata: Metadata
    ) -> tuple[list[M], Metadata]:
        """All answers of a stream, and the metadata that came before them."""
        rpc = self._open().unary_stream(method, type(request).SerializeToString, answer.FromString)
        call = rpc(request, timeout=timeout_s, metadata=metadata)
        return list(call), _pairs(call.initial_metadata())

    def close(self) -> None:
        """Ends all calls and the connection."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


def _pairs(metadata: Any) -> Metadata:
    return tuple((key, value) for key, value in metadata or () if isinstance(value, str))
