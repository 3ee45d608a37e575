"""How Layer is, as a client sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerStatus:
    """How Layer is, as a client sees it."""

    ready: bool
    """Whether it said so just now."""
    taken_for_away: bool
    """Whether calls go past it at present."""
