"""The transport that falls through: below the official client, above its connections.

One call makes at most one attempt at Layer and one at Turbopuffer. Retries are the official client's business, above; none are
made here, so they never multiply.
"""

from __future__ import annotations

import time

import httpx2
from typing_extensions import override

from .. import _perf
from .._address import Addresses
from .._breaker import Breaker
from .._call import Call
from .._effects import Action, Failure, action
from .._errors import LayerUnavailable, NoAnswerInTime, OutcomeUnknown
from .._events import Event, Events, OnEvent
from .._hedge import Hedge
from .._outcome import Outcome
from .._responses import FinalError
from .._runtime.aio import Racer, default_transport
from .._settings import Settings
from .direct import AsyncDirect
from .healer import AsyncHealer
from .layer import AsyncLayer
from .probe import AsyncProbe


class AsyncFallThroughTransport(httpx2.AsyncBaseTransport):
    """Sends requests to Layer, and past it to Turbopuffer while Layer is away.

    `AsyncHevlayer` has one. To put one into an official client that you have::

        transport = AsyncFallThroughTransport(layer_url, turbopuffer_url=..., turbopuffer_api_key=...)
        client = AsyncTurbopuffer(
            base_url=layer_url, api_key=layer_key, http_client=DefaultAsyncHttpxClient(transport=transport)
        )

    The requests carry Layer's key, which goes to Layer alone, as `turbopuffer_api_key` goes to Turbopuffer alone. Without
    `turbopuffer_url` or `turbopuffer_api_key`, or with `fallback_to_turbopuffer=False`, every error is the original one.
    Requests for another address than `layer_url` pass as they are.

    `on_event` is told of transitions and of calls that went direct or failed. `layer_transport` and `turbopuffer_transport`
    are what requests are sent with, for example through a proxy; by default, transports like the official client's.
    """

    def __init__(
        self,
        layer_url: str,
        *,
        turbopuffer_url: str | None = None,
        turbopuffer_api_key: str | None = None,
        fallback_to_turbopuffer: bool = True,
        settings: Settings | None = None,
        on_event: OnEvent | None = None,
        layer_transport: httpx2.AsyncBaseTransport | None = None,
        turbopuffer_transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        settings = settings or Settings()
        self._addresses = Addresses(layer_url, turbopuffer_url, turbopuffer_api_key)
        self.falls_through = fallback_to_turbopuffer and self._addresses.can_go_direct
        """Whether calls go past Layer while it is away."""
        self._events = Events(on_event)
        self.breaker = Breaker(settings.failures_to_open, self._transition)
        """Whether Layer is taken for away."""
        self._transport = layer_transport or default_transport()
        self._healer = AsyncHealer(self._transport, self._addresses, settings, self.breaker, self._events)
        self._probe = AsyncProbe(self._healer, self.breaker, settings)
        self._layer = AsyncLayer(self._transport, settings)
        self._direct = AsyncDirect(
            turbopuffer_transport or default_transport(), self._addresses, self._healer, self._events
        )
        self._probe_path = settings.probe_path
        self._hedges = settings.hedge
        self._hedge = Hedge(settings)
        self._racer = Racer(
            self._layer.ask,
            lambda call: self._direct.ask(call, "hung"),
            lambda: self._hedge.delay_s,
            lambda call: not call.needs_layer and self._hedge.take(self.breaker.suspicious),
            _is_answer,
            lambda outcome: outcome.is_definite,
        )

    def _transition(self, is_open: bool, why: str) -> None:
        self._events.transition(is_open, why)
        if is_open:
            self._probe.start()

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answers one request: of Layer, or of Turbopuffer."""
        path = self._addresses.path_at_layer(request.url)
        if path is None:
            return await self._transport.handle_async_request(request)
        await request.aread()
        call = Call(request, path, self._addresses)
        if self.falls_through:
            self._healer.headers = request.headers
            response, fallback = await self._answer(call)
        else:
            response, fallback = await self._transport.handle_async_request(request), None
        _perf.note(call.begun, response.headers, fallback)
        return response

    async def _answer(self, call: Call) -> tuple[httpx2.Response, str | None]:
        if self.breaker.is_open:
            self._probe.start()
            if call.needs_layer:
                return self._final(call, Action.LAYER_UNAVAILABLE, self.breaker.cause, "open"), None
            return await self._past_layer(call, self.breaker.cause, "open")
        direct = None
        if self._hedges and call.may_be_hedged:
            layer, direct = await self._raced(call)
        else:
            layer = await self._layer.ask(call)
        if layer is None:
            assert direct is not None
            return self._hung(call, direct)
        if layer.failure in _ANSWERS:
            self.breaker.note(layer.failure, None)
            return layer.result(), None
        return await self._after(call, layer, direct)

    async def _raced(self, call: Call) -> tuple[Outcome | None, Outcome | None]:
        self._hedge.called()
        layer, direct = await self._racer.race(call)
        if layer is not None and layer.failure in _ANSWERS:
            self._hedge.answered(time.monotonic() - call.begun)
        return layer, direct

    def _hung(self, call: Call, direct: Outcome) -> tuple[httpx2.Response, str | None]:
        """Turbopuffer has answered while Layer was silent."""
        self.breaker.note(Failure.SILENT, NoAnswerInTime("Layer had not answered when Turbopuffer had"))
        self._events.tell(Event("fallback", call.operation, "hung"))
        return direct.result(), _perf.DIRECT

    async def _after(self, call: Call, layer: Outcome, direct: Outcome | None) -> tuple[httpx2.Response, str | None]:
        """Does what the table says of how Layer's attempt has ended, where that was no plain answer."""
        self.breaker.note(layer.failure, layer.cause)
        what = action(layer.failure, call.effect, call.needs_layer)
        if what is Action.ANSWER:
            return layer.result(), None
        if what is not Action.DIRECT:
            return self._final(call, what, layer.cause, layer.failure.value), None
        if direct is not None:
            return self._result(call, direct, layer.cause), _perf.DIRECT
        return await self._past_layer(call, layer.cause, layer.failure.value)

    async def _past_layer(
        self, call: Call, cause: BaseException | None, reason: str
    ) -> tuple[httpx2.Response, str | None]:
        return self._result(call, await self._direct.ask(call, reason), cause), _perf.DIRECT

    def _result(self, call: Call, direct: Outcome, cause: BaseException | None) -> httpx2.Response:
        if direct.error is None:
            return direct.result()
        if action(direct.failure, call.effect, needs_layer=False) is Action.OUTCOME_UNKNOWN:
            # The official client repeats whatever raises.
            return self._final(call, Action.OUTCOME_UNKNOWN, direct.error, direct.failure.value)
        raise direct.error from cause

    def _final(self, call: Call, what: Action, cause: BaseException | None, reason: str) -> httpx2.Response:
        unknown = what is Action.OUTCOME_UNKNOWN
        self._events.tell(Event("outcome_unknown" if unknown else "unavailable", call.operation, reason))
        name = call.operation or f"{call.request.method} {call.request.url.path}"
        if unknown:
            message = f"{name}: no answer came ({reason}); it may have been applied, and must not be repeated blindly"
            return FinalError(OutcomeUnknown(message, request=call.request, operation=call.operation), cause)
        message = f"{name} needs Layer, which is away ({reason})"
        return FinalError(LayerUnavailable(message, request=call.request, operation=call.operation), cause)

    def tell(self, event: Event) -> None:
        """Tells the application's hook of a call that did not come here."""
        self._events.tell(event)

    def look_for_layer(self) -> None:
        """Sees to it that a probe looks for Layer while it is taken for away."""
        if self.breaker.is_open:
            self._probe.start()

    async def ready(self) -> bool:
        """Whether Layer says that it is ready; asks it once."""
        return await self._healer.ready(self._probe_path)

    @override
    async def aclose(self) -> None:
        """Closes connections, and ends all that runs in the background."""
        await self._probe.aclose()
        await self._racer.aclose()
        await self._layer.aclose()
        await self._direct.aclose()


_ANSWERS = (Failure.ORIGIN_ANSWER, Failure.LAYER_ANSWER)


def _is_answer(outcome: Outcome) -> bool:
    """Whether it is an answer whatever the call is."""
    return outcome.failure in _ANSWERS or outcome.failure is Failure.UNMARKED_ANSWER
