"""The real mesh: the router, its cache and its queues, over the stand-in for Turbopuffer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from harness import process
from harness.pipelines import start_pipeline_worker
from harness.ports import free_port
from harness.programs import Program, start_stand_in
from harness.waiting import until
from hevlayer import Hevlayer, LayerError, LayerUnavailable
from mesh.parts import UNHURRIED, Mesh


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The stand-in for Turbopuffer."""
    program = start_stand_in(tmp_path_factory.mktemp("origin"))
    yield program
    program.process.kill()


@pytest.fixture(scope="session")
def mesh(origin: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """All of it; nobody ends a part of this one."""
    made = Mesh(origin, tmp_path_factory.mktemp("mesh"), cache=True)
    worker_port = free_port()
    made.start({"pipelines.addresses": f"127.0.0.1:{worker_port}"})
    worker = start_pipeline_worker(made.url, tmp_path_factory.mktemp("queues"), port=worker_port)
    until(lambda: pipelines_answer(made), "the router has found pipeline-worker")
    yield made
    worker.process.kill()
    made.stop()


def pipelines_answer(mesh: Mesh) -> bool:
    """Whether the router hands calls of pipelines over."""
    with mesh.client(settings=UNHURRIED) as client:
        try:
            client.list_pipelines()
        except LayerUnavailable:
            return False
        except LayerError as error:
            assert error.reason == "PIPELINE_WORKER_UNAVAILABLE"
            return False
    return True


@pytest.fixture
def mortal(origin: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A router and a cache of the test's own, which it may end."""
    made = Mesh(origin, tmp_path_factory.mktemp("mortal"), cache=True)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def namespace() -> str:
    """A name that nobody else has."""
    return f"n-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def client(mesh: Mesh) -> Iterator[Hevlayer]:
    """A client of the whole mesh."""
    with mesh.client(settings=UNHURRIED) as made:
        yield made


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
