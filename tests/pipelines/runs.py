"""Runs of one job that may be compared: without faults, and with a crash at a point."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from harness.functions import Table
from harness.pipelines import FUNCTIONS, PIPELINES, Service
from harness.postgres import Postgres
from harness.programs import Program
from harness.waiting import let_pass

from .client import Patient
from .crash import Crashing
from .function_job import FunctionJob, PatientFunction
from .job import STAGES, Job
from .origin_rows import rows
from .stored import keys, objects, state_rows

AT_ONCE = 6
"""Jobs that run side by side: they mostly wait for leases and graces."""
SETTLED_S = 15.0
LATE_S = 5.0
"""What a step does can be seen before the process notes that it is past it."""
OWED_S = 150.0
"""Whoever takes a deletion at the origin has two minutes for it, and dies with it."""
OF_OWED = ("outdated.", "state.cleanups.", "state.queues_by_id.", "state.cleaned.")
"""The points between the two."""
ON_A_SERVER = {"state.statement_timeout_ms": 200, "state.body_grace_ms": 4000}
"""A server that others use too is slower at times."""

Outcome = dict[str, Any]


def known(listed: list[str]) -> set[str]:
    """The points of a list of crashes."""
    return {point.rsplit(":", 1)[0] for point in listed}


class Runs:
    """What all jobs have in common."""

    service = PIPELINES
    settings: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, router: Program, origin: Program, directory: Path, cluster: Postgres | None, listed: list[str]
    ) -> None:
        """`listed`: crashes that every run can have, each a point and the time that the process comes there."""
        self.router, self.origin, self.directory, self.cluster = router, origin, directory, cluster
        self.listed = listed
        self.fault_free: Outcome = {}
        self.fault_free, self.points = self._run("without-faults", None)

    def crash(self, crash_at: str, name: str) -> tuple[str, bool]:
        """What differs after a crash at a point, empty for nothing; and whether there was that crash."""
        began = time.monotonic()
        try:
            outcome, died = self._run(name, crash_at)
        except Exception as error:
            return f"{crash_at}: {error!r}", True
        finally:
            print(f"{crash_at}: {time.monotonic() - began:.1f} s")
        differing = [part for part in self.fault_free if outcome[part] != self.fault_free[part]]
        told = [f"{crash_at}: {part}: {outcome[part]} instead of {self.fault_free[part]}" for part in differing]
        return "\n".join(told), died

    def crash_all(self, points: list[str], name: str) -> tuple[list[str], list[str]]:
        """What differed, and the points that were not come to."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(self.crash, points, [f"{name}{at}" for at in range(len(points))]))
        missed = [point for point, (_, died) in zip(points, found, strict=True) if not died]
        return [told for told, _ in found if told], missed

    def crash_at_random(self, seed: int, for_s: float) -> int:
        """Crashes at points that a seed tells; how many there were."""
        chance, end, crashed, batches = random.Random(seed), time.monotonic() + for_s, 0, 0
        while time.monotonic() < end:
            batch = [f"{chance.choice(sorted(self.points))}:{chance.randint(1, 12)}" for _ in range(AT_ONCE)]
            wrong, missed = self.crash_all(batch, f"seed{seed}-{batches}-")
            assert not wrong, f"seed {seed}:\n" + "\n".join(wrong)
            batches += 1
            crashed += len(batch) - len(missed)
        return crashed

    def _run(self, name: str, crash_at: str | None) -> tuple[Outcome, Any]:
        directory = self.directory / name
        settings, database = dict(self.settings), ""
        if self.cluster:
            database = self.cluster.database()
            settings |= ON_A_SERVER | {"state.url": self.cluster.url(database)}
        process = Crashing(self.router.url, directory, crash_at, settings)
        try:
            with Service(process.program, self.service) as service:
                look = self.work(service, f"{self.directory.name}-{name}", directory, database)
                owed = crash_at and crash_at.startswith(OF_OWED)
                outcome = self._settled(look, OWED_S if owed else SETTLED_S)
            if crash_at is None:
                self._late(lambda: known(self.listed) <= process.points())
                return outcome, process.points()
            if crash_at in self.listed:
                self._late(lambda: process.ended_at(crash_at))
            return outcome, process.ended_at(crash_at)
        finally:
            process.stop()

    def _settled(self, look: Callable[[], Outcome], within_s: float) -> Outcome:
        """The outcome, once upkeep has carried out what was owed."""
        end = time.monotonic() + within_s
        while True:
            outcome = look()
            settled = outcome == self.fault_free if self.fault_free else self.is_settled(outcome)
            if settled or time.monotonic() > end:
                return outcome
            let_pass(0.05)

    def _late(self, come: Callable[[], bool]) -> None:
        """Waits for what the process is about to come to; whether it has come is for the test to say."""
        end = time.monotonic() + LATE_S
        while not come() and time.monotonic() < end:
            let_pass(0.05)

    def work(self, service: Service, name: str, directory: Path, database: str) -> Callable[[], Outcome]:
        """Does the job, and gives what tells its outcome. `database`: its name at the server, if there is one."""
        raise NotImplementedError

    def is_settled(self, outcome: Outcome) -> bool:
        """Whether nothing is owed any more."""
        raise NotImplementedError


class PipelineRuns(Runs):
    """Documents that become rows."""

    def work(self, service: Service, name: str, directory: Path, database: str) -> Callable[[], Outcome]:
        job = Job(Patient(service, name))
        job.run()

        def look() -> Outcome:
            named, kept = state_rows(directory, self.cluster, database), objects(directory)
            bodies = {"bodies": len(named), "strange": sorted(kept ^ keys(named, STAGES))}
            return {"rows": rows(self.origin, name), **bodies, **job.outcome()}

        return look

    def is_settled(self, outcome: Outcome) -> bool:
        return not outcome["strange"]


class FunctionRuns(Runs):
    """Rows that gain attributes."""

    service = FUNCTIONS
    settings: ClassVar[dict[str, Any]] = {
        "functions.poll_ms": 50,
        "functions.wait_poll_ms": 50,
        "functions.triggers_ms": 50,
        # A search that dies with its namespace keeps others from it for so long and some seconds.
        "functions.page_timeout_ms": 500,
    }

    def work(self, service: Service, name: str, directory: Path, database: str) -> Callable[[], Outcome]:
        # The same name for all runs: it is part of the rows' marks.
        job = FunctionJob(PatientFunction(service, "topics"), Table(name, self.router, self.origin))
        job.run()
        return job.outcome

    def is_settled(self, outcome: Outcome) -> bool:
        return True
