"""Races and background work on threads.

A call that needs no second attempt runs in its caller's thread, as it would without this package: a race only leaves a note
with the one thread that wakes when a second attempt is due.
"""

from __future__ import annotations

import contextvars
import math
import os
import threading
import time
import weakref
from collections import deque
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

C = TypeVar("C")
T = TypeVar("T")

Listing = SyncNamespacePage[NamespaceSummary]
"""What listing namespaces answers: the first page, which iterates over all namespaces."""
MeasuredListing = LayerResponse[Listing]

IDLE_S = 5.0
"""How long the thread that waits for races to be due stays when there are none."""
CLOSE_S = 5.0
"""How long closing waits for a thread. Ended calls take no time; one that is just connecting takes its connect timeout."""


def default_transport() -> httpx2.BaseTransport:
    """A transport as the official client's own, with connections of its own."""
    return ScopedTransport()


def _started(work: Callable[..., None], name: str, *arguments: Any) -> threading.Thread | None:
    """A thread that works; None where the process can have no more, or is about to end: calls go on without it."""
    thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


class Racer(Generic[C, T]):
    """Races two attempts at each call: `first`, and after a delay `second` too if it may start.

    The first good result ends the other.
    """

    def __init__(
        self,
        first: Callable[[C], T],
        second: Callable[[C], T],
        delay_s: Callable[[], float],
        may_start: Callable[[C], bool],
        good_first: Callable[[T], bool],
        good_second: Callable[[T], bool],
    ) -> None:
        self._first, self._second, self._delay_s = first, second, delay_s
        self._may_start, self._good_first, self._good_second = may_start, good_first, good_second
        self._watch: _Watch[T] = _Watch(self._begin_second)
        self._threads: set[threading.Thread] = set()

    def race(self, call: C) -> tuple[T | None, T | None]:
        """Both results where none is good; one alone where the other never started, or was ended. What raises ends both."""
        race: _Race[T] = _Race(call, time.monotonic() + self._delay_s())
        self._watch.add(race)
        try:
            with race.first_scope:
                result = self._first(call)
        except BaseException:
            race.end()
            race.end_second()
            raise
        thread = race.end()
        if thread is None:
            return result, None
        if race.won or not self._good_first(result):
            thread.join()
            return None if race.won else result, race.second_result()
        race.end_second()
        return result, None

    def _begin_second(self, race: _Race[T]) -> None:
        with race.lock:
            if race.over or not self._may_start(race.call):
                return
            scope = Scope()
            thread = _started(self._run, "hevlayer-hedge", race, race.call, race.context, scope)
            if thread is None:
                return
            race.thread, race.second_scope = thread, scope
            self._threads = {each for each in self._threads if each.is_alive()} | {thread}

    def _run(self, race: _Race[T], call: C, context: contextvars.Context, scope: Scope) -> None:
        try:
            with scope:
                result = race.result = context.run(self._second, call)
        except BaseException as error:
            race.error = error
            return
        with race.lock:
            if not race.over and self._good_second(result):
                race.won = True
                race.first_scope.end()

    def close(self) -> None:
        """Ends the thread that waits, and waits for attempts that were ended."""
        self._watch.close()
        for thread in self._threads:
            thread.join(CLOSE_S)


class _Race(Generic[T]):
    """One race: its first attempt in the caller's thread, its second, if any, in a thread of its own."""

    thread: threading.Thread | None = None
    second_scope: Scope | None = None
    result: T | None = None
    error: BaseException | None = None
    over = won = False

    def __init__(self, call: Any, due: float) -> None:
        self.call, self.due = call, due
        self.context: Any = contextvars.copy_context()
        self.lock = threading.Lock()
        self.first_scope = Scope()

    def end(self) -> threading.Thread | None:
        """No second attempt from now on; its thread, if it has begun. It is watched until it would have been due."""
        with self.lock:
            self.over, self.call, self.context = True, None, None
            return self.thread

    def end_second(self) -> None:
        """Ends the second attempt, if there is one."""
        if self.second_scope is not None:
            self.second_scope.end()

    def second_result(self) -> T:
        """What the second attempt has answered; raises what it has raised."""
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result


class _Watch(Generic[T]):
    """The races of one transport, which nearly all end before they are due: so one thread watches over all of them.

    It starts with the first race, and ends when there has been none for a while: who forgets to close a client leaves no thread.
    """

    def __init__(self, begin: Callable[[_Race[T]], None]) -> None:
        self._begin = begin
        self._reset()
        _watches.add(self)

    def _reset(self) -> None:
        self._wake = threading.Condition()
        self._races: deque[_Race[T]] = deque()
        self._thread: threading.Thread | None = None
        self._looks_at = math.inf
        self._closed = False

    def add(self, race: _Race[T]) -> None:
        """Begins the second attempt when the race is due, unless it is over."""
        # Without the lock, in this order: the thread says when it looks again before it looks.
        self._races.append(race)
        if race.due < self._looks_at:
            self._rouse()

    def _rouse(self) -> None:
        with self._wake:
            self._closed, self._looks_at = False, -math.inf
            if self._thread is None:
                self._thread = _started(self._run, "hevlayer-hedges")
            if self._thread is None:
                self._looks_at = math.inf
                self._races.clear()
            self._wake.notify()

    def _run(self) -> None:
        while self._waited():
            self._look()

    def _waited(self) -> bool:
        """Waits until a race may be due; False where the thread is to end."""
        with self._wake:
            if not self._closed and self._looks_at > time.monotonic():
                idle = self._looks_at == math.inf
                self._wake.wait(IDLE_S if idle else self._looks_at - time.monotonic())
                self._closed = self._closed or (idle and self._looks_at == math.inf)
            if self._closed:
                self._thread, self._looks_at = None, math.inf
                return False
            self._looks_at = math.inf
            return True

    def _look(self) -> None:
        """Begins what is due, and forgets what is over."""
        now, earliest = time.monotonic(), math.inf
        for _ in range(len(self._races)):
            race = self._races.popleft()
            if race.over:
                continue
            if race.due <= now:
                self._begin(race)
                continue
            earliest = min(earliest, race.due)
            self._races.append(race)
        with self._wake:
            self._looks_at = min(self._looks_at, earliest)

    def close(self) -> None:
        """Ends the thread and waits for its end."""
        with self._wake:
            self._closed, thread = True, self._thread
            self._races.clear()
            self._wake.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_S)


_watches: weakref.WeakSet[_Watch[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    # The threads of the parent are not here, and one may have held a lock.
    for watch in list(_watches):
        watch._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


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
            self._thread = _started(self._run, self._name)

    def _run(self) -> None:
        with self._scope:
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
