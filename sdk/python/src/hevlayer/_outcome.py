"""How a call ended, told apart by errors and answers."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
import httpx2
import orjson

from ._effects import Failure
from ._errors import LayerRefused, UnmarkedAnswer

SERVED_BY = "x-layer-served-by"


@dataclass(slots=True)
class Outcome:
    """An answer or an error of one attempt."""

    failure: Failure
    response: httpx2.Response | None = None
    error: Exception | None = None

    @property
    def cause(self) -> Exception | None:
        """What an error that is made of this has as its cause."""
        if self.error is not None or self.response is None:
            return self.error
        status = self.response.status_code
        if self.failure is Failure.INGRESS:
            return UnmarkedAnswer(f"{status} without {SERVED_BY}")
        return LayerRefused(f"{status} {self.failure.value}")

    @property
    def is_definite(self) -> bool:
        """Whether Turbopuffer has answered for good, so that nobody else need be waited for."""
        response = self.response
        return response is not None and response.status_code < 500 and response.status_code not in (401, 403, 408, 429)

    @property
    def changed_nothing(self) -> bool:
        """Whether a write was certainly not applied."""
        return self.response is not None and 400 <= self.response.status_code < 500

    def result(self) -> httpx2.Response:
        """The answer; raises the error."""
        if self.response is None:
            assert self.error is not None
            raise self.error
        return self.response


def failure_of_error(error: Exception) -> Failure | None:
    """What an attempt's error means; None for one that says nothing of the other side."""
    match error:
        case httpx2.PoolTimeout() | httpx2.LocalProtocolError() | httpx2.UnsupportedProtocol():
            return None
        case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.ProxyError():
            return Failure.NOT_SENT
        case httpx2.TimeoutException():
            return Failure.SILENT
        case httpx2.TransportError() | aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError() | OSError():
            return Failure.BROKEN
        case aiohttp.ClientResponseError():
            return Failure.BROKEN
    return None


def failure_of_response(response: httpx2.Response) -> Failure:
    """What an answer means. The body of a refusal must have been read."""
    served_by, status = response.headers.get(SERVED_BY), response.status_code
    if served_by is None:
        return Failure.INGRESS if status in (502, 503, 504) else Failure.UNMARKED_ANSWER
    if served_by == "layer" and status in (502, 503, 504):
        return _REFUSALS.get((status, _code(response)), Failure.LAYER_ANSWER)
    return Failure.LAYER_ANSWER if served_by == "layer" else Failure.ORIGIN_ANSWER


_REFUSALS: dict[tuple[int, str | None], Failure] = {
    (503, "gateway_draining"): Failure.GATEWAY_DRAINING,
    (502, "upstream_error"): Failure.UPSTREAM_ERROR,
    (503, "doc_cache_unavailable"): Failure.MAYBE_APPLIED,
    (504, "gateway_timeout"): Failure.MAYBE_APPLIED,
}


def _code(response: httpx2.Response) -> str | None:
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    code = body.get("error") if isinstance(body, dict) else None
    return code if isinstance(code, str) else None
