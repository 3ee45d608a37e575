"""A scripted origin that keeps rows: it answers queries by id and takes writes by id, as the wire does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from .client import ask
from .origin import Exchange
from .programs import Program
from .wire import Message

NS = "ns"
JSON = [("content-type", "application/json")]
NOT_FOUND = {"status": "error", "error": "🤷 namespace 'nope' was not found"}

Id = int | str


class Rows:
    """`origin.script = Rows({1: {"a": 1}})`. Its ids are all integers or all strings."""

    def __init__(self, rows: dict[Id, dict[str, Any]], before: Callable[[Exchange], None] | None = None) -> None:
        self.rows = rows
        self.queries: list[list[Id]] = []
        self.before = before
        """Called when a query has been read, before it looks at the rows."""
        self.lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        exchange.read_body()
        body = json.loads(exchange.request.body or b"{}")
        if exchange.request.target.endswith("/query"):
            self.query(exchange, body)
        else:
            self.write(exchange, body)

    def query(self, exchange: Exchange, body: dict[str, Any]) -> None:
        attribute, operator, ids = body["filters"]
        assert (attribute, operator, len(ids)) == ("id", "In", body["limit"]), body
        assert body["include_attributes"] is True, body
        assert body["consistency"] == {"level": "strong"}, body
        with self.lock:
            self.queries.append(ids)
        if self.before:
            self.before(exchange)
        if {type(id_) for id_ in ids} != {self.kind()}:
            return exchange.reply_json({"status": "error", "error": "💔 wrong type"}, "400 Bad Request")
        found = [{"id": id_, **self.rows[id_]} for id_ in sorted(ids) if id_ in self.rows]
        exchange.reply_json({"rows": found, "billing": {}, "performance": {}})
        return None

    def write(self, exchange: Exchange, body: dict[str, Any]) -> None:
        for row in body.get("upsert_rows", []):
            self.rows[row["id"]] = {name: value for name, value in row.items() if name != "id"}
        for id_ in body.get("deletes", []):
            self.rows.pop(id_, None)
        exchange.reply_json({"status": "OK", "rows_affected": 1})

    def kind(self) -> type:
        return type(next(iter(self.rows), 0))

    def asked(self) -> list[Id]:
        """Every id that was asked for, in order."""
        return [id_ for ids in self.queries for id_ in ids]


def fetch(router: Program, id_: str | int, query: str = "", **options: Any) -> Message:
    return ask(router.url, "GET", f"/v2/namespaces/{NS}/documents/{id_}{query}", **options)


def batch(router: Program, body: Any, **options: Any) -> Message:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask(router.url, "POST", f"/v2/namespaces/{NS}/documents", data, JSON, **options)


def shown(answer: Message) -> Any:
    """The body of a good answer."""
    assert answer.status == 200, answer.body
    assert answer.complete
    assert answer.get("x-layer-served-by") == "layer"
    return json.loads(answer.body)
