"""A function as its workers and operators call it, and the rows that it is for, as the origin has them."""

from __future__ import annotations

import json
from typing import Any

from .client import ask
from .pipelines import Service
from .programs import Program

DONE = "ITEM_STATUS_DONE"
OBSOLETE = "ITEM_STATUS_OBSOLETE"
NOT_FOUND = "ITEM_STATUS_NOT_FOUND"
STALE_TOKEN = "ITEM_STATUS_STALE_TOKEN"


class Table:
    """The rows of a namespace: written through the router, looked at where the origin keeps them."""

    def __init__(self, name: str, router: Program, origin: Program) -> None:
        self.name, self.router, self.origin = name, router, origin

    def write(self, **body: Any) -> None:
        answer = ask(self.router.url, "POST", f"/v2/namespaces/{self.name}", json.dumps(body).encode())
        assert answer.status == 200, answer.body

    def put(self, *rows: dict[str, Any]) -> None:
        self.write(upsert_rows=list(rows))

    def rows(self) -> dict[int | str, dict[str, Any]]:
        """All rows with all they have, Layer's own attributes too, but the stamps."""
        query = {"rank_by": ["id", "asc"], "limit": 10_000, "include_attributes": True}
        answer = ask(self.origin.url, "POST", f"/v2/namespaces/{self.name}/query", json.dumps(query).encode())
        assert answer.status == 200, answer.body
        found = {}
        for row in json.loads(answer.body)["rows"]:
            row.pop("_hevlayer_upserted_at", None)
            found[row.pop("id")] = row
        return found


class Function:
    """Calls of one function."""

    def __init__(self, service: Service, name: str) -> None:
        self.service, self.name = service, name
        self.mark = f"_hevlayer_udf_{name.replace('-', '_')}_v"

    def call(self, method: str, **fields: Any) -> Any:
        return self.service.call(method, function_id=self.name, **fields)

    def discover(self) -> int:
        return int(self.call("Discover")["enqueued"])

    def claim(self, worker: str = "w", **fields: Any) -> list[dict[str, Any]]:
        return self.call("Claim", worker_id=worker, **fields)["items"]

    def complete(self, items: list[dict[str, Any]], **attributes: Any) -> list[str]:
        """Completes items, all with the same attributes: texts, numbers, lists of numbers as vectors."""
        gained = {name: value(given) for name, given in attributes.items()}
        completed = [{"item": guard(item), "attributes": gained} for item in items]
        return [result["status"] for result in self.call("Complete", items=completed)["results"]]

    def fail(self, items: list[dict[str, Any]], kind: str, message: str = "no") -> list[str]:
        failed = [{"item": guard(item), "kind": f"FAILURE_KIND_{kind.upper()}", "message": message} for item in items]
        return [result["status"] for result in self.call("Fail", items=failed)["results"]]

    def status(self) -> dict[str, Any]:
        return self.call("GetFunction")["status"]

    def counts(self) -> dict[str, int]:
        status = self.status()
        return {state: int(status[state]) for state in ("ready", "delayed", "leased", "dead")}


def guard(item: dict[str, Any]) -> dict[str, Any]:
    return {"namespace": item["namespace"], "id": item["id"], "token": item["token"]}


def value(given: str | float | list[float]) -> dict[str, Any]:
    match given:
        case str():
            return {"string_value": given}
        case int():
            return {"int_value": given}
        case float():
            return {"float_value": given}
        case _:
            return {"dense_vector": {"floats": {"values": given}}}


def number(item: dict[str, Any]) -> int:
    """The id of a claimed row, an integer."""
    return int(item["id"]["uint_value"])
