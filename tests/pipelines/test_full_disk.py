"""The disk of a store is full in the middle of a job: calls that store are refused and change nothing,
and with room again the job completes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.pipelines import start_pipeline_worker
from harness.postgres import Postgres
from harness.programs import Program

from .flow import Flow
from .refused import Refused

MIB = 1 << 20


@contextlib.contextmanager
def small_disk(at: Path, mib: int) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def filled(disk: Path, ask: Callable[[], None]) -> None:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        # The last pages go one by one: not a byte is left.
        for size in (MIB, 4096):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    assert os.statvfs(disk).f_bavail == 0
    ask()
    ask()
    filler.unlink()


@pytest.mark.parametrize(
    ("setting", "place", "reason"),
    [
        pytest.param("object_store.directory", "{}/bodies", "OBJECT_STORE_UNAVAILABLE", id="bodies"),
        pytest.param("state.url", "sqlite://{}/state.db", "STATE_UNAVAILABLE", id="state"),
    ],
)
def test_a_full_disk_refuses_and_loses_nothing(
    setting: str, place: str, reason: str, router: Program, origin: Program, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk", 8) as disk:
        worker = start_pipeline_worker(router.url, tmp_path / "worker", {setting: place.format(disk)})
        try:
            flow = Flow(worker, "disk-" + setting.split(".")[0])
            ask = Refused(worker, flow.name, reason)
            flow.run(lambda: filled(disk, ask))
            flow.check(origin)
            ask.nothing_changed(origin)
        finally:
            worker.process.kill()


def test_a_full_disk_of_the_database_refuses_and_loses_nothing(
    router: Program, origin: Program, tmp_path: Path
) -> None:
    # Its server has a user of its own, who cannot enter pytest's directory.
    with tempfile.TemporaryDirectory(prefix="layer-disk-") as directory, small_disk(Path(directory), 128) as disk:
        cluster = Postgres(directory=disk)
        worker = start_pipeline_worker(router.url, tmp_path / "worker", {"state.url": cluster.url(cluster.database())})
        try:
            flow = Flow(worker, "disk-postgres")
            ask = Refused(worker, flow.name, "STATE_UNAVAILABLE", documents=500)
            flow.run(lambda: filled(disk, ask))
            flow.check(origin)
            ask.nothing_changed(origin)
            assert cluster.process.exit_code is None, "it needed no restart"
        finally:
            worker.process.kill()
            cluster.kill()
