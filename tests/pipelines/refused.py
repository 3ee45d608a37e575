"""Calls that are refused while a part is away or full."""

from __future__ import annotations

import time

import pytest

import grpc
from harness.grpc import FailedCall
from harness.pipelines import Service
from harness.programs import Program

from .client import Patient
from .flow import within
from .origin_rows import rows

SOON_S = 8.0
"""A call that meets a part that is away fails within its own bounds, long before its caller's deadline."""


class Refused:
    """Asks while a part is away, and sees that nothing came of it."""

    def __init__(self, worker: Program, name: str, reason: str, documents: int = 1) -> None:
        """`documents`: how many are staged at once, where few would find room in what is full."""
        self.worker, self.name, self.reason = worker, name, reason
        self.documents = [f"probe{n}" for n in range(documents)]

    def __call__(self) -> None:
        with Service(self.worker) as service:
            client = Patient(service, self.name)
            began = time.monotonic()
            with pytest.raises(FailedCall) as failed:
                chunks = [{"chunk_id": "probe-0", "text": "probe"}]
                documents = [{"document_id": name, "chunks": chunks} for name in self.documents]
                service.call("StageDocuments", pipeline_id=client.name, documents=documents)
            assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.UNAVAILABLE, self.reason), failed.value
            assert failed.value.retry_delay_s > 0
            within(SOON_S, began, "the refusal")

    def nothing_changed(self, origin: Program) -> None:
        with Service(self.worker) as service:
            assert Patient(service, self.name).documents(self.documents) == {}
        assert "probe-0" not in rows(origin, self.name)
