"""What all tests use."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis  # noqa: F401  (its pytest plugin would import it at the end, in the middle of a report)
import pytest
from halves import Loop, Threads

from fakes import Pair

for name in list(os.environ):
    # A developer's own settings must not change a test.
    if name.startswith(("LAYER_GATEWAY_", "TURBOPUFFER_")):
        del os.environ[name]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Layer and Turbopuffer."""
    made = Pair()
    yield made
    made.stop()


@pytest.fixture(params=[Threads, Loop], ids=lambda kind: kind.name)
def half(request: pytest.FixtureRequest) -> Iterator[Threads | Loop]:
    """Each half of the package in turn."""
    made = request.param()
    yield made
    made.end()
