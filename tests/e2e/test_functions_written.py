"""Functions that begin with a write: the router tells pipeline-worker what was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from harness.doc_cache import start_doc_cache
from harness.functions import DONE, Function, Table, number
from harness.pipelines import FUNCTIONS, Service, start_pipeline_worker
from harness.ports import free_port
from harness.programs import Program, start_router, start_stand_in
from harness.waiting import let_pass, until


class Mesh:
    """Origin, router, pipeline-worker, and a document cache where there is to be one."""

    def __init__(self, stack: ExitStack, directory: pytest.TempPathFactory, cached: bool) -> None:
        self.directory = directory.mktemp("written")
        self.origin = self._kept(stack, start_stand_in(self.directory / "origin"))
        self.port = free_port()
        settings = {"pipelines.addresses": f"127.0.0.1:{self.port}"}
        if cached:
            settings |= {"cache.addresses": self._kept(stack, start_doc_cache()).address, "cache.tenant": "store"}
        self.router = self._kept(stack, start_router(self.origin.url, settings))
        self.start()
        stack.callback(lambda: self.worker.process.kill())

    @staticmethod
    def _kept(stack: ExitStack, program: Program) -> Program:
        stack.callback(program.process.kill)
        return program

    def start(self) -> None:
        place = {"listen.address": f"127.0.0.1:{self.port}", "functions.poll_ms": 50, "functions.triggers_ms": 100}
        self.worker = start_pipeline_worker(self.router.url, self.directory / "state", place)
        self.worker.port = self.port

    def notes(self) -> float:
        """Writes that the router has noted."""
        lines = self.router.metrics().splitlines()
        counts = [line.split()[1] for line in lines if line.startswith("layer_function_write_notes_total")]
        return sum(map(float, counts))

    def function(self, table: Table, service: Service, **spec: object) -> Function:
        """A function that is told of writes, and has been told of the first."""
        function = Function(service, table.name)
        own = {"target_namespaces": [table.name], "inputs": ["title"], "triggers": ["TRIGGER_WRITE"]}
        function.call("CreateFunction", spec=own | spec)

        def noted() -> bool:
            before = self.notes()
            table.put({"id": 1, "title": "one"})
            return self.notes() > before

        until(noted, "the router learns what is wanted", 20)
        until(lambda: function.counts()["ready"] == 1, "the row comes")
        return function


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with ExitStack() as stack:
        yield Mesh(stack, tmp_path_factory, cached=True)


@pytest.fixture
def service(mesh: Mesh) -> Iterator[Service]:
    with Service(mesh.worker, FUNCTIONS) as one:
        yield one


@pytest.fixture
def table(request: pytest.FixtureRequest, mesh: Mesh) -> Table:
    return Table(request.node.name[-60:], mesh.router, mesh.origin)


def claimed(function: Function, count: int) -> list[dict[str, object]]:
    items: list[dict[str, object]] = []

    def come() -> bool:
        items.extend(function.claim(wait_ms=500))
        return len(items) >= count

    until(come, f"{count} rows come", 20)
    return sorted(items, key=number)


def found(function: Function, row: int) -> None:
    """Waits for a row, among others that may have been written more than once."""
    until(lambda: row in map(number, function.claim(wait_ms=500)), f"row {row} comes", 20)


def test_what_is_written_is_done(mesh: Mesh, table: Table, service: Service) -> None:
    function = mesh.function(table, service)
    assert [number(item) for item in claimed(function, 1)] == [1]
    table.put({"id": 2, "title": "two"}, {"id": 3, "title": "three"})
    table.write(patch_rows=[{"id": 2, "title": "deux"}])
    items = claimed(function, 2)
    assert [number(item) for item in items] == [2, 3]
    # Writes are told in their order: with the fifth row's, whatever was written to the second has been told too.
    table.put({"id": 5, "title": "five"})
    items += claimed(function, 1)
    assert [number(item) for item in items] == [2, 3, 5]
    assert function.complete(items, topic="x") == [DONE] * 3
    # A write by filter names no rows; the origin's answer does.
    table.write(patch_by_filter={"filters": ["title", "Eq", "three"], "patch": {"title": "trois"}})
    [again] = claimed(function, 1)
    assert (number(again), again["input"]) == (3, {"title": {"string_value": "trois"}})
    # The function's own results are told to nobody: it would never end.
    assert function.complete([again], title="TROIS") == [DONE]
    table.put({"id": 4, "title": "four"})
    assert [number(item) for item in claimed(function, 1)] == [4]


def test_what_was_written_while_nobody_listened_is_searched_for(mesh: Mesh, table: Table, service: Service) -> None:
    schedule = {"discovery_interval_ms": 3_600_000}
    function = mesh.function(table, service, triggers=["TRIGGER_WRITE", "TRIGGER_DISCOVERY"], schedule=schedule)
    function.complete(claimed(function, 1), topic="x")
    mesh.worker.process.kill()
    table.put({"id": 7, "title": "seven"})
    let_pass(0.5)
    mesh.start()
    with Service(mesh.worker, FUNCTIONS) as again:
        found(Function(again, table.name), 7)


def test_without_a_cache_a_search_follows(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ExitStack() as stack:
        mesh = Mesh(stack, tmp_path_factory, cached=False)
        table = Table("uncached", mesh.router, mesh.origin)
        schedule = {"discovery_interval_ms": 3_600_000}
        with Service(mesh.worker, FUNCTIONS) as service:
            triggers = ["TRIGGER_WRITE", "TRIGGER_DISCOVERY"]
            function = mesh.function(table, service, triggers=triggers, schedule=schedule)
            function.complete(claimed(function, 1), topic="x")
            table.put({"id": 2, "title": "two"})
            found(function, 2)
