"""What the tests stand in for: Layer and Turbopuffer, on sockets."""

from __future__ import annotations

from .server import Exchange, Server, answers, layer_error, reset, silent
from .turbopuffer import LAYER_KEY, TURBOPUFFER_KEY, Pair, layer_script

__all__ = [
    "LAYER_KEY",
    "TURBOPUFFER_KEY",
    "Exchange",
    "Pair",
    "Server",
    "answers",
    "layer_error",
    "layer_script",
    "reset",
    "silent",
]
