"""Compares two answers, and an answer with what a case expects of it.

Bodies are compared byte by byte. Where a file declares volatile paths (times, dates), the JSON is compared instead,
still with the order of its keys and the spelling of its numbers; a volatile value must be there, and be of one type.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .client import Answer

# Of the headers, those that tell a client how to read the answer and what to do next.
COMPARED_HEADERS = ("content-type", "content-encoding", "location", "preference-applied", "retry-after", "allow")


@dataclass(frozen=True)
class Number:
    """A number as it is spelled: 1.0 is not 1."""

    text: str


Pairs = list[tuple[str, Any]]


@dataclass
class Object:
    """An object with its keys in order, repeated ones too."""

    pairs: Pairs


def differences(origin: Answer, router: Answer, volatile: list[str]) -> list[str]:
    """How the router's answer differs from the origin's."""
    found = []
    if origin.status != router.status:
        found.append(f"status: {origin.status} of the origin, {router.status} through the router")
    for name in COMPARED_HEADERS:
        if (before := origin.headers.get(name)) != (after := router.headers.get(name)):
            found.append(f"header {name}: {before!r} of the origin, {after!r} through the router")
    if origin.body != router.body and masked(origin.body, volatile) != masked(router.body, volatile):
        found.append(f"body:\n  origin: {shown(origin.body)}\n  router: {shown(router.body)}")
    return found


def masked(body: bytes, volatile: list[str]) -> Any:
    try:
        parsed = json.loads(body, object_pairs_hook=Object, parse_int=Number, parse_float=Number)
    except ValueError:
        return body
    if not volatile:
        return body
    for pointer in volatile:
        mask(parsed, pointer.strip("/").split("/"))
    return parsed


def mask(value: Any, path: list[str]) -> None:
    if not isinstance(value, Object):
        return
    for index, (key, inner) in enumerate(value.pairs):
        if key == path[0] and len(path) == 1:
            value.pairs[index] = (key, type(inner).__name__)
        elif key == path[0]:
            mask(inner, path[1:])


def shown(body: bytes) -> str:
    return body[:2000].decode(errors="backslashreplace")


def unmet(answer: Answer, expected: dict[str, Any]) -> list[str]:
    """What of a case's expectations an answer does not meet."""
    found = []
    if answer.status != (status := expected.get("status", 200)):
        found.append(f"status {answer.status}, expected {status}: {shown(answer.body)}")
    if "ids" in expected and (ids := row_ids(answer)) != expected["ids"]:
        found.append(f"ids {ids}, expected {expected['ids']}: {shown(answer.body)}")
    if "answer" in expected and not contains(parsed(answer), expected["answer"]):
        found.append(f"expected {expected['answer']} in: {shown(answer.body)}")
    if "raw" in expected and answer.body.decode(errors="replace") != expected["raw"]:
        found.append(f"expected exactly {expected['raw']!r}: {shown(answer.body)}")
    for text in listed(expected.get("says")):
        if text not in answer.body.decode(errors="replace"):
            found.append(f"expected {text!r} in: {shown(answer.body)}")
    for text in listed(expected.get("silent")):
        if text in answer.body.decode(errors="replace"):
            found.append(f"{text!r} must not be in: {shown(answer.body)}")
    for name, value in expected.get("header", {}).items():
        if answer.headers.get(name) != value:
            found.append(f"header {name} is {answer.headers.get(name)!r}, expected {value!r}")
    return found


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [] if value is None else [value]


def parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def row_ids(answer: Answer) -> list[Any] | None:
    content = parsed(answer)
    rows = content.get("rows") if isinstance(content, dict) else None
    return None if rows is None else [row["id"] for row in rows]


def contains(found: Any, expected: Any) -> bool:
    """Objects may hold more than is expected; lists and scalars are equal."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(k in found and contains(found[k], v) for k, v in expected.items())
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return False
        return all(contains(one, other) for one, other in zip(found, expected, strict=True))
    return type(found) is type(expected) and found == expected


def at(answer: Answer, pointer: str) -> Any:
    value = parsed(answer)
    for part in pointer.strip("/").split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value
