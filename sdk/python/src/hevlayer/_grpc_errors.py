"""What a failed gRPC call becomes: Layer's own error with its reason, or the news that Layer is away."""

from __future__ import annotations

from typing import Any

import grpc
import httpx2
from google.rpc import error_details_pb2, status_pb2
from turbopuffer import TurbopufferError

from ._effects import Action, Effect, Failure, action
from ._errors import LayerUnavailable, OutcomeUnknown

DETAILS = "grpc-status-details-bin"
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
NOT_SENT = ("failed to connect", "DNS resolution failed", "Name resolution", "name resolver", "Failed to pick")
"""How gRPC words that no connection came about."""


class LayerError(TurbopufferError):
    """Layer refused a call, or could not do it. docs/grpc-errors.md lists the reasons and what to do about each."""

    def __init__(self, method: str, code: str, reason: str, message: str) -> None:
        super().__init__(f"{method}: {reason or code}: {message}")
        self.code = code
        """The gRPC status, such as `NOT_FOUND`."""
        self.reason = reason
        """The stable word for it, such as `PIPELINE_NOT_FOUND`; empty where gRPC itself has failed the call."""
        self.message = message
        self.metadata: dict[str, str] = {}
        """More about it, such as `http_status`."""
        self.fields: dict[str, str] = {}
        """Wrong fields by their path, with what is wrong."""
        self.retry_after_s: float | None = None
        """When to try again, where Layer says so."""


def failure_of(error: grpc.RpcError) -> Failure | None:
    """What it says about Layer's presence; None for an error of Layer's own, or one that nobody but the caller made."""
    if _details(error) is not None or error.code() not in AWAY:
        return None
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Failure.SILENT
    text = error.details() or ""
    return Failure.NOT_SENT if any(words in text for words in NOT_SENT) else Failure.BROKEN


def answer_of(error: grpc.RpcError, made: Exception) -> Failure:
    """What an error that is an answer says about Layer's presence: something before it may have given it."""
    if _details(error) is None:
        return Failure.UNMARKED_ANSWER
    draining = isinstance(made, LayerError) and made.reason == "GATEWAY_DRAINING"
    return Failure.GATEWAY_DRAINING if draining else Failure.LAYER_ANSWER


def raised(error: grpc.RpcError, method: str, effect: Effect) -> Exception:
    """The exception for a failed call; its cause is the original error."""
    failure = failure_of(error)
    made = _layer_error(error, method) if failure is None else away(method, failure, effect)
    made.__cause__ = error
    return made


def away(method: str, failure: Failure, effect: Effect) -> Exception:
    """The exception for a call that Layer has not answered."""
    request = httpx2.Request("POST", f"http://layer{method}")
    name = method.rpartition("/")[2]
    if action(failure, effect, needs_layer=True) is Action.OUTCOME_UNKNOWN:
        message = f"{name}: no answer came ({failure.value}); it may have been done"
        return OutcomeUnknown(message, request=request, operation=name)
    message = f"{name} needs Layer, which is away ({failure.value})"
    return LayerUnavailable(message, request=request, operation=name)


def _details(error: grpc.RpcError) -> bytes | None:
    metadata: Any = error.trailing_metadata()
    found = [value for key, value in metadata or () if key == DETAILS]
    return found[0] if found else None


def _layer_error(error: grpc.RpcError, method: str) -> LayerError:
    status = status_pb2.Status.FromString(_details(error) or b"")
    info, wrong, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    for detail in status.details:
        for message in (info, wrong, retry):
            detail.Unpack(message)
    made = LayerError(method.rpartition("/")[2], error.code().name, info.reason, error.details() or "")
    made.metadata = dict(info.metadata)
    made.fields = {each.field: each.description for each in wrong.field_violations}
    if any(detail.Is(retry.DESCRIPTOR) for detail in status.details):
        made.retry_after_s = retry.retry_delay.ToMilliseconds() / 1000
    return made
