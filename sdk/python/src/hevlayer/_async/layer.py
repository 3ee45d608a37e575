"""Asks Layer, once."""

from __future__ import annotations

import httpx2

from .._call import Call
from .._outcome import Outcome, failure_of_error, failure_of_response
from .._settings import Settings

TIMEOUT_HEADER = "x-request-timeout-ms"
TIMEOUT_MAX_MS = 86_400_000


class AsyncLayer:
    """Layer's side of a transport. It never raises what says that Layer is away: that is an outcome."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, settings: Settings) -> None:
        self._transport = transport
        self._connect_s = settings.connect_timeout_s

    async def ask(self, call: Call) -> Outcome:
        """Sends the call's request, with a short timeout for connecting."""
        self._limit(call)
        try:
            response = await self._transport.handle_async_request(call.request)
            await response.aread()
        except Exception as error:
            failure = failure_of_error(error)
            if failure is None:
                raise
            return Outcome(failure, error=error)
        return Outcome(failure_of_response(response), response)

    def _limit(self, call: Call) -> None:
        request, timeouts = call.request, call.timeouts
        connect, read = timeouts.get("connect"), timeouts.get("read")
        if connect is None or connect > self._connect_s:
            request.extensions["timeout"] = {**timeouts, "connect": self._connect_s}
        # A router that stood still meanwhile does not send a write that nobody waits for any more. A late read harms nobody.
        if read is not None and not call.may_be_hedged and TIMEOUT_HEADER not in request.headers:
            request.headers[TIMEOUT_HEADER] = str(min(max(int(read * 1000), 1), TIMEOUT_MAX_MS))

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._transport.aclose()
