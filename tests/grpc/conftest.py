"""A gRPC client of a running router.

LAYER_TEST_ROUTER_GRPC (host:port) and LAYER_TEST_KEY name the router, which stands on the stand-in; `tests/conftest.py`
starts both where they are unset.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from contract import router, stub
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import grpc

DEADLINE_S = 20.0


@dataclass
class Failure:
    """An error with what its details say."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, Any] = field(default_factory=dict)


class Api:
    """Calls to one router."""

    def __init__(self, address: str, key: str) -> None:
        self.key = key
        self.channel = grpc.insecure_channel(address)
        self._stub = stub(self.channel)

    def with_metadata(
        self, method: str, request: Any, *, key: str | None = None, timeout: float = DEADLINE_S, **headers: str
    ) -> tuple[Any, dict[str, Any]]:
        """The answer, and the metadata that came with it."""
        metadata = [(name.replace("_", "-"), text) for name, text in headers.items()]
        bearer = self.key if key is None else key
        if bearer:
            metadata.append(("authorization", f"Bearer {bearer}"))
        answer, call = getattr(self._stub, method).with_call(request, timeout=timeout, metadata=metadata)
        return answer, dict(call.initial_metadata())

    def call(self, method: str, request: Any, **options: Any) -> Any:
        return self.with_metadata(method, request, **options)[0]

    def stream(self, method: str, request: Any) -> tuple[list[Any], dict[str, Any]]:
        """The messages of an answer that streams, and the metadata before them."""
        metadata = [("authorization", f"Bearer {self.key}")]
        answer = getattr(self._stub, method)(request, timeout=DEADLINE_S, metadata=metadata)
        return list(answer), dict(answer.initial_metadata())

    def stream_failure(self, method: str, request: Any) -> Failure:
        """The error of a call that must fail and would stream."""
        with pytest.raises(grpc.RpcError) as raised:
            self.stream(method, request)
        return described(raised.value)

    def failure(self, method: str, request: Any, **options: Any) -> Failure:
        """The error of a call that must fail."""
        with pytest.raises(grpc.RpcError) as raised:
            self.call(method, request, **options)
        return described(raised.value)


def described(error: Any) -> Failure:
    trailers = dict(error.trailing_metadata()) | dict(error.initial_metadata())
    failure = Failure(error.code(), error.details(), trailers=trailers)
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            failure.reason, failure.domain, failure.metadata = info.reason, info.domain, dict(info.metadata)
        elif detail.Unpack(bad):
            failure.violations = {one.field: one.description for one in bad.field_violations}
    return failure


@pytest.fixture(scope="session")
def api() -> Api:
    return Api(os.environ["LAYER_TEST_ROUTER_GRPC"], os.environ["LAYER_TEST_KEY"])


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """The name of a namespace that is gone after the test."""
    name = f"grpc-{uuid.uuid4().hex[:12]}"
    yield name
    try:
        api.call("DeleteNamespace", router.DeleteNamespaceRequest(namespace=name))
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND
