"""The database's clock is set forward and back in the middle of a job (libfaketime under PostgreSQL)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.pipelines import Service, start_pipeline_worker
from harness.postgres import Postgres
from harness.programs import Program
from harness.waiting import until

from .client import Patient, guard, vector
from .flow import Flow
from .origin_rows import rows


def library() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "libfaketime is missing: apt-get install faketime"
    return found[0]


class Clock:
    """A PostgreSQL of whose clock the test decides."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "clock"
        directory.chmod(0o755)
        self.set(0)
        self.postgres = Postgres(
            {
                "LD_PRELOAD": str(library()),
                "FAKETIME_TIMESTAMP_FILE": str(self.file),
                # Each look at the clock reads the file; what waits for a span waits for the real one.
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        )

    def set(self, seconds: int) -> None:
        """So far from the real time."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+}\n")
        new.chmod(0o644)
        new.rename(self.file)

    def now_s(self) -> float:
        return float(self.postgres.sql("SELECT extract(epoch FROM statement_timestamp())"))


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    import shutil
    import tempfile

    # PostgreSQL's own user must be able to read it.
    directory = Path(tempfile.mkdtemp(prefix="layer-clock-"))
    clock = Clock(directory)
    yield clock
    clock.postgres.remove()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def worker(router: Program, clock: Clock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    url = clock.postgres.url(clock.postgres.database())
    settings = {"state.url": url, "state.late_write_ms": 300, "upkeep.interval_ms": 50}
    program = start_pipeline_worker(router.url, tmp_path_factory.mktemp("worker"), settings)
    yield program
    program.process.kill()


@pytest.fixture(autouse=True)
def real_time(clock: Clock) -> Iterator[None]:
    clock.set(0)
    yield
    clock.set(0)


@pytest.mark.parametrize("steps", [[3600], [-7200], [3600, -3600, 1800, 0]])
def test_a_job_completes_over_steps_of_the_clock(
    steps: list[int], clock: Clock, worker: Program, origin: Program
) -> None:
    # Each step finds some to go on with.
    flow = Flow(worker, f"clock{'-'.join(map(str, steps))}".replace("--", "-"), 60 * len(steps))

    def fault() -> None:
        for step in steps:
            before = clock.now_s()
            clock.set(step)
            assert abs(clock.now_s() - before) > 1000
            done = len(flow.done)
            until(lambda done=done: len(flow.done) > done, "it goes on")

    flow.run(fault)
    flow.check(origin)


def test_leases_end_early_where_the_clock_is_set_forward(clock: Clock, worker: Program, origin: Program) -> None:
    with Service(worker) as service:
        client = Patient(service, "clock-forward")
        client.create()
        client.stage({"d": {"d-0": "one"}})
        [first] = client.claim("first", lease_ms=60_000)
        clock.set(3600)
        [second] = client.claim("second")
        assert int(second["token"]) > int(first["token"])
        assert client.put(first, client.chunks("d")) == "DOCUMENT_STATUS_STALE_TOKEN"
        assert client.put(second, client.chunks("d")) == "DOCUMENT_STATUS_DONE"
        assert rows(origin, client.name) == {"d-0": ("one", vector("one"))}


def test_tokens_and_versions_grow_where_the_clock_is_set_back(clock: Clock, worker: Program, origin: Program) -> None:
    with Service(worker) as service:
        client = Patient(service, "clock-back")
        client.create()
        versions, tokens = [], []
        for edition, step in enumerate((0, -3600, -7200)):
            clock.set(step)
            [staged] = client.stage({"d": {"d-0": f"edition {edition}", f"only-{edition}": "x"}})
            [claimed] = client.claim("w", lease_ms=60_000)
            versions.append(int(staged["version"]))
            tokens.append(int(claimed["token"]))
            assert client.call("Heartbeat", documents=[guard(claimed)])["results"][0]["status"].endswith("_DONE")
            assert client.put(claimed, client.chunks("d")) == "DOCUMENT_STATUS_DONE"
        assert versions == sorted(set(versions))
        assert tokens == sorted(set(tokens))
        wanted = {"d-0": ("edition 2", vector("edition 2")), "only-2": ("x", vector("x"))}
        until(lambda: rows(origin, client.name) == wanted, "rows of older versions go", 20)


def test_a_lease_of_before_the_clock_was_set_back_ends_in_the_end(clock: Clock, worker: Program) -> None:
    """Late by the step, and not lost: when the clock gets there the document is handed out again."""
    with Service(worker) as service:
        client = Patient(service, "clock-late")
        client.create()
        client.stage({"d": {"d-0": "one"}})
        [first] = client.claim("died", lease_ms=1000)
        clock.set(-3600)
        assert client.claim("second", wait_ms=1500) == []
        clock.set(0)
        [second] = until(lambda: client.claim("second", wait_ms=1000), "the lease is over", 20)
        assert int(second["token"]) > int(first["token"])
