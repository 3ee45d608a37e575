"""What is at the origin in the end."""

from __future__ import annotations

import json
from typing import Any

from harness.client import ask
from harness.programs import Program


def rows(origin: Program, namespace: str) -> dict[str, tuple[str, list[float]]]:
    """Text and vector of every row, by id."""
    found: dict[str, Any] = {}
    after: str | None = None
    while True:
        query: dict[str, Any] = {"rank_by": ["id", "asc"], "limit": 1000, "include_attributes": ["text", "vector"]}
        if after is not None:
            query["filters"] = ["id", "Gt", after]
        answer = ask(origin.url, "POST", f"/v2/namespaces/{namespace}/query", json.dumps(query).encode())
        if answer.status == 404:
            return {}
        assert answer.status == 200, answer.body
        page = json.loads(answer.body)["rows"]
        found |= {one["id"]: (one["text"], one["vector"]) for one in page}
        if len(page) < 1000:
            return found
        after = page[-1]["id"]
