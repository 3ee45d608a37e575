"""Fixtures of the end-to-end tests: a scripted origin, and routers that are gone when their test is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.doc_cache import start_doc_cache
from harness.origin import FakeOrigin
from harness.pipelines_http import PipelinesMesh
from harness.programs import Program, start_mesh, start_router, start_stand_in

StartRouter = Callable[..., Program]


@pytest.fixture(scope="module")
def module_origin() -> Iterator[FakeOrigin]:
    origin = FakeOrigin()
    yield origin
    origin.stop()


@pytest.fixture(scope="module")
def module_router(module_origin: FakeOrigin, request: pytest.FixtureRequest) -> Iterator[Program]:
    """A router that a file's tests share; ROUTER_SETTINGS of the file are its settings."""
    router = start_router(module_origin.url, getattr(request.module, "ROUTER_SETTINGS", {}))
    yield router
    router.stop()


@pytest.fixture
def origin(module_origin: FakeOrigin) -> Iterator[FakeOrigin]:
    """The scripted origin, as new for each test."""
    module_origin.reset()
    yield module_origin
    module_origin.reset()


@pytest.fixture
def router(origin: FakeOrigin, module_router: Program) -> Iterator[Program]:
    """The file's router, in front of `origin`; it must live on after every test."""
    yield module_router
    assert module_router.process.exit_code is None, module_router.process.log


@pytest.fixture
def start(origin: FakeOrigin) -> Iterator[StartRouter]:
    """Starts routers of the test's own: `start({"limits.requests_max": 2})`, in front of `origin` or another URL."""
    with ExitStack() as stack:

        def start_one(settings: dict[str, Any] | None = None, url: str | None = None, ready: bool = True) -> Program:
            program = start_router(url or origin.url, settings, ready)
            stack.callback(program.process.kill)
            return program

        yield start_one


@pytest.fixture
def doc_cache(request: pytest.FixtureRequest) -> Iterator[Program]:
    """A cache of the test's own, with the settings of an indirect parameter."""
    program = start_doc_cache(getattr(request, "param", None))
    yield program
    program.process.kill()


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[Program]:
    """A stand-in for Turbopuffer of the test's own."""
    program = start_stand_in(tmp_path / "origin")
    yield program
    program.process.kill()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts `layer up` on the test's data directory, also more than once."""
    with ExitStack() as stack:

        def start_one(*more: str, env: dict[str, str] | None = None) -> Program:
            program = start_mesh(tmp_path / "mesh", env, *more)
            stack.callback(program.process.kill)
            return program

        yield start_one


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PipelinesMesh]:
    """Stand-in, router and pipeline-worker."""
    origin = start_stand_in(tmp_path_factory.mktemp("origin"))
    mesh = PipelinesMesh(origin, tmp_path_factory.mktemp("worker"))
    yield mesh
    mesh.stop()
    origin.process.kill()
