"""A small job of a function: rows that are found, done, failed and tried again, failed for good, and done anew for
another version."""

from __future__ import annotations

import time
from typing import Any

from harness.functions import Function, Table, guard, number, value
from harness.waiting import let_pass

from .client import PATIENCE_S, repeated

ROWS = range(1, 9)
TRANSIENT, RESET, DEAD = 2, 5, 7
LEASE_MS = 1500


class PatientFunction(Function):
    """A function whose calls are repeated until they are answered."""

    def call(self, method: str, **fields: Any) -> Any:
        return repeated(self.service, method, 5.0, [], function_id=self.name, **fields)


class FunctionJob:
    """The job, done by one client that remembers what was acknowledged."""

    def __init__(self, function: Function, table: Table) -> None:
        self.function, self.table = function, table
        self.seen: set[int] = set()
        self.end = time.monotonic() + PATIENCE_S

    def run(self) -> None:
        self.table.put(*({"id": at, "title": f"title {at}", "kept": at} for at in ROWS))
        self.version("v1")
        self.work_until("v1", {RESET, DEAD})
        self.function.call("ResetFailed")
        self.work_until("v1", {DEAD})
        self.version("v2")
        self.work_until("v2", {DEAD})

    def version(self, version: str) -> None:
        spec = {
            "target_namespaces": [self.table.name],
            "inputs": ["title"],
            "version": version,
            "triggers": ["TRIGGER_DISCOVERY"],
            "schedule": {"discovery_interval_ms": 1000},
            "retry": {"attempts_max": 100, "initial_backoff_ms": 10, "max_backoff_ms": 40},
        }
        self.function.call("UpsertFunction", spec=spec)

    def work_until(self, version: str, dead: set[int]) -> None:
        """Works until all rows are done for a version, but for those that are dead."""
        wanted = set(ROWS) - dead
        while not self.over(version, wanted, len(dead)):
            assert time.monotonic() < self.end, (self.table.rows(), self.function.counts())
            if not self.work(version):
                let_pass(0.05)

    def over(self, version: str, wanted: set[int], dead: int) -> bool:
        marked = {at for at, row in self.table.rows().items() if row.get(self.function.mark) == version}
        counts = self.function.counts()
        return marked == wanted and counts == {"ready": 0, "delayed": 0, "leased": 0, "dead": dead}

    def work(self, version: str) -> int:
        claimed = self.function.claim(limit=3, lease_ms=LEASE_MS)
        if claimed:
            self.function.call("Heartbeat", items=[guard(item) for item in claimed], lease_ms=LEASE_MS)
        completed = [item for item in claimed if not self.strange(item)]
        gained = [
            {
                "item": guard(item),
                "attributes": {"topic": value(f"{item['input']['title']['string_value']} {version}".upper())},
            }
            for item in completed
        ]
        if gained:
            self.function.call("Complete", items=gained)
        return len(claimed)

    def strange(self, item: dict[str, Any]) -> bool:
        """Whether something else than completion was in store for the row."""
        row = number(item)
        once = row not in self.seen
        if row == DEAD or (row == RESET and once):
            [status] = self.function.fail([item], "permanent", "it cannot be read")
        elif row == TRANSIENT and once:
            [status] = self.function.fail([item], "transient", "the model is away")
        else:
            return False
        if status.endswith("_DONE"):
            self.seen.add(row)
        return True

    def outcome(self) -> dict[str, Any]:
        letters = self.function.call("ListDeadLetters")["dead_letters"]
        return {
            "rows": self.table.rows(),
            "counts": self.function.counts(),
            "dead": [(number(one), one["reason"], one["message"]) for one in letters],
        }
