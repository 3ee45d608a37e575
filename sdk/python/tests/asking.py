"""What tests of the transport ask, on both halves of the SDK."""

from __future__ import annotations

from typing import Any

from halves import Loop, Threads

from fakes import Pair

Half = Threads | Loop
RANKING: Any = ["vector", "ANN", [0.1]]
QUERY = "/v2/namespaces/n/query"


def query(half: Half, client: Any) -> Any:
    return half.run(client.namespace("n").query(rank_by=RANKING, top_k=1))


def write(half: Half, client: Any, namespace: str = "n", **body: Any) -> Any:
    return half.run(client.namespace(namespace).write(**body))


def is_open(client: Any) -> bool:
    opened: bool = client.fall_through.breaker.is_open
    return opened


def told(pair: Pair) -> dict[str, Any]:
    """What Layer was told of, by namespace; None: all of it."""
    kept: dict[str, Any] = {}
    for exchange in pair.layer.requests:
        if exchange.path.endswith("/invalidate"):
            ids = exchange.json().get("ids")
            kept[exchange.path.split("/")[3]] = None if ids is None else set(ids)
    return kept
