"""Races of two attempts on threads, without any network."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from hevlayer._runtime.threads import Racer


def racer(first: Callable[[int], str], second: Callable[[int], str], delay_s: float = 0.01) -> Racer[int, str]:
    return Racer(first, second, lambda: delay_s, lambda _: True, lambda _: True, lambda _: True)


def waits_for(asked: threading.Event) -> Callable[[int], str]:
    return lambda _: "first" if asked.wait(10) else "nobody came"


def says(asked: threading.Event) -> Callable[[int], str]:
    def say(_: int) -> str:
        asked.set()
        return "second"

    return say


def test_a_child_of_a_fork_races_too() -> None:
    asked = threading.Event()
    made = racer(waits_for(asked), says(asked))
    made.race(0)
    held, over = threading.Event(), threading.Event()

    def holds() -> None:
        with made._watch._wake:
            held.set()
            over.wait(10)

    # As the thread that waits may in the moment of the fork.
    holder = threading.Thread(target=holds)
    holder.start()
    assert held.wait(10)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(5)
        asked.clear()
        try:
            made.race(1)
        finally:
            os._exit(0 if asked.is_set() else 1)
    over.set()
    holder.join()
    assert os.waitpid(child, 0)[1] == 0
    made.close()


def test_a_shorter_delay_is_not_waited_for_behind_a_longer_one() -> None:
    delays = iter([60.0, 0.01])
    asked, both = threading.Event(), threading.Barrier(2)

    def first(call: int) -> str:
        both.wait(10)
        return waits_for(asked)(call)

    made = racer(first, says(asked))
    made._delay_s = lambda: next(delays)
    callers = [threading.Thread(target=made.race, args=(each,)) for each in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    assert asked.is_set()
    made.close()


def test_without_threads_the_first_attempt_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    refused = threading.Event()
    start = threading.Thread.start

    def no_more(thread: threading.Thread) -> None:
        if thread.name == "hevlayer-hedge":
            refused.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", no_more)
    made = racer(waits_for(refused), says(asked))
    for call in range(2):
        assert made.race(call) == ("first", None)
        assert refused.is_set() and not asked.is_set()
        refused.clear()
    made.close()


def test_what_is_over_is_let_go() -> None:
    made = racer(lambda _: "first", lambda _: "second", delay_s=60.0)
    for call in range(10):
        assert made.race(call) == ("first", None)
    assert [(race.call, race.context) for race in made._watch._races] == [(None, None)] * 10
    made.close()
