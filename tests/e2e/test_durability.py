"""An acknowledged write survives the death of the whole mesh."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from harness.client import Connection, ask_json
from harness.programs import Program
from harness.waiting import until
from harness.wire import BrokenOff

WRITE = "/v2/namespaces/durable"
WRITERS = 4
ACKNOWLEDGED_EACH_TIME = 120


class Writer(threading.Thread):
    """Writes rows one by one until the router is gone; keeps what was acknowledged."""

    def __init__(self, mesh: Program, name: str) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self._mesh, self._name = mesh, name

    def run(self) -> None:
        try:
            with Connection(self._mesh.url) as connection:
                while True:
                    self._write(connection)
        except (OSError, BrokenOff):
            return

    def _write(self, connection: Connection) -> None:
        row = f"{self._name}-{len(self.acknowledged)}"
        body = {"upsert_rows": [{"id": row, "text": "blue whale " * 20}]}
        answer = connection.request("POST", WRITE, json.dumps(body).encode())
        if answer.complete and answer.status == 200:
            self.acknowledged.append(row)


def all_rows(mesh: Program) -> set[str]:
    body = {"rank_by": ["id", "asc"], "limit": 10_000, "include_attributes": ["text"]}
    status, answer = ask_json(mesh.url, "POST", f"{WRITE}/query", body)
    assert status == 200, answer
    assert all(row["text"] == "blue whale " * 20 for row in answer["rows"])
    return {row["id"] for row in answer["rows"]}


def test_every_acknowledged_row_is_there_after_kill_9(up: Callable[..., Program]) -> None:
    acknowledged: set[str] = set()
    for life in range(3):
        mesh = up()
        if acknowledged:
            assert acknowledged <= all_rows(mesh), acknowledged - all_rows(mesh)
        writers = [Writer(mesh, f"{life}-{number}") for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        enough = ACKNOWLEDGED_EACH_TIME
        until(lambda: sum(len(w.acknowledged) for w in writers) >= enough, "rows are acknowledged", 30)  # noqa: B023
        mesh.process.kill()
        for writer in writers:
            writer.join(5)
            acknowledged.update(writer.acknowledged)
    assert len(acknowledged) >= 3 * ACKNOWLEDGED_EACH_TIME
    assert acknowledged <= all_rows(up())


def test_a_mesh_that_is_stopped_finds_its_data_again(up: Callable[..., Program]) -> None:
    mesh = up()
    assert ask_json(mesh.url, "POST", WRITE, {"upsert_rows": [{"id": "a", "text": "blue whale " * 20}]})[0] == 200
    assert mesh.stop() == 0
    assert all_rows(up()) == {"a"}
