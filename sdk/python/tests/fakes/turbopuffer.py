"""Layer and Turbopuffer side by side, and clients of both kinds for them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hevlayer import AsyncHevlayer, Event, Hevlayer, Settings

from .server import Exchange, Script, Server, answers

LAYER_KEY = "key-of-layer"
TURBOPUFFER_KEY = "key-of-turbopuffer"
FAST = Settings(
    probe_initial_s=0.05, probe_max_s=0.2, probe_timeout_s=10, hedge_delay_default_s=10, connect_timeout_s=10
)
"""Layer is looked for often; nothing but what a test does makes calls go direct, also where the machine stands still."""

ROWS: dict[str, Any] = {"rows": [{"id": 1, "$dist": 0.5}], "billing": {}, "performance": {}}
WRITTEN: dict[str, Any] = {"status": "OK", "message": "", "rows_affected": 1, "billing": {}}


def hedging(delay_s: float, **more: Any) -> Settings:
    """Those, and reads of a silent Layer are hedged soon."""
    return replace(FAST, hedge_delay_default_s=delay_s, **more)


def turbopuffer_script(exchange: Exchange) -> None:
    """Answers as Turbopuffer does, so far as clients look at it."""
    _answer(exchange)


def layer_script(exchange: Exchange) -> None:
    """Answers as Layer does."""
    if exchange.path.endswith("/invalidate"):
        exchange.answer(200, {"status": "OK"}, x_layer_served_by="layer")
    else:
        _answer(exchange, x_layer_served_by="origin")


def _answer(exchange: Exchange, **headers: str) -> None:
    if exchange.method == "GET" and exchange.path == "/v1/namespaces":
        exchange.answer(200, {"namespaces": [{"id": "a"}, {"id": "b"}], "next_cursor": None}, **headers)
    elif exchange.path.endswith(("/query", "/explain_query")):
        exchange.answer(200, ROWS, **headers)
    elif exchange.method == "POST" and exchange.path.startswith("/v2/namespaces/"):
        exchange.answer(200, WRITTEN, **headers)
    else:
        exchange.answer(200, {}, **headers)


@dataclass
class Pair:
    """Layer, Turbopuffer, and what the client said."""

    layer: Server = field(default_factory=lambda: Server(layer_script))
    turbopuffer: Server = field(default_factory=lambda: Server(turbopuffer_script))
    events: list[Event] = field(default_factory=list)

    def options(self, **more: Any) -> dict[str, Any]:
        return {
            "base_url": self.layer.url,
            "api_key": LAYER_KEY,
            "turbopuffer_api_key": TURBOPUFFER_KEY,
            "turbopuffer_base_url": self.turbopuffer.url,
            "settings": FAST,
            "on_event": self.events.append,
            "max_retries": 0,
        } | more

    def client(self, **more: Any) -> Hevlayer:
        return Hevlayer(**self.options(**more))

    def async_client(self, **more: Any) -> AsyncHevlayer:
        return AsyncHevlayer(**self.options(**more))

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def layer_answers(self, script: Script) -> None:
        """Layer answers all calls so, and heals as ever."""

        def answer(exchange: Exchange) -> None:
            (layer_script if exchange.path.endswith("/invalidate") else script)(exchange)

        self.layer.script = answer

    def stop(self) -> None:
        self.layer.stop()
        self.turbopuffer.stop()


__all__ = ["FAST", "LAYER_KEY", "ROWS", "TURBOPUFFER_KEY", "WRITTEN", "Pair", "answers", "hedging", "layer_script"]
