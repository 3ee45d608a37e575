"""What became of each test of a suite, and how two runs of it, or a run and what is known, may differ."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

KNOWN_FAILURES_FILE = Path(__file__).with_name("known_failures.toml")


@dataclass(frozen=True)
class Outcome:
    outcome: str
    """`passed`, `failed` or `skipped`."""
    message: str = ""
    """The first line of the error, if there is one."""


Results = dict[str, Outcome]


class Skipped(Exception):
    """A suite that cannot be run here; the text says why."""


def known_failures(suite: str) -> dict[str, str]:
    """The tests of a suite that the stand-in is known to fail, each with the reason."""
    return tomllib.loads(KNOWN_FAILURES_FILE.read_text(encoding="utf-8"))[suite]


def passed(results: Results) -> int:
    return sum(result.outcome == "passed" for result in results.values())


def unexpected(suite: str, results: Results, least_passed: int) -> list[str]:
    """What in a run differs from what is known: too few passes, a new failure, a known failure that passes."""
    known = known_failures(suite)
    complaints = [
        f"{name}: {result.outcome}, expected to pass: {result.message}"
        for name, result in results.items()
        if result.outcome != "passed" and name not in known
    ]
    for name in known:
        if name not in results:
            complaints.append(f"{name}: listed in {KNOWN_FAILURES_FILE.name}, but there is no such test")
        elif results[name].outcome == "passed":
            complaints.append(f"{name}: passes; take it off {KNOWN_FAILURES_FILE.name}")
    if passed(results) < least_passed:
        complaints.append(f"{passed(results)} of {len(results)} pass, at least {least_passed} must")
    return complaints


def differences(origin: Results, router: Results) -> list[str]:
    """The tests whose outcome through the router is not the outcome on the origin alone."""
    missing = Outcome("not run")
    return [
        f"{name}: {before.outcome} on the origin, {after.outcome} through the router: {after.message or before.message}"
        for name in sorted(origin.keys() | router.keys())
        if (before := origin.get(name, missing)).outcome != (after := router.get(name, missing)).outcome
    ]
