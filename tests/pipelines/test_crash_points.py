"""The process is killed before and after each durable step, and the work goes on: the outcome is that of a run without
faults.

The jobs are the same each time (`job.py`, `function_job.py`), and so are their clients, which repeat what was not
acknowledged. Compared is what users see: the rows at the origin, the counts, the bodies, the dead letters.
"""

from __future__ import annotations

import os
import random

import pytest

from harness.postgres import Postgres
from harness.programs import Program

from .job import BODIES
from .runs import FunctionRuns, PipelineRuns, Runs, known

SOAK_SECONDS = float(os.environ.get("LAYER_FAULT_SECONDS", "60"))

POINTS = [
    # Staging.
    "stage.bodies.before:1",
    "body.before:2",
    "body.after:3",
    "stage.bodies.after:2",
    "state.stage.commit:1",
    "state.stage.commit:3",
    "state.stage.after:2",
    "stage.copy.before:1",
    "stage.copy.after:4",
    "vanished.delete.before:1",
    "vanished.delete.after:1",
    # Working.
    "state.claim.commit:1",
    "state.claim.after:2",
    "state.heartbeat.commit:1",
    "state.heartbeat.after:1",
    "complete.bodies.before:1",
    "body.after:10",
    "complete.bodies.after:1",
    "state.complete.commit:2",
    "state.complete.after:1",
    "complete.copy.after:1",
    "state.fail.commit:1",
    "state.fail.after:1",
    "state.release.commit:1",
    "state.release.after:1",
    # Rows.
    "put_rows.check.before:1",
    "put_rows.check.after:2",
    "put_rows.write.before:1",
    "put_rows.write.after:1",
    "put_rows.write.after:3",
    "put_rows.complete.after:2",
    # Operators.
    "state.create_queue.before:1",
    "state.create_queue.after:1",
    "state.set_stage.commit:1",
    "state.set_stage.after:1",
    "state.requeue.commit:1",
    "state.requeue.after:1",
    # Upkeep.
    "state.wake.commit:2",
    "state.wake.after:2",
    "state.expire.commit:2",
    "state.expire.after:2",
    "state.purge_deleted.before:2",
    "state.purge_deleted.after:2",
    "state.cleanups.commit:1",
    "state.cleanups.after:2",
    "outdated.delete.before:1",
    "outdated.delete.after:1",
    "state.cleaned.commit:1",
    "state.cleaned.after:2",
    "sweep.delete.before:1",
    "sweep.delete.after:1",
]
"""Where the process ends, and at which time that it comes there."""

ON_POSTGRES = [point for point in POINTS if ".commit:" in point or point.startswith("put_rows.write")]
"""Those at which the database is left with an open transaction, and what the origin takes part in."""


FUNCTION_POINTS = [
    # Declaring, and searching.
    "state.upsert_queue.before:1",
    "state.upsert_queue.after:1",
    "state.upsert_queue.after:2",
    "state.begin_round.commit:1",
    "state.begin_round.after:1",
    "state.take_scan.commit:1",
    "state.take_scan.after:2",
    "state.scanned.commit:1",
    "state.scanned.after:1",
    # Working.
    "state.claim.commit:1",
    "state.claim.after:2",
    "state.hand_out.commit:1",
    "state.hand_out.after:1",
    "state.heartbeat.after:1",
    "state.vouch.commit:1",
    "state.vouch.after:2",
    "function.write.before:1",
    "function.write.after:1",
    "function.write.after:3",
    "state.finish.commit:1",
    "state.finish.after:2",
    "state.fail.commit:1",
    "state.fail.after:2",
    # Operators.
    "state.requeue.commit:1",
    "state.requeue.after:1",
]
"""As `POINTS`, of a function."""

SOAK = "LAYER_SOAK" in os.environ
ONLY_LONG = pytest.mark.skipif(not SOAK, reason="long: part of `make soak`")


def cluster_of(request: pytest.FixtureRequest) -> Postgres | None:
    return request.getfixturevalue("postgres") if request.param == "postgres" else None


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def runs(
    request: pytest.FixtureRequest, router: Program, origin: Program, tmp_path_factory: pytest.TempPathFactory
) -> Runs:
    directory = tmp_path_factory.mktemp(f"crash-{request.param}")
    return PipelineRuns(router, origin, directory, cluster_of(request), POINTS)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=ONLY_LONG)])
def function_runs(
    request: pytest.FixtureRequest, router: Program, origin: Program, tmp_path_factory: pytest.TempPathFactory
) -> Runs:
    directory = tmp_path_factory.mktemp(f"function-{request.param}")
    return FunctionRuns(router, origin, directory, cluster_of(request), FUNCTION_POINTS)


def test_without_faults_the_outcome_is_what_was_asked_for(runs: Runs) -> None:
    outcome = runs.fault_free
    assert outcome["counts"] == {"raw": 0, "chunking": 0, "embedding": 0, "indexed": 7, "failed": 1}
    assert (outcome["bodies"], outcome["strange"]) == (BODIES, [])
    assert [one[0] for one in outcome["dead"]] == ["d4"]
    # Seven documents of three pieces, two rows a piece, but for one with two pieces now, and one with one.
    assert len(outcome["rows"]) == 2 * (5 * 3 + 2 + 1)
    assert outcome["rows"]["d6-0x"][0] == "D6 SECOND PIECE 0X"
    assert not [name for name in outcome["rows"] if name.startswith("d4")]
    assert known(POINTS) <= runs.points, known(POINTS) - runs.points


def test_a_crash_at_any_point_changes_nothing(runs: Runs) -> None:
    wrong, missed = runs.crash_all(POINTS if runs.cluster is None else ON_POSTGRES, "at")
    assert not wrong, "\n".join(wrong)
    assert not missed, f"these were not come to: {missed}"


def test_without_faults_rows_gain_what_the_function_gives(function_runs: Runs) -> None:
    outcome = function_runs.fault_free
    assert outcome["counts"] == {"ready": 0, "delayed": 0, "leased": 0, "dead": 1}
    assert [one[0] for one in outcome["dead"]] == [7]
    marked = {"title": "title 2", "kept": 2, "topic": "TITLE 2 V2", "_hevlayer_udf_topics_v": "v2"}
    assert outcome["rows"][2] == marked
    assert outcome["rows"][7] == {"title": "title 7", "kept": 7}
    assert known(FUNCTION_POINTS) <= function_runs.points, known(FUNCTION_POINTS) - function_runs.points


def test_a_crash_at_any_point_of_a_function_changes_nothing(function_runs: Runs) -> None:
    wrong, missed = function_runs.crash_all(FUNCTION_POINTS, "at")
    assert not wrong, "\n".join(wrong)
    assert not missed, f"these were not come to: {missed}"


def at_random(runs: Runs) -> None:
    seeds = os.environ.get("LAYER_FAULT_SEEDS", str(random.randrange(1 << 32))).split(",")
    for seed in map(int, seeds):
        print(f"crash points in random order, seed {seed}")
        crashed = runs.crash_at_random(seed, SOAK_SECONDS / len(seeds))
        print(f"seed {seed}: {crashed} crashes")
        assert crashed


@ONLY_LONG
@pytest.mark.timeout(SOAK_SECONDS + 400)
def test_crashes_in_random_order_change_nothing(runs: Runs) -> None:
    at_random(runs)


@ONLY_LONG
@pytest.mark.timeout(SOAK_SECONDS + 400)
def test_crashes_of_functions_in_random_order_change_nothing(function_runs: Runs) -> None:
    at_random(function_runs)
