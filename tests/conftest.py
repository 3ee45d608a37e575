"""Runs everything below this folder over real processes: `python -m pytest`, with no arguments.

The programs come from LAYER_BIN_DIR, or from where cargo puts debug builds. Suites that ask a mesh by LAYER_TEST_*
variables get one, unless a variable of theirs is set already.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import conformance, process
from harness.seaweed import Seaweed

ASKING = ("conformance", "grpc")
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The mesh that LAYER_TEST_* name."""
    if any(os.environ.get(name) for name in conformance.VARIABLES):
        yield
        return
    with conformance.started(tmp_path_factory.mktemp("mesh")) as variables:
        os.environ.update(variables)
        yield
        for name in variables:
            del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def mesh_where_asked_for(request: pytest.FixtureRequest) -> None:
    """Starts the mesh before the first test when any test asks one; other runs need none."""
    folders = {item.path.relative_to(HERE).parts[0] for item in request.session.items}
    if folders & set(ASKING):
        request.getfixturevalue("mesh")


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """A real S3 server for all tests; each has a prefix of its own in it, and who pauses it resumes it."""
    server = Seaweed(tmp_path_factory.mktemp("seaweedfs"))
    yield server
    server.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Puts the logs of the processes that run into the report of a failure."""
    report = yield
    if report.failed:
        report.sections += [(f"log of {name}", text) for name, text in process.logs() if text]
    return report


def pytest_sessionfinish() -> None:
    for left in list(process.running):
        left.kill()
