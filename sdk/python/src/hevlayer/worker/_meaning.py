"""What an error says about a worker's call: whether to make it again, to give up what it was about, or to leave it alone.

It follows docs/grpc-errors.md, as the workers that are part of Layer do. What is in doubt is away: it must not make dead letters
of work that is well done.
"""

from __future__ import annotations

from enum import Enum

from .._errors import LayerUnavailable, OutcomeUnknown
from .._grpc_errors import LayerError

CHANGED = ("STALE_VERSION", "DOCUMENT_NOT_FOUND", "PIPELINE_NOT_FOUND", "FUNCTION_NOT_FOUND")
WRONG = ("INVALID_ARGUMENT", "OUT_OF_RANGE")
WRONG_OF_LAYER = ("FAILED_PRECONDITION", "NOT_FOUND", "ALREADY_EXISTS", "DATA_LOSS", "UNIMPLEMENTED")
"""Without a reason these are of something that stands before Layer."""
KEY_REFUSED = ("UNAUTHENTICATED", "PERMISSION_DENIED")


class Meaning(Enum):
    """What an error says about a call."""

    AWAY = "away"
    """Layer, or what it needs, is away or does not let this worker in, and may be back: the call is made again."""
    NEVER = "never"
    """What is in the call will not do, however often it is made."""
    GONE = "gone"
    """The pipeline, the function or the document is not what it was."""


def meaning_of(error: Exception) -> Meaning:
    """What an error says about the call that it ended."""
    if isinstance(error, LayerUnavailable | OutcomeUnknown):
        return Meaning.AWAY
    if not isinstance(error, LayerError):
        return Meaning.NEVER
    if error.reason in CHANGED:
        return Meaning.GONE
    if error.reason == "ROUTER_REFUSED":
        # Operators repair the keys.
        return Meaning.AWAY
    wrong = error.code in WRONG or (error.code in WRONG_OF_LAYER and error.reason)
    return Meaning.NEVER if wrong else Meaning.AWAY


def ends_worker(error: Exception) -> bool:
    """Whether a claim's error is for whoever runs the worker; a key that is refused is."""
    refused = isinstance(error, LayerError) and error.code in KEY_REFUSED
    return refused or meaning_of(error) is not Meaning.AWAY
