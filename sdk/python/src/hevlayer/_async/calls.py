"""Layer's own calls over gRPC, to the address that HTTP goes to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import grpc
import httpx2
from google.protobuf.message import Message

from .. import _grpc_errors as errors
from .. import _perf
from .._effects import Effect, Failure
from .._errors import OutcomeUnknown
from .._events import Event, Kind
from .._runtime.aio import Channel
from .._runtime.grpc_types import ChannelOptions, M, Metadata

if TYPE_CHECKING:
    from .client import AsyncShared

READ, IDEMPOTENT, UNREPEATABLE = Effect.READ, Effect.IDEMPOTENT_WRITE, Effect.UNREPEATABLE_WRITE
TIMEOUT_S = 60.0
"""The deadline of a call that is not given one."""
OPTIONS: ChannelOptions = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A router that was restarted is found again soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A suspended router is noticed while a call waits for it.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),
)


def open_channel(layer_url: str, connect_timeout_s: float) -> Channel:
    """A channel to Layer's address; nothing is sent yet."""
    url = httpx2.URL(layer_url)
    tls = url.scheme == "https"
    target = f"{url.host}:{url.port or (443 if tls else 80)}"
    # What the name does not say: gRPC gives one attempt to connect that long.
    limit = ("grpc.min_reconnect_backoff_ms", int(connect_timeout_s * 1000))
    return Channel(target, grpc.ssl_channel_credentials() if tls else None, (*OPTIONS, limit))


class AsyncCalls:
    """What the groups of calls below have in common. A call is made once: repeating it is the caller's decision."""

    _shared: AsyncShared
    api_key: str

    async def _call(
        self, method: str, request: Message, answer: type[M], effect: Effect, timeout: float | None = None
    ) -> M:
        begun = time.monotonic()
        self._fail_fast(method, effect)
        try:
            got, metadata = await self._shared.channel.unary(method, request, answer, *self._with(timeout))
        except grpc.RpcError as error:
            raise self._failed(error, method, effect) from error
        self._answered(begun, metadata)
        return got

    async def _collected(
        self, method: str, request: Message, answer: type[M], effect: Effect, timeout: float | None = None
    ) -> list[M]:
        begun = time.monotonic()
        self._fail_fast(method, effect)
        try:
            got, metadata = await self._shared.channel.collected(method, request, answer, *self._with(timeout))
        except grpc.RpcError as error:
            raise self._failed(error, method, effect) from error
        self._answered(begun, metadata)
        return got

    def _with(self, timeout: float | None) -> tuple[float, Metadata]:
        return timeout or TIMEOUT_S, (("authorization", f"Bearer {self.api_key}"),)

    def _fail_fast(self, method: str, effect: Effect) -> None:
        transport = self._shared.transport
        if transport.falls_through and transport.breaker.is_open:
            transport.look_for_layer()
            transport.tell(Event("unavailable", method.rpartition("/")[2], "open"))
            raise errors.away(method, Failure.NOT_SENT, effect) from transport.breaker.cause

    def _failed(self, error: grpc.RpcError, method: str, effect: Effect) -> Exception:
        failure, made = errors.failure_of(error), errors.raised(error, method, effect)
        transport = self._shared.transport
        if transport.falls_through:
            transport.breaker.note(failure or errors.answer_of(error, made), error)
            if failure is not None:
                unknown = isinstance(made, OutcomeUnknown)
                kind: Kind = "outcome_unknown" if unknown else "unavailable"
                transport.tell(Event(kind, method.rpartition("/")[2], failure.value))
        return made

    def _answered(self, begun: float, metadata: Metadata) -> None:
        self._shared.transport.breaker.note(Failure.LAYER_ANSWER, None)
        _perf.note(begun, dict(metadata), None)
