"""A doc-cache that was suspended serves nothing of before: it could not hear the holds of meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from harness.doc_cache import Cache, start_doc_cache
from harness.exposition import value
from harness.grpc import FailedCall
from harness.programs import Program
from harness.waiting import let_pass, until

LAPSE_S = 0.5
"""How old the canary's proof may be, by default."""
CALLERS = 4


@pytest.fixture
def program() -> Iterator[Program]:
    program = start_doc_cache({"proof.lapse_ms": None})
    yield program
    program.process.kill()


def suspend(program: Program, seconds: float) -> None:
    program.process.suspend()
    let_pass(seconds)
    program.process.resume()


def ask(program: Program, answers: list[tuple[str, object]]) -> None:
    with Cache(program) as cache:
        answers.extend(cache.get(b"k") for _ in range(50))


def test_nothing_of_before_is_served_after_a_suspension(program: Program) -> None:
    with Cache(program) as cache:
        cache.store(b"k", b"before")
        epoch = cache.stats().epoch
        suspend(program, 2 * LAPSE_S)
        kind, what = cache.get(b"k")
        assert kind != "hit", what
        until(lambda: cache.stats().proven, "the canary goes through again", 5)
        assert cache.get(b"k")[0] == "lease"
        assert cache.stats().epoch != epoch
        cache.store(b"k", b"after")
        assert cache.get(b"k") == ("hit", b"after")
    assert value(program.metrics(), "layer_cache_epoch_changes_total") == 1


def test_calls_that_wait_for_a_suspended_process_get_no_hit_of_before(program: Program) -> None:
    """Calls sent while it sleeps are read the moment it wakes, before its canary had a chance."""
    with Cache(program) as cache:
        for _ in range(5):
            cache.store(b"k", b"before")
            program.process.suspend()
            answers: list[tuple[str, object]] = []

            callers = [threading.Thread(target=ask, args=(program, answers)) for _ in range(CALLERS)]
            for caller in callers:
                caller.start()
            let_pass(2 * LAPSE_S)
            program.process.resume()
            for caller in callers:
                caller.join()
            assert len(answers) == CALLERS * 50
            assert ("hit", b"before") not in answers
            until(lambda: cache.stats().proven, "the canary goes through again", 5)
            cache.call("PurgeNamespace", tenant="store", namespace="ns")


def test_a_fill_under_a_lease_of_before_is_never_served(program: Program) -> None:
    with Cache(program) as cache:
        _, lease = cache.get(b"k")
        suspend(program, 2 * LAPSE_S)
        until(lambda: cache.stats().proven, "the canary goes through again", 5)
        cache.fill(b"k", lease, b"stale")
        assert cache.get(b"k")[0] == "lease"


def test_a_short_nap_costs_nothing() -> None:
    # Short beside the lapse, however late a busy machine wakes it.
    program = start_doc_cache({"proof.lapse_ms": 5000})
    with Cache(program) as cache:
        cache.store(b"k", b"before")
        suspend(program, 0.1)

        def served() -> bool:
            try:
                return cache.get(b"k") == ("hit", b"before")
            except FailedCall:
                return False

        until(served, "the value is served again", 5)
    assert value(program.metrics(), "layer_cache_epoch_changes_total") == 0
    program.process.kill()
