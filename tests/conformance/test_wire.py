"""What the origin answers, the router answers.

Each case of cases/*.yaml is sent to the origin alone and through the router, in namespaces of their own, and the
answers are compared. LAYER_TEST_ORIGIN_URL and LAYER_TEST_ROUTER_URL say where they are; they may or may not stand on
the same data. cases/README.md tells how a case is written.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from wire.cases import CaseFile, build, load_all
from wire.client import Answer, send
from wire.compare import at, differences, unmet

SERVED_BY = "x-layer-served-by"
RUN = uuid.uuid4().hex[:8]


@dataclass
class Side:
    """One of the two, with the names that requests to it use. Both sides' names have one length."""

    letter: str
    url: str
    file: CaseFile
    names: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        return f"conformance-{RUN}-{self.letter}"

    def start(self) -> None:
        self.names["ns"] = f"{self.prefix}-{self.file.name}"
        for step in self.file.setup:
            self.prepare(step)

    def prepare(self, step: dict[str, Any]) -> None:
        answer = self.send(step)
        assert answer.status == step.get("status", 200), f"set-up: {answer}"

    def send(self, step: dict[str, Any]) -> Answer:
        return send(self.url, build(step, self.names, self.file.query_defaults))

    def run(self, case: dict[str, Any]) -> Answer:
        self.names["own"] = f"{self.names['ns']}-{case['name'].replace(' ', '-')}"[:110]
        for step in case.get("before", []):
            self.prepare(step)
        answer = self.send(case)
        for name, pointer in case.get("keep", {}).items():
            self.names[name] = str(at(answer, pointer))
        return anonymous(answer, self.prefix)


def anonymous(answer: Answer, prefix: str) -> Answer:
    """The answer with the same namespace names on both sides."""
    return Answer(answer.status, answer.headers, answer.body.replace(prefix.encode(), b"conformance"))


@dataclass
class Sides:
    origin: Side
    router: Side


@pytest.fixture(scope="session")
def urls() -> dict[str, str]:
    wanted = ("LAYER_TEST_ORIGIN_URL", "LAYER_TEST_ROUTER_URL")
    missing = [name for name in wanted if not os.environ.get(name)]
    assert not missing, f"{' and '.join(missing)} must say where to send the requests"
    return {name: os.environ[name] for name in wanted}


@pytest.fixture(scope="module")
def started() -> dict[str, Sides]:
    return {}


def sides_of(file: CaseFile, urls: dict[str, str], started: dict[str, Sides]) -> Sides:
    """Both sides after the file's set-up, which is made once."""
    if file.name not in started:
        sides = Sides(
            Side("o", urls["LAYER_TEST_ORIGIN_URL"], file), Side("r", urls["LAYER_TEST_ROUTER_URL"], file)
        )
        sides.origin.start()
        sides.router.start()
        started[file.name] = sides
    return started[file.name]


def all_cases() -> Iterator[Any]:
    for file in load_all():
        for case in file.cases:
            yield pytest.param(file, case, id=f"{file.name}: {case['name']}")


@pytest.mark.parametrize(("file", "case"), list(all_cases()))
def test_case(file: CaseFile, case: dict[str, Any], urls: dict[str, str], started: dict[str, Sides]) -> None:
    sides = sides_of(file, urls, started)
    origin, router = sides.origin.run(case), sides.router.run(case)
    found = [f"origin: {complaint}" for complaint in unmet(origin, case)]
    on_purpose = case.get("router")
    if on_purpose:
        found += [f"router: {complaint}" for complaint in unmet(router, on_purpose)]
    else:
        found += differences(origin, router, file.volatile)
    served_by = (on_purpose or {}).get("by", "origin")
    if router.headers.get(SERVED_BY) != served_by:
        found.append(f"router: {SERVED_BY} is {router.headers.get(SERVED_BY)!r}, expected {served_by!r}")
    assert not found, "\n".join(found)


def test_the_suite_is_as_large_as_it_says() -> None:
    assert sum(len(file.cases) for file in load_all()) >= 120
