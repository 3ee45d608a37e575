"""What a call does to the origin, what went wrong with it, and what is done then: one table.

The table is that of `sdk/operations.json`, which tells the reasons; a test compares both. It must stay free of I/O.
"""

from __future__ import annotations

from enum import Enum


class Effect(Enum):
    """What happens when a call is made twice."""

    READ = "read"
    IDEMPOTENT_WRITE = "idempotent_write"
    UNREPEATABLE_WRITE = "unrepeatable_write"


class Failure(Enum):
    """How a call to Layer ended, if not simply well."""

    # Members are what they are by identity, and each call looks one up.
    __hash__ = object.__hash__

    NOT_SENT = "not_sent"
    BROKEN = "broken"
    SILENT = "silent"
    INGRESS = "ingress"
    GATEWAY_DRAINING = "gateway_draining"
    UPSTREAM_ERROR = "upstream_error"
    MAYBE_APPLIED = "maybe_applied"
    LAYER_ANSWER = "layer_answer"
    ORIGIN_ANSWER = "origin_answer"
    UNMARKED_ANSWER = "unmarked_answer"


class Action(Enum):
    """What becomes of the call."""

    DIRECT = "direct"
    OUTCOME_UNKNOWN = "outcome_unknown"
    LAYER_UNAVAILABLE = "layer_unavailable"
    ANSWER = "answer"


class Weight(Enum):
    """What a failure means to the breaker."""

    OPENS = "opens"
    COUNTS = "counts"
    CLOSES = "closes"
    NONE = "no"


_SENT = {Failure.BROKEN, Failure.SILENT, Failure.INGRESS}
_DIRECT = _SENT | {Failure.NOT_SENT, Failure.GATEWAY_DRAINING, Failure.UPSTREAM_ERROR}
_OUTCOME_UNKNOWN = _SENT | {Failure.UPSTREAM_ERROR}

WEIGHTS = {
    Failure.NOT_SENT: Weight.OPENS,
    Failure.BROKEN: Weight.COUNTS,
    Failure.SILENT: Weight.COUNTS,
    Failure.INGRESS: Weight.COUNTS,
    Failure.GATEWAY_DRAINING: Weight.COUNTS,
    Failure.UPSTREAM_ERROR: Weight.NONE,
    Failure.MAYBE_APPLIED: Weight.CLOSES,
    Failure.LAYER_ANSWER: Weight.CLOSES,
    Failure.ORIGIN_ANSWER: Weight.CLOSES,
    Failure.UNMARKED_ANSWER: Weight.NONE,
}
"""What each failure means to the breaker."""


def action(failure: Failure, effect: Effect, needs_layer: bool) -> Action:
    """What becomes of a call that ended so."""
    if failure not in _DIRECT:
        unsure = failure is Failure.MAYBE_APPLIED and effect is Effect.UNREPEATABLE_WRITE and not needs_layer
        return Action.OUTCOME_UNKNOWN if unsure else Action.ANSWER
    if needs_layer:
        return _without_layer(failure, effect)
    if effect is Effect.UNREPEATABLE_WRITE and failure in _OUTCOME_UNKNOWN:
        return Action.OUTCOME_UNKNOWN
    return Action.DIRECT


def _without_layer(failure: Failure, effect: Effect) -> Action:
    if failure is Failure.NOT_SENT or (failure in _SENT and effect is Effect.READ):
        return Action.LAYER_UNAVAILABLE
    return Action.OUTCOME_UNKNOWN if failure in _SENT else Action.ANSWER
