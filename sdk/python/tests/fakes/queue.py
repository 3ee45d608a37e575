"""A pipeline and a function made up: they hand out what is ready once each, and do what they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import grpc

from hevlayer._proto.layer.function.v1 import function_service_pb2 as functions
from hevlayer._proto.layer.function.v1 import item_pb2 as items
from hevlayer._proto.layer.pipeline.v1 import document_pb2 as documents
from hevlayer._proto.layer.pipeline.v1 import pipeline_service_pb2 as pipelines
from hevlayer._proto.layer.types.v1.value_pb2 import Id

from .grpc import refuse

Refusal = tuple[grpc.StatusCode, str] | None


class Queue(grpc.GenericRpcHandler):
    """Documents or items by their ids."""

    def __init__(self, *ready: str) -> None:
        self.ready = list(ready)
        self.done: list[str] = []
        self.failed: dict[str, Any] = {}
        """Messages of failures."""
        self.released: list[str] = []
        self.claims: Callable[[], Refusal] = lambda: None
        self.reads: Callable[[], Refusal] = lambda: None
        """What claims and reads of a document's chunks are refused with."""
        self.refuses: Callable[[Sequence[str]], Refusal] = lambda ids: None
        """What handing in is refused with."""
        self.stale: set[str] = set()
        """Somebody else has these when they are handed in."""
        self.waits = threading.Event()
        """There was nothing to claim."""
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        self.url = f"http://127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.add_generic_rpc_handlers((self,))
        self.server.start()

    def service(self, details: Any) -> Any:
        """Finds the method by its name, such as `PipelineServiceClaim`."""
        service, _, method = details.method.rpartition("/")
        module: Any = pipelines if service.endswith("PipelineService") else functions
        is_stream = method == "GetChunks"
        make = grpc.unary_stream_rpc_method_handler if is_stream else grpc.unary_unary_rpc_method_handler
        answer = getattr(self, f"_{method}")
        request = getattr(module, f"{method}Request")
        return make(answer, request.FromString, lambda message: message.SerializeToString())

    def _Claim(self, request: Any, context: Any) -> Any:
        _end(context, self.claims())
        taken, self.ready = self.ready[: request.limit], self.ready[request.limit :]
        if not taken:
            self.waits.set()
        if isinstance(request, pipelines.ClaimRequest):
            claimed = [documents.ClaimedDocument(document_id=each, token=1, version=1, attempt=1) for each in taken]
            return pipelines.ClaimResponse(documents=claimed, lease_ms=request.lease_ms)
        return functions.ClaimResponse(
            items=[items.ClaimedItem(namespace="n", id=Id(string_value=each), token=1, attempt=1) for each in taken],
            lease_ms=request.lease_ms,
        )

    def _GetChunks(self, request: Any, context: Any) -> Any:
        _end(context, self.reads() if request.document_id == "bad" else None)
        yield pipelines.GetChunksResponse(chunks=[documents.Chunk(chunk_id="c", text="t")])

    def _Heartbeat(self, request: Any, context: Any) -> Any:
        return self._results(request, _ids(request))

    def _Release(self, request: Any, context: Any) -> Any:
        self.released += _ids(request)
        return self._results(request, _ids(request))

    def _PutRows(self, request: Any, context: Any) -> Any:
        return self._hand_in(request, context, [each.document.document_id for each in request.documents])

    def _Complete(self, request: Any, context: Any) -> Any:
        return self._hand_in(request, context, [each.item.id.string_value for each in request.items])

    def _hand_in(self, request: Any, context: Any, ids: list[str]) -> Any:
        _end(context, self.refuses(ids))
        self.done += [each for each in ids if each not in self.stale]
        return self._results(request, ids)

    def _Fail(self, request: Any, context: Any) -> Any:
        if isinstance(request, pipelines.FailRequest):
            failed = [(each.document.document_id, each) for each in request.documents]
        else:
            failed = [(each.item.id.string_value, each) for each in request.items]
        self.failed.update(failed)
        return self._results(request, [name for name, _ in failed])

    def _results(self, request: Any, ids: Sequence[str]) -> Any:
        name = type(request).__name__.replace("Request", "Response")
        if hasattr(request, "pipeline_id"):
            done, lost = documents.DOCUMENT_STATUS_DONE, documents.DOCUMENT_STATUS_STALE_TOKEN
            result: Any = documents.DocumentResult
        else:
            done, lost = items.ITEM_STATUS_DONE, items.ITEM_STATUS_STALE_TOKEN
            result = items.ItemResult
        module: Any = pipelines if result is documents.DocumentResult else functions
        results = [result(status=lost if each in self.stale else done) for each in ids]
        return getattr(module, name)(results=results)

    def stop(self) -> None:
        """Ends the server."""
        self.server.stop(0).wait()


def _end(context: Any, refusal: Refusal) -> None:
    if refusal is not None:
        refuse(context, *refusal)


def _ids(request: Any) -> list[str]:
    if hasattr(request, "pipeline_id"):
        return [each.document_id for each in request.documents]
    return [each.id.string_value for each in request.items]
