"""Reads the case files. What a key means is told in cases/README.md; a key that is not known is an error."""

from __future__ import annotations

import base64
import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .client import Request

FOLDER = Path(__file__).parent.parent / "cases"
FILE_KEYS = {"about", "volatile", "query_defaults", "setup", "cases"}
REQUEST_KEYS = {"request", "query", "write", "json", "text", "times", "base64", "headers", "without", "gzip"}
ANSWER_KEYS = {"status", "ids", "answer", "says", "silent", "header", "raw"}
CASE_KEYS = REQUEST_KEYS | ANSWER_KEYS | {"name", "before", "keep", "router"}
ROUTER_KEYS = ANSWER_KEYS | {"reason", "by"}
DEFAULT_HEADERS = {
    "authorization": f"Bearer {os.environ.get('LAYER_TEST_API_KEY', 'test')}",
    "content-type": "application/json",
    "accept-encoding": "identity",
}


@dataclass(frozen=True)
class CaseFile:
    name: str
    volatile: list[str]
    query_defaults: dict[str, Any]
    setup: list[dict[str, Any]]
    cases: list[dict[str, Any]]


def load_all() -> list[CaseFile]:
    return [load(path) for path in sorted(FOLDER.glob("*.yaml"))]


def load(path: Path) -> CaseFile:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    known(path.name, content, FILE_KEYS)
    for case in content["cases"]:
        check_case(path.name, case)
    names = [case["name"] for case in content["cases"]]
    if len(set(names)) != len(names):
        raise ValueError(f"{path.name}: a name is used twice: {sorted(n for n in names if names.count(n) > 1)}")
    return CaseFile(
        path.stem,
        content.get("volatile", []),
        content.get("query_defaults", {}),
        content.get("setup", []),
        content["cases"],
    )


def check_case(file: str, case: dict[str, Any]) -> None:
    where = f"{file}: {case.get('name')}"
    known(where, case, CASE_KEYS)
    if sum(key in case for key in ("request", "query", "write")) != 1:
        raise ValueError(f"{where}: one of request, query and write is needed")
    if "router" in case:
        known(where, case["router"], ROUTER_KEYS)
        if not case["router"].get("reason"):
            raise ValueError(f"{where}: router needs a reason")


def known(where: str, content: dict[str, Any], keys: set[str]) -> None:
    if unknown := content.keys() - keys:
        raise ValueError(f"{where}: unknown keys {sorted(unknown)}")


def build(step: dict[str, Any], names: dict[str, str], query_defaults: dict[str, Any]) -> Request:
    """The request of a case or of a step of its set-up; `{ns}` and the like are replaced everywhere."""
    method, path = "POST", "/v2/namespaces/{ns}"
    body = step.get("json")
    if "query" in step:
        path += "/query"
        body = {key: value for key, value in (query_defaults | step["query"]).items() if value != "$none"}
    elif "write" in step:
        body = step["write"]
    else:
        method, path = step["request"].split(" ", 1)
    headers = {name: value for name, value in DEFAULT_HEADERS.items() if name not in step.get("without", [])}
    headers |= step.get("headers", {})
    content = encode(step, body, names)
    if content is not None and step.get("gzip"):
        content = gzip.compress(content)
        headers["content-encoding"] = "gzip"
    return Request(method, filled(path, names), headers, content)


def encode(step: dict[str, Any], body: Any, names: dict[str, str]) -> bytes | None:
    if "base64" in step:
        return base64.b64decode(step["base64"])
    if "text" in step:
        return filled(step["text"] * step.get("times", 1), names).encode()
    if body is None:
        return None
    return filled(json.dumps(body, ensure_ascii=False, separators=(",", ":")), names).encode()


def filled(text: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text
