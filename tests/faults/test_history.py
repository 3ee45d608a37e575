"""The judge of histories can tell right from wrong."""

from __future__ import annotations

from .history import ABSENT, Fetch, Write, stale


def write(version: int, start: float, end: float, *, acknowledged: bool = True, shows: int | None = None) -> Write:
    return Write("k", version, version if shows is None else shows, start, end, acknowledged)


def fetch(shows: int, start: float, end: float) -> Fetch:
    return Fetch("k", shows, start, end, 0, "hit")


def test_a_fetch_after_the_acknowledgement_shows_the_write() -> None:
    assert not stale([write(1, 0, 1), write(2, 2, 3)], [fetch(2, 4, 5)])
    assert stale([write(1, 0, 1), write(2, 2, 3)], [fetch(1, 4, 5)])


def test_a_fetch_beside_a_write_may_show_either() -> None:
    history = [write(1, 0, 1), write(2, 2, 4)]
    assert not stale(history, [fetch(1, 3, 5), fetch(2, 3, 5), fetch(1, 1.5, 1.6)])
    assert stale(history, [fetch(2, 1.5, 1.6)]), "from the future"


def test_a_write_of_unknown_outcome_may_show_or_not() -> None:
    history = [write(1, 0, 1), write(2, 2, 3, acknowledged=False)]
    assert not stale(history, [fetch(1, 9, 10), fetch(2, 9, 10)])
    assert stale(history, [fetch(3, 9, 10)])


def test_absence_is_a_state_like_any_other() -> None:
    history = [write(1, 0, 1), write(2, 2, 3, shows=ABSENT)]
    assert not stale(history, [fetch(ABSENT, 4, 5)])
    assert stale(history, [fetch(1, 4, 5)]), "a deleted row came back"
    assert not stale([], [fetch(ABSENT, 0, 1)])
    assert stale([write(1, 0, 1)], [fetch(ABSENT, 4, 5)]), "remembered absence"
