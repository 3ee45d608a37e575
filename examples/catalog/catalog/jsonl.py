"""Any other documents: a file of JSON objects, one a line.

The whole file is checked before anything is sent, because half a file in the index is worse than none. A bad line is
refused by file, line and field; only with `skip_bad_lines` is it left out, and then counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from .columns import Columns, LineError
from .ids import MAX_ID_INTEGER, document_id
from .model import EXIT_USAGE, CatalogError, Collection, Row

# A write stays under the router's 8 MiB read-ahead; a line may still be a whole batch of its own.
MAX_LINE_BYTES = 4 * 1024 * 1024
# All documents are held in memory, and the stand-in holds them too.
MAX_DOCUMENTS = 1_000_000
_MAX_SHOWN = 10


def jsonl_collection(path: Path, text: str | None, skip_bad_lines: bool, say: Callable[[str], None]) -> Collection:
    """The documents of a file. `text` is the full-text query to ask, or `None` for words of the first document.

    Raises `CatalogError` naming each bad line (the first ten), or if the file cannot be read or holds no text.
    """
    reader = _Reader(path)
    reader.read()
    if reader.problems and not skip_bad_lines:
        raise CatalogError(_report(reader.problems))
    if reader.problems:
        say(f"Left out {len(reader.problems):,} bad lines; the first: {reader.problems[0]}")
    if reader.long_ids:
        say(f"{reader.long_ids:,} ids are longer than 64 bytes: stored shortened, the whole id is in `long_id`.")
    return Collection(
        title=path.name,
        noun="documents",
        namespace=namespace_for(path),
        rows=reader.rows,
        schema={"id": reader.id_type, **reader.columns.schema()},
        questions=reader.columns.questions(reader.rows, text, path.name),
    )


def namespace_for(path: Path) -> str:
    """`catalog-` and the file's name without its ending, in the letters that a namespace may have (128 at most)."""
    return f"catalog-{re.sub(r'[^A-Za-z0-9._-]', '-', path.stem)}"[:128]


class _Reader:
    """Reads the file once, keeping the good rows and the reports on the bad lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self.problems: list[str] = []
        self.columns = Columns()
        self.id_type = "string"
        self.long_ids = 0
        self._seen: dict[str | int, int] = {}

    def read(self) -> None:
        for number, line in _numbered_lines(self.path):
            try:
                self._take(number, line)
            except LineError as error:
                self.problems.append(f"{self.path}:{number}: {error}")
        if not self.rows and not self.problems:
            raise CatalogError(f"{self.path}: the file holds no documents; write one JSON object a line.")

    def _take(self, number: int, line: bytes) -> None:
        if not line.strip():
            return
        if len(self.rows) == MAX_DOCUMENTS:
            raise CatalogError(f"{self.path}:{number}: more than {MAX_DOCUMENTS:,} documents; split the file.")
        row = _parse(line)
        self._shorten_id(row)
        self._check_id(number, row["id"])
        self.columns.add({name: value for name, value in row.items() if name != "id"})
        self._seen[row["id"]] = number
        self.id_type = "uint" if isinstance(row["id"], int) else "string"
        self.rows.append(row)

    def _shorten_id(self, row: Row) -> None:
        identifier = row["id"]
        if isinstance(identifier, str) and document_id(identifier) != identifier:
            row["id"] = document_id(identifier)
            row.setdefault("long_id", identifier)
            self.long_ids += 1

    def _check_id(self, number: int, identifier: str | int) -> None:
        if identifier in self._seen:
            raise LineError(f"id: the same id as line {self._seen[identifier]}; ids must be unique")
        if self.rows and type(identifier) is not type(self.rows[0]["id"]):
            raise LineError("id: integers and strings are mixed; all ids of a file must be of one kind")


def _numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a regular file, each at most one byte longer than a line may be, so that it can be refused."""
    if not path.is_file():
        reason = "is not a regular file" if path.exists() else "does not exist"
        raise CatalogError(f"--catalog {path}: {reason}.", EXIT_USAGE)
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE_BYTES + 1)
    except OSError as error:
        raise CatalogError(f"--catalog {path}: {error.strerror}.", EXIT_USAGE) from error


def _parse(line: bytes) -> Row:
    """The line's object with a valid id. Attributes are checked by `Columns`."""
    if len(line) > MAX_LINE_BYTES:
        raise LineError(f"longer than {MAX_LINE_BYTES // 1024 // 1024} MiB")
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise LineError(f"not JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(row, dict):
        raise LineError(f"a JSON object is expected, not {_kind(row)}")
    if "id" not in row:
        raise LineError("id: missing")
    _check_id_value(row["id"])
    return row


def _check_id_value(identifier: Any) -> None:
    integer = isinstance(identifier, int) and not isinstance(identifier, bool)
    if not integer and not isinstance(identifier, str):
        raise LineError(f"id: a string or an integer from 0 is expected, not {_kind(identifier)}")
    if integer and not 0 <= identifier <= MAX_ID_INTEGER:
        raise LineError("id: an integer from 0 to 18446744073709551615 is expected")
    if identifier == "":
        raise LineError("id: empty")


def _kind(value: Any) -> str:
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return names.get(type(value), "null")


def _report(problems: list[str]) -> str:
    shown = problems[:_MAX_SHOWN]
    if len(problems) > _MAX_SHOWN:
        shown.append(f"and {len(problems) - _MAX_SHOWN:,} more bad lines")
    return "\n".join([*shown, "Nothing was sent. Correct the file, or leave bad lines out with --skip-bad-lines."])
