"""The two kinds of queues as the loop of a worker sees them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._async.client import AsyncHevlayer
from .._guards import Kind
from .._proto.layer.function.v1 import item_pb2
from .._proto.layer.pipeline.v1 import document_pb2
from .._values import attributes_of, id_of
from ._jobs import FunctionItem, Job, Output, Permanent, PipelineDocument

READS_AT_ONCE = 8
"""Documents whose chunks are read at the same time."""


@dataclass(slots=True, eq=False)
class Work:
    """Something that was claimed."""

    claim: Any
    lost: bool = False
    """Somebody else has it by now, or will: what is done with it does not count."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim has brought."""

    works: list[Work]
    lease_s: float


class Queue(ABC):
    """Calls of one queue by one worker."""

    def __init__(self, client: AsyncHevlayer, job: Job, worker_id: str, lease_s: float) -> None:
        self.client = client
        self.job = job
        self.worker_id = worker_id
        self.lease_s = lease_s

    @abstractmethod
    async def claim(self, wait_s: float) -> Claimed:
        """Takes a batch, waiting for a first one."""

    @abstractmethod
    async def inputs(self, works: Sequence[Work]) -> list[Any]:
        """What the handler gets of each."""

    @abstractmethod
    async def beat(self, works: Sequence[Work]) -> None:
        """Extends leases, and marks what was lost."""

    @abstractmethod
    async def complete(self, work: Sequence[tuple[Work, Any]]) -> None:
        """Hands results in; marks what was refused."""

    @abstractmethod
    async def fail(self, works: Sequence[Work], kind: Kind, message: str) -> None:
        """Says that works failed."""

    @abstractmethod
    async def release(self, works: Sequence[Work]) -> None:
        """Gives back what was not begun."""


class PipelineQueue(Queue):
    """A stage of a pipeline."""

    async def claim(self, wait_s: float) -> Claimed:
        """Takes documents."""
        job = self.job
        answer = await self.client.claim_documents(
            job.queue_id,
            self.worker_id,
            stage=job.stage,
            claim_stage=job.claim_stage,
            limit=job.batch_size,
            lease_seconds=self.lease_s,
            wait_seconds=wait_s,
        )
        return Claimed([Work(each) for each in answer.documents], answer.lease_ms / 1000)

    async def inputs(self, works: Sequence[Work]) -> list[Any]:
        """Reads the documents' chunks."""
        turns = asyncio.Semaphore(READS_AT_ONCE)

        async def read(work: Work) -> PipelineDocument:
            claim: document_pb2.ClaimedDocument = work.claim
            async with turns:
                chunks = await self.client.get_pipeline_document_chunks(
                    self.job.queue_id, claim.document_id, version=claim.version
                )
            return PipelineDocument(claim.document_id, claim.version, claim.attempt, chunks)

        return list(await asyncio.gather(*map(read, works)))

    async def beat(self, works: Sequence[Work]) -> None:
        """Extends leases."""
        results = await self.client.heartbeat_documents(
            self.job.queue_id, [work.claim for work in works], lease_seconds=self.lease_s
        )
        _mark(works, results, document_pb2.DOCUMENT_STATUS_DONE)

    async def complete(self, work: Sequence[tuple[Work, Any]]) -> None:
        """Writes rows, or hands chunks on."""
        for one, result in work:
            if isinstance(result, Output):
                results = await self.client.complete_documents(
                    self.job.queue_id, [one.claim], output=result.chunks, to_stage=result.to_stage
                )
            else:
                results = [await self.client.put_pipeline_document_rows(self.job.queue_id, one.claim, list(result))]
            _mark([one], results, document_pb2.DOCUMENT_STATUS_DONE)

    async def fail(self, works: Sequence[Work], kind: Kind, message: str) -> None:
        """Says that documents failed."""
        await self.client.fail_documents(self.job.queue_id, [work.claim for work in works], kind=kind, message=message)

    async def release(self, works: Sequence[Work]) -> None:
        """Returns documents as if they had not been claimed."""
        await self.client.release_documents(self.job.queue_id, [work.claim for work in works])


class FunctionQueue(Queue):
    """A function's rows."""

    async def claim(self, wait_s: float) -> Claimed:
        """Takes items."""
        answer = await self.client.claim_udf_items(
            self.job.queue_id,
            self.worker_id,
            limit=self.job.batch_size,
            lease_seconds=self.lease_s,
            wait_seconds=wait_s,
        )
        return Claimed([Work(each) for each in answer.items], answer.lease_ms / 1000)

    async def inputs(self, works: Sequence[Work]) -> list[Any]:
        """Their inputs came with the claim."""
        return [
            FunctionItem(claim.namespace, id_of(claim.id), claim.attempt, attributes_of(claim.input))
            for claim in (work.claim for work in works)
        ]

    async def beat(self, works: Sequence[Work]) -> None:
        """Extends leases."""
        results = await self.client.heartbeat_udf_items(
            self.job.queue_id, [work.claim for work in works], lease_seconds=self.lease_s
        )
        _mark(works, results, item_pb2.ITEM_STATUS_DONE)

    async def complete(self, work: Sequence[tuple[Work, Any]]) -> None:
        """Writes results to rows."""
        results = await self.client.complete_udf_items(self.job.queue_id, [(one.claim, result) for one, result in work])
        _mark([one for one, _ in work], results, item_pb2.ITEM_STATUS_DONE)

    async def fail(self, works: Sequence[Work], kind: Kind, message: str) -> None:
        """Says that items failed."""
        await self.client.fail_udf_items(self.job.queue_id, [work.claim for work in works], kind=kind, message=message)

    async def release(self, works: Sequence[Work]) -> None:
        """Functions have no release: the items are tried again soon, as after a transient failure."""
        await self.fail(works, "transient", "the worker was stopped")


def _mark(works: Sequence[Work], results: Sequence[Any], done: int) -> None:
    for work, result in zip(works, results, strict=True):
        work.lost = work.lost or result.status != done


def kind_of(error: BaseException) -> Kind:
    """Whether trying again is of use."""
    return "permanent" if isinstance(error, Permanent) else "transient"


def queue_of(client: AsyncHevlayer, job: Job, worker_id: str, lease_s: float) -> Queue:
    """The queue of a job."""
    kinds: dict[str, type[Queue]] = {"pipeline": PipelineQueue, "function": FunctionQueue}
    return kinds[job.kind](client, job, worker_id, lease_s)
