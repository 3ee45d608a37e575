"""What every source of documents hands to the loader.

Kept apart from the sources so that the loader, the questions and the screen know
nothing of Debian, JSON lines or Markdown.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson

Row = dict[str, Any]

VERSION_ATTRIBUTE = "catalog_version"
"""Marks each row with the catalogue that it came from. A second start counts the rows that carry the same mark."""

EXIT_USAGE = 64
EXIT_DATA = 65
EXIT_UNAVAILABLE = 69
EXIT_INTERRUPTED = 130


class CatalogError(Exception):
    """An error that the reader can act on: a message of one or a few lines and the exit status that goes with it."""

    def __init__(self, message: str, status: int = EXIT_DATA) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Questions:
    """The attributes that the three queries use. Each of them exists in the collection's schema.

    `text` is what the full-text query looks for, `text_attributes` maps the attributes it looks in to their weights.
    `group_by` is the attribute to count by, `filters` narrows what is counted and `filter_label` says so in words.
    `columns` are the attributes shown in a table, `record` those shown for the single document.
    """

    text: str
    text_attributes: dict[str, float]
    columns: list[str]
    record: list[str]
    group_by: str | None = None
    filters: Any | None = None
    filter_label: str = ""


@dataclass(frozen=True)
class Collection:
    """All documents of one source, in the order in which they are loaded.

    The order is the same on each start, so the first N documents are the same ones, and a load of more only adds.
    """

    title: str
    noun: str
    namespace: str
    rows: list[Row]
    schema: dict[str, Any]
    questions: Questions
    notes: list[str] = field(default_factory=list)

    def version(self) -> str:
        """16 hex digits that change with any document or with the schema, but not with how many are loaded."""
        digest = hashlib.sha256(orjson.dumps(self.schema, option=orjson.OPT_SORT_KEYS))
        for row in self.rows:
            digest.update(orjson.dumps(row, option=orjson.OPT_SORT_KEYS))
        return digest.hexdigest()[:16]
