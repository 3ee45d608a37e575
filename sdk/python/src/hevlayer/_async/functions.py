"""Functions (the published name is UDF) as operators and workers call them. Results are messages of `layer.function.v1`."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from typing import Any

from .. import _guards as guards
from .._proto.layer.function.v1 import function_pb2, item_pb2
from .._proto.layer.function.v1 import function_service_pb2 as service
from .._values import to_attributes
from .calls import IDEMPOTENT, READ, UNREPEATABLE, AsyncCalls

SERVICE = "/layer.function.v1.FunctionService/"
Results = builtins.list[item_pb2.ItemResult]
WAIT_MARGIN_S = 10.0
"""How much longer than its wait a claim's deadline is."""


class AsyncFunctions(AsyncCalls):
    """Rows that gain attributes."""

    async def create_udf(
        self, udf_id: str, spec: function_pb2.FunctionSpec, *, timeout: float | None = None
    ) -> function_pb2.Function:
        """Registers a function; LayerError with the reason `FUNCTION_EXISTS` where the id is taken."""
        request = service.CreateFunctionRequest(function_id=udf_id, spec=spec)
        answer = await self._call(
            SERVICE + "CreateFunction", request, service.CreateFunctionResponse, UNREPEATABLE, timeout
        )
        return answer.function

    async def upsert_udf(
        self, udf_id: str, spec: function_pb2.FunctionSpec, *, timeout: float | None = None
    ) -> function_pb2.Function:
        """Registers a function, or changes it; a new version makes every row's result stale."""
        request = service.UpsertFunctionRequest(function_id=udf_id, spec=spec)
        answer = await self._call(
            SERVICE + "UpsertFunction", request, service.UpsertFunctionResponse, IDEMPOTENT, timeout
        )
        return answer.function

    async def get_udf(self, udf_id: str, *, timeout: float | None = None) -> service.GetFunctionResponse:
        """A function, and how far it is."""
        request = service.GetFunctionRequest(function_id=udf_id)
        return await self._call(SERVICE + "GetFunction", request, service.GetFunctionResponse, READ, timeout)

    async def get_udf_status(self, udf_id: str, *, timeout: float | None = None) -> function_pb2.FunctionStatus:
        """How far a function is."""
        return (await self.get_udf(udf_id, timeout=timeout)).status

    async def list_udfs(
        self, *, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> service.ListFunctionsResponse:
        """A page of functions in the order of their ids."""
        request = service.ListFunctionsRequest(page_size=page_size, page_token=page_token)
        return await self._call(SERVICE + "ListFunctions", request, service.ListFunctionsResponse, READ, timeout)

    async def delete_udf(self, udf_id: str, *, timeout: float | None = None) -> None:
        """Deletes a function and its queue. What it has written to rows stays."""
        request = service.DeleteFunctionRequest(function_id=udf_id)
        await self._call(SERVICE + "DeleteFunction", request, service.DeleteFunctionResponse, UNREPEATABLE, timeout)

    async def pause_udf(self, udf_id: str, *, timeout: float | None = None) -> function_pb2.Function:
        """Stops discovery and claims; leases run on."""
        request = service.PauseFunctionRequest(function_id=udf_id)
        answer = await self._call(
            SERVICE + "PauseFunction", request, service.PauseFunctionResponse, IDEMPOTENT, timeout
        )
        return answer.function

    async def resume_udf(self, udf_id: str, *, timeout: float | None = None) -> function_pb2.Function:
        """Goes on after a pause."""
        request = service.ResumeFunctionRequest(function_id=udf_id)
        answer = await self._call(
            SERVICE + "ResumeFunction", request, service.ResumeFunctionResponse, IDEMPOTENT, timeout
        )
        return answer.function

    async def reset_failed_udf(self, udf_id: str, *, timeout: float | None = None) -> int:
        """Puts all failed items back, with new attempts, and answers how many."""
        request = service.ResetFailedRequest(function_id=udf_id)
        answer = await self._call(SERVICE + "ResetFailed", request, service.ResetFailedResponse, IDEMPOTENT, timeout)
        return answer.reset_count

    async def list_udf_dead_letters(
        self, udf_id: str, *, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> service.ListDeadLettersResponse:
        """A page of items that failed for good."""
        request = service.ListDeadLettersRequest(function_id=udf_id, page_size=page_size, page_token=page_token)
        return await self._call(SERVICE + "ListDeadLetters", request, service.ListDeadLettersResponse, READ, timeout)

    async def discover_udf(
        self, udf_id: str, namespaces: Iterable[str] = (), *, page_size: int = 0, timeout: float | None = None
    ) -> service.DiscoverResponse:
        """Looks for rows to do, now."""
        request = service.DiscoverRequest(function_id=udf_id, namespaces=namespaces, page_size=page_size)
        return await self._call(SERVICE + "Discover", request, service.DiscoverResponse, IDEMPOTENT, timeout)


class AsyncFunctionQueue(AsyncCalls):
    """Claims of items and what ends them. `hevlayer.run_worker` does all of this."""

    async def claim_udf_items(
        self,
        udf_id: str,
        worker_id: str,
        *,
        limit: int = 0,
        lease_seconds: float = 0,
        wait_seconds: float = 0,
        timeout: float | None = None,
    ) -> service.ClaimResponse:
        """Takes items with their inputs, under a lease.

        Raises:
          OutcomeUnknown: no answer came; what was claimed is ready again when its lease ends.
        """
        request = service.ClaimRequest(
            function_id=udf_id,
            limit=limit,
            worker_id=worker_id,
            lease_ms=int(lease_seconds * 1000),
            wait_ms=int(wait_seconds * 1000),
        )
        timeout = timeout or wait_seconds + WAIT_MARGIN_S
        return await self._call(SERVICE + "Claim", request, service.ClaimResponse, UNREPEATABLE, timeout)

    async def heartbeat_udf_items(
        self,
        udf_id: str,
        items: Iterable[guards.ItemName],
        *,
        worker_id: str = "",
        lease_seconds: float = 0,
        timeout: float | None = None,
    ) -> Results:
        """Extends leases; a worker stops working on what is not done."""
        request = service.HeartbeatRequest(
            function_id=udf_id,
            items=[guards.item(item) for item in items],
            worker_id=worker_id,
            lease_ms=int(lease_seconds * 1000),
        )
        answer = await self._call(SERVICE + "Heartbeat", request, service.HeartbeatResponse, IDEMPOTENT, timeout)
        return list(answer.results)

    async def complete_udf_items(
        self,
        udf_id: str,
        items: Iterable[tuple[guards.ItemName, Mapping[str, Any]]],
        *,
        worker_id: str = "",
        timeout: float | None = None,
    ) -> Results:
        """Writes results to rows and marks them: each item with the attributes that its row gains."""
        completed = [
            item_pb2.CompletedItem(item=guards.item(item), attributes=to_attributes(attributes))
            for item, attributes in items
        ]
        request = service.CompleteRequest(function_id=udf_id, items=completed, worker_id=worker_id)
        answer = await self._call(SERVICE + "Complete", request, service.CompleteResponse, IDEMPOTENT, timeout)
        return list(answer.results)

    async def fail_udf_items(
        self,
        udf_id: str,
        items: Iterable[guards.ItemName],
        *,
        kind: guards.Kind = "transient",
        message: str = "",
        worker_id: str = "",
        timeout: float | None = None,
    ) -> Results:
        """Says that items failed: they are tried again later, or become dead letters."""
        failed = [
            item_pb2.FailedItem(item=guards.item(item), kind=guards.ITEM_KINDS[kind], message=guards.cut(message))
            for item in items
        ]
        request = service.FailRequest(function_id=udf_id, items=failed, worker_id=worker_id)
        answer = await self._call(SERVICE + "Fail", request, service.FailResponse, IDEMPOTENT, timeout)
        return list(answer.results)
