"""What the tests stand in for: Layer and Turbopuffer, on sockets."""

from __future__ import annotations

from .server import Exchange, Server, answers, layer_error, reset, silent
from .turbopuffer import FAST, LAYER_KEY, TURBOPUFFER_KEY, Pair, hedging, layer_script, turbopuffer_script

__all__ = [
    "FAST",
    "LAYER_KEY",
    "TURBOPUFFER_KEY",
    "Exchange",
    "Pair",
    "Server",
    "answers",
    "hedging",
    "layer_error",
    "layer_script",
    "reset",
    "silent",
    "turbopuffer_script",
]
