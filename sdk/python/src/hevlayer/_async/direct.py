"""Asks Turbopuffer directly, once."""

from __future__ import annotations

import httpx2

from .._address import Addresses
from .._call import Call
from .._effects import Failure
from .._events import Event, Events, span
from .._outcome import Outcome, failure_of_error
from .healer import AsyncHealer


class AsyncDirect:
    """Turbopuffer's side of a transport. Whatever it writes, the healer learns of."""

    def __init__(
        self, transport: httpx2.AsyncBaseTransport, addresses: Addresses, healer: AsyncHealer, events: Events
    ) -> None:
        self._transport = transport
        self._addresses = addresses
        self._healer = healer
        self._events = events

    async def ask(self, call: Call, reason: str) -> Outcome:
        """Sends the call's request to Turbopuffer, under its key."""
        self._events.tell(Event("hedge" if reason == "hung" else "fallback", call.operation, reason))
        with span(call.operation, reason):
            written = call.written
            if written is None:
                return await self._send(call)
            try:
                outcome = await self._send(call)
            except BaseException:
                # It was cancelled, or interrupted: the write may have been applied.
                self._healer.owe(written)
                raise
            if outcome.changed_nothing:
                return outcome
            if reason == Failure.SILENT.value:
                # Who was silent for the call's whole timeout would be silent again: the probe tells it.
                self._healer.owe(written)
            else:
                await self._healer.wrote(written)
            return outcome

    async def _send(self, call: Call) -> Outcome:
        try:
            response = await self._transport.handle_async_request(call.to_turbopuffer())
            await response.aread()
        except Exception as error:
            failure = failure_of_error(error)
            if failure is None:
                raise
            return Outcome(failure, error=error)
        location = response.headers.get("location")
        if location is not None:
            response.headers["location"] = self._addresses.location_at_layer(location)
        return Outcome(Failure.ORIGIN_ANSWER, response)

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._transport.aclose()
