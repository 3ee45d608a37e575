"""What Layer answers over gRPC."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2


def refuse(context: Any, code: grpc.StatusCode, reason: str) -> NoReturn:
    """Ends a call with an error of Layer's own; without a reason, with one of something before it."""
    if reason:
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="layer"))
        details = status_pb2.Status(code=code.value[0], message="m", details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", details.SerializeToString()),))
    context.abort(code, "m")
    raise AssertionError
