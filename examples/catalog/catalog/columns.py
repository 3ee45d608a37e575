"""The schema of documents that come without one: found from their values, refused where values disagree.

Turbopuffer infers types too, but not floats, and it would refuse a disagreement only after part of the file was sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .model import VERSION_ATTRIBUTE, CatalogError, Questions, Row

MAX_COLUMNS = 1000
MAX_NAME_BYTES = 128
_INTEGER_RANGE = range(-(2**63), 2**63)
# Turbopuffer filters on values of up to 4 KiB; a shorter bound keeps prose out of the tables.
_FILTERABLE_BYTES = 256
_MAX_GROUPS = 1000
_MAX_SHOWN_COLUMNS = 3
_QUERY_WORDS = 3


class LineError(Exception):
    """What is wrong with one line, beginning with the field where there is one."""


@dataclass
class _Column:
    kind: str
    longest_bytes: int = 0
    values: set[str] = field(default_factory=set)

    @property
    def is_text(self) -> bool:
        return self.kind in ("string", "[]string")

    @property
    def is_filterable(self) -> bool:
        return self.longest_bytes <= _FILTERABLE_BYTES


class Columns:
    """What has been seen of each attribute so far."""

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}

    def add(self, row: Row) -> None:
        """Takes in one row's attributes (without its id), all or none. Raises `LineError` naming the field."""
        kinds = {name: self._kind_with_row(name, value) for name, value in row.items() if value is not None}
        if len(self._columns.keys() | kinds.keys()) > MAX_COLUMNS:
            raise LineError(f"{next(iter(kinds.keys() - self._columns.keys()))}: more than {MAX_COLUMNS} attributes")
        for name, kind in kinds.items():
            self._note(name, kind, row[name])

    def schema(self) -> dict[str, Any]:
        """Every string is searchable by full text; a short one can be filtered and counted as well."""
        return {name: _schema_of(column) for name, column in self._columns.items()}

    def questions(self, rows: list[Row], text: str | None, source: str) -> Questions:
        """The three queries for these documents. Raises `CatalogError` if no attribute holds text."""
        texts = [name for name, column in self._columns.items() if column.is_text]
        if not texts:
            raise CatalogError(f"{source}: no document has a text attribute, so there is nothing to search.")
        names = list(self._columns)
        return Questions(
            text=text or _words_of(rows, texts),
            text_attributes=dict.fromkeys(texts, 1.0),
            columns=["id", *names[:_MAX_SHOWN_COLUMNS]],
            record=names,
            group_by=self._group_by(),
        )

    def _kind_with_row(self, name: str, value: Any) -> str:
        _check_name(name)
        kind = _kind_of(name, value)
        column = self._columns.get(name)
        return kind if column is None else _merged(name, column.kind, kind)

    def _note(self, name: str, kind: str, value: Any) -> None:
        column = self._columns.setdefault(name, _Column(kind))
        column.kind = kind
        for text in [value] if isinstance(value, str) else value if kind == "[]string" else []:
            column.longest_bytes = max(column.longest_bytes, len(text.encode()))
        if kind == "string" and column.is_filterable and len(column.values) <= _MAX_GROUPS:
            column.values.add(value)

    def _group_by(self) -> str | None:
        """The filterable string attribute with the fewest values, if any repeats enough to be worth counting."""
        candidates = {
            name: len(column.values)
            for name, column in self._columns.items()
            if column.kind == "string" and column.is_filterable and 2 <= len(column.values) <= _MAX_GROUPS
        }
        return min(candidates, key=candidates.__getitem__, default=None)


def _check_name(name: str) -> None:
    if not name or len(name.encode()) > MAX_NAME_BYTES:
        raise LineError(f"{name[:40]!r}: an attribute's name must have 1 to {MAX_NAME_BYTES} bytes")
    if name.startswith(("$", "_hevlayer_")) or name in (VERSION_ATTRIBUTE, "vector"):
        raise LineError(f"{name}: this name is reserved; rename the attribute")


def _kind_of(name: str, value: Any) -> str:
    if not isinstance(value, list):
        return _scalar_kind(name, value)
    kinds = {_scalar_kind(name, item) for item in value}
    if kinds == {"int", "float"}:
        kinds = {"float"}
    if len(kinds) > 1:
        raise LineError(f"{name}: an array must hold values of one type")
    return f"[]{kinds.pop()}" if kinds else "[]"


def _scalar_kind(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int) and value not in _INTEGER_RANGE:
        raise LineError(f"{name}: an integer outside the 64-bit range")
    kind = {int: "int", float: "float", str: "string"}.get(type(value))
    if kind is None:
        raise LineError(f"{name}: objects, nested arrays and nulls in arrays cannot be stored; flatten the document")
    return kind


def _merged(name: str, old: str, new: str) -> str:
    if old == new or {old, new} == {"int", "float"}:
        return old if old == new else "float"
    if old.startswith("[]") and new.startswith("[]"):
        if "[]" in (old, new):
            return max(old, new)
        if {old, new} == {"[]int", "[]float"}:
            return "[]float"
    raise LineError(f"{name}: {new} here, but {old} in an earlier line")


def _schema_of(column: _Column) -> dict[str, Any]:
    kind = "[]string" if column.kind == "[]" else column.kind
    if not column.is_text:
        return {"type": kind, "filterable": True}
    return {"type": kind, "full_text_search": True, "filterable": column.is_filterable}


def _words_of(rows: list[Row], texts: list[str]) -> str:
    """A few long words of the first document that has text: a query that is sure to find something."""
    for row in rows:
        words = " ".join(str(row[name]) for name in texts if isinstance(row.get(name), str)).split()
        found = sorted({word for word in words if word.isalnum()}, key=lambda word: (-len(word), word))
        if found:
            return " ".join(found[:_QUERY_WORDS])
    return "document"
