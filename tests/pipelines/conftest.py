"""Fixtures of the pipelines' tests: a stand-in for Turbopuffer, a router, a PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.postgres import Postgres
from harness.programs import Program, start_router, start_stand_in


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = start_stand_in(tmp_path_factory.mktemp("origin"))
    yield program
    program.process.kill()


@pytest.fixture(scope="session")
def router(origin: Program) -> Iterator[Program]:
    program = start_router(origin.url)
    yield program
    program.process.kill()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """For all tests that leave it as it was."""
    cluster = Postgres()
    yield cluster
    cluster.remove()
