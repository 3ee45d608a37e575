"""The errors that this package adds to the official client's.

Both below are connection errors of the official client, so that what handles those handles these. The official client
never repeats a call that ended with one of them (`_responses` says how).
"""

from __future__ import annotations

import httpx2
from turbopuffer import APIConnectionError, TurbopufferError


class LayerUnavailable(APIConnectionError):
    """Layer cannot be reached, and the call needs it. `__cause__` is the original error; nothing was done."""

    def __init__(self, message: str, *, request: httpx2.Request, operation: str | None) -> None:
        super().__init__(message=message, request=request)
        self.operation = operation
        """The operation by its name in `sdk/operations.json`, or None for one that is not listed."""


class OutcomeUnknown(APIConnectionError):
    """A write that must not be repeated was sent, and no answer came: it may have been applied.

    `__cause__` is the original error. Look at what is there before you write again.
    """

    def __init__(self, message: str, *, request: httpx2.Request, operation: str | None) -> None:
        super().__init__(message=message, request=request)
        self.operation = operation
        """The operation by its name in `sdk/operations.json`, or None for one that is not listed."""


class SameAddress(TurbopufferError):
    """There is no way past Layer where its address is given as Turbopuffer's: it would be shown the Turbopuffer key."""


class LayerRefused(Exception):
    """The cause where Layer answered that it is stopping, could not reach Turbopuffer, or does not know what it did."""


class UnmarkedAnswer(Exception):
    """The cause where something before Layer answered in its place."""


class NoAnswerInTime(Exception):
    """The cause where Layer was still silent when Turbopuffer had answered a hedge."""
