"""The two kinds of queues as the loop of a worker sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._async.client import AsyncHevlayer
from .._grpc_errors import LayerError
from .._guards import Kind
from .._proto.layer.function.v1 import item_pb2
from .._proto.layer.pipeline.v1 import document_pb2
from .._values import attributes_of, id_of
from ._jobs import FunctionItem, Job, Output, Permanent, PipelineDocument

SHORTEST_LEASE_S = 1.0


@dataclass(slots=True, eq=False)
class Work:
    """Something that was claimed."""

    claim: Any
    lost: bool = False
    """Somebody else has it by now, or will: what is done with it does not count."""


Result = tuple[Work, Any]
"""Something that was claimed, and what the handler has made of it."""


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
    async def input(self, work: Work) -> Any:
        """What the handler gets of one."""

    @abstractmethod
    async def beat(self, works: Sequence[Work]) -> None:
        """Extends leases, and marks what was lost."""

    @abstractmethod
    def calls(self, results: list[Result]) -> list[list[Result]]:
        """Results by the calls that hand them in."""

    @abstractmethod
    async def complete(self, results: Sequence[Result]) -> bool:
        """Hands in the results of one call; marks what was lost. Always true."""

    @abstractmethod
    async def fail(self, works: Sequence[Work], kind: Kind, message: str) -> bool:
        """Says that works failed; marks what was lost. Always true."""

    @abstractmethod
    async def release(self, works: Sequence[Work]) -> bool:
        """Gives back what was not begun. Always true."""


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

    async def input(self, work: Work) -> PipelineDocument:
        """Reads a document's chunks."""
        claim: document_pb2.ClaimedDocument = work.claim
        chunks = await self.client.get_pipeline_document_chunks(
            self.job.queue_id, claim.document_id, version=claim.version
        )
        return PipelineDocument(claim.document_id, claim.version, claim.attempt, chunks)

    async def beat(self, works: Sequence[Work]) -> None:
        """Extends leases."""
        results = await self.client.heartbeat_documents(
            self.job.queue_id, [work.claim for work in works], lease_seconds=self.lease_s
        )
        _mark(works, results, document_pb2.DOCUMENT_STATUS_DONE)

    def calls(self, results: list[Result]) -> list[list[Result]]:
        """A call for each."""
        return [[each] for each in results]

    async def complete(self, results: Sequence[Result]) -> bool:
        """Writes rows, or hands chunks on."""
        for one, result in results:
            if isinstance(result, Output):
                answer = await self.client.complete_documents(
                    self.job.queue_id, [one.claim], output=result.chunks, to_stage=result.to_stage
                )
            else:
                answer = [await self.client.put_pipeline_document_rows(self.job.queue_id, one.claim, list(result))]
            _mark([one], answer, document_pb2.DOCUMENT_STATUS_DONE)
        return True

    async def fail(self, works: Sequence[Work], kind: Kind, message: str) -> bool:
        """Says that documents failed."""
        results = await self.client.fail_documents(
            self.job.queue_id, [work.claim for work in works], kind=kind, message=message
        )
        _mark(works, results, document_pb2.DOCUMENT_STATUS_DONE)
        return True

    async def release(self, works: Sequence[Work]) -> bool:
        """Returns documents as if they had not been claimed."""
        await self.client.release_documents(self.job.queue_id, [work.claim for work in works])
        return True


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

    async def input(self, work: Work) -> FunctionItem:
        """It came with the claim."""
        claim: item_pb2.ClaimedItem = work.claim
        return FunctionItem(claim.namespace, id_of(claim.id), claim.attempt, attributes_of(claim.input))

    async def beat(self, works: Sequence[Work]) -> None:
        """Extends leases."""
        await self._lease(works, self.lease_s)

    async def _lease(self, works: Sequence[Work], seconds: float) -> None:
        results = await self.client.heartbeat_udf_items(
            self.job.queue_id, [work.claim for work in works], lease_seconds=seconds
        )
        _mark(works, results, item_pb2.ITEM_STATUS_DONE)

    def calls(self, results: list[Result]) -> list[list[Result]]:
        """One call for all."""
        return [results] if results else []

    async def complete(self, results: Sequence[Result]) -> bool:
        """Writes results to rows."""
        answer = await self.client.complete_udf_items(
            self.job.queue_id, [(one.claim, result) for one, result in results]
        )
        _mark([one for one, _ in results], answer, item_pb2.ITEM_STATUS_DONE)
        return True

    async def fail(self, works: Sequence[Work], kind: Kind, message: str) -> bool:
        """Says that items failed."""
        results = await self.client.fail_udf_items(
            self.job.queue_id, [work.claim for work in works], kind=kind, message=message
        )
        _mark(works, results, item_pb2.ITEM_STATUS_DONE)
        return True

    async def release(self, works: Sequence[Work]) -> bool:
        """Functions have no release: the leases are made the shortest that there are."""
        await self._lease(works, SHORTEST_LEASE_S)
        return True


def _mark(works: Sequence[Work], results: Sequence[Any], done: int) -> None:
    for work, result in zip(works, results, strict=True):
        work.lost = work.lost or result.status != done


def kind_of(error: BaseException) -> Kind:
    """Whether trying again is of use."""
    lost_body = isinstance(error, LayerError) and error.code == "DATA_LOSS"
    return "permanent" if lost_body or isinstance(error, Permanent) else "transient"


def queue_of(client: AsyncHevlayer, job: Job, worker_id: str, lease_s: float) -> Queue:
    """The queue of a job."""
    kinds: dict[str, type[Queue]] = {"pipeline": PipelineQueue, "function": FunctionQueue}
    return kinds[job.kind](client, job, worker_id, lease_s)
