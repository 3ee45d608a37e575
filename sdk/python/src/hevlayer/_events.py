"""What the application is told: one warning per transition, events for its counters, spans where it has OpenTelemetry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

log = logging.getLogger("hevlayer")


Kind = Literal["opened", "closed", "fallback", "hedge", "unavailable", "outcome_unknown", "untold"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth counting."""

    kind: Kind
    """`opened` and `closed` are transitions of the breaker; `untold` says that Layer could not be told what was written past it;
    the others are calls."""
    operation: str | None
    """The call's operation, as `sdk/operations.json` names it."""
    reason: str
    """Why: a failure by its name in `sdk/operations.json`, `open` for a call that was not tried through Layer, or `hung`."""


OnEvent = Callable[[Event], None]


class Events:
    """Tells the application; what its hook raises is logged and goes no further."""

    def __init__(self, on_event: OnEvent | None) -> None:
        self._on_event = on_event

    def transition(self, is_open: bool, why: str) -> None:
        """Layer went away, or is back."""
        if is_open:
            log.warning("Layer is away (%s): calls that can go to Turbopuffer directly do", why)
        else:
            log.warning("Layer is back: calls go through it again")
        self.tell(Event("opened" if is_open else "closed", None, why))

    def tell(self, event: Event) -> None:
        """Hands an event to the hook."""
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:
            log.exception("on_event failed")


def _tracer() -> Tracer | None:
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace.get_tracer("hevlayer")


_TRACER = _tracer()


@contextmanager
def span(operation: str | None, reason: str) -> Iterator[None]:
    """A span around a call that goes past Layer, where the application has OpenTelemetry."""
    if _TRACER is None:
        yield
        return
    attributes = {"layer.fallback": "turbopuffer_direct", "layer.reason": reason}
    with _TRACER.start_as_current_span(f"turbopuffer {operation}", attributes=attributes):
        yield
