"""The machine's own Debian catalogue, as `apt-cache dumpavail` prints it.

Reads only what apt already has. The one thing it may start is `apt-get update`, and only when there are no lists.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator

from .debian_version import version_key
from .ids import document_id
from .model import Collection, Questions, Row

# Dumping takes about a second; a minute means that apt is stuck.
_DUMP_SECONDS = 60
# Long enough for a slow mirror, short enough that the fallback still comes within the demo.
_UPDATE_SECONDS = 180

_PRIORITIES = {"required": 0, "important": 1, "standard": 2}

SCHEMA = {
    "id": "string",
    "name": {"type": "string", "full_text_search": True, "filterable": True},
    "description": {
        "type": "string",
        "full_text_search": {"language": "english", "stemming": True, "remove_stopwords": True},
    },
    "version": {"type": "string", "filterable": False},
    "section": {"type": "string", "filterable": True},
    "priority": {"type": "string", "filterable": True},
    "tags": {"type": "[]string", "filterable": True},
    "maintainer": {"type": "string", "filterable": True},
    "homepage": {"type": "string", "filterable": False},
    "installed_size_kib": {"type": "uint", "filterable": True},
    "download_size_bytes": {"type": "uint", "filterable": True},
}

_QUESTIONS = Questions(
    text="vector similarity search",
    text_attributes={"description": 2.0, "name": 1.0},
    columns=["id", "description", "section"],
    record=["name", "version", "section", "maintainer", "download_size_bytes", "homepage", "description"],
    group_by="section",
    filters=["installed_size_kib", "Gt", 51200],
    filter_label="larger than 50 MiB installed",
)


def debian_collection(say: Callable[[str], None]) -> Collection | None:
    """The catalogue, or `None` where there is no apt or no list to be had; `say` is told why."""
    if shutil.which("apt-cache") is None:
        say("There is no apt on this machine.")
        return None
    rows = _catalogue_rows()
    if not rows:
        say("apt's package lists are empty: running apt-get update.")
        if not _update_lists(say):
            return None
        rows = _catalogue_rows()
    if not rows:
        say("apt's package lists are still empty after apt-get update.")
        return None
    return collection_of(rows)


def collection_of(rows: list[Row]) -> Collection:
    """The collection of these packages, in loading order."""
    return Collection(
        title="Debian packages",
        noun="packages",
        namespace="debian-packages",
        rows=sorted(rows, key=_loading_order),
        schema=SCHEMA,
        questions=_QUESTIONS,
    )


def parse_dumpavail(lines: Iterable[bytes]) -> list[Row]:
    """One row for each package name that can be downloaded; of several versions the highest, by Debian's order.

    `lines` is the output of `apt-cache dumpavail`. Bytes that are not UTF-8 become U+FFFD. Stanzas without a name or
    without a `Filename` (a package that only this machine has) are left out; any other field may be missing.
    """
    newest: dict[str, Row] = {}
    for stanza in _stanzas(lines):
        row = _row_of(stanza)
        if row is None:
            continue
        held = newest.get(row["id"])
        if held is None or _is_newer(row, held):
            newest[row["id"]] = row
    return list(newest.values())


def _is_newer(row: Row, held: Row) -> bool:
    return version_key(row.get("version", "")) > version_key(held.get("version", ""))


def _stanzas(lines: Iterable[bytes]) -> Iterator[dict[str, list[str]]]:
    """Each stanza as its fields, names in lower case, a field's value as its lines."""
    fields: dict[str, list[str]] = {}
    current: list[str] | None = None
    for raw in lines:
        line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
        if not line.strip():
            if fields:
                yield fields
            fields, current = {}, None
        elif line[0] in " \t":
            if current is not None:
                current.append(line.strip())
        else:
            name, _, value = line.partition(":")
            current = fields.setdefault(name.strip().lower(), [])
            current.append(value.strip())
    if fields:
        yield fields


def _row_of(stanza: dict[str, list[str]]) -> Row | None:
    name = _text(stanza, "package")
    if not name or "filename" not in stanza:
        return None
    row = {
        "id": document_id(name),
        "name": name,
        "version": _text(stanza, "version"),
        "section": _text(stanza, "section"),
        "priority": _text(stanza, "priority"),
        "tags": _tags(stanza),
        "maintainer": _text(stanza, "maintainer"),
        "installed_size_kib": _integer(stanza, "installed-size"),
        "download_size_bytes": _integer(stanza, "size"),
        "homepage": _text(stanza, "homepage"),
        "description": _text(stanza, "description") or _text(stanza, "description-en"),
    }
    return {key: value for key, value in row.items() if value not in (None, "", [])}


def _text(stanza: dict[str, list[str]], name: str) -> str:
    """A field's lines as one text; a lone dot is how control files write an empty line."""
    return " ".join(line for line in stanza.get(name, []) if line not in ("", "."))


def _tags(stanza: dict[str, list[str]]) -> list[str]:
    return [tag for part in _text(stanza, "tag").split(",") if (tag := part.strip())]


def _integer(stanza: dict[str, list[str]], name: str) -> int | None:
    text = _text(stanza, name)
    return int(text) if text.isascii() and text.isdecimal() else None


def _loading_order(row: Row) -> tuple[int, bytes]:
    """The base system first, then the others in an order that mixes the alphabet: a part stands for the whole."""
    rank = _PRIORITIES.get(row.get("priority", ""), len(_PRIORITIES))
    return rank, hashlib.sha256(row["id"].encode()).digest()


def _catalogue_rows() -> list[Row]:
    result = _run(["apt-cache", "dumpavail"], _DUMP_SECONDS)
    return parse_dumpavail(result.stdout.splitlines()) if result else []


def _update_lists(say: Callable[[str], None]) -> bool:
    result = _run(["apt-get", "update", "-q"], _UPDATE_SECONDS)
    if result is None:
        say(f"apt-get update could not be run or did not end within {_UPDATE_SECONDS} s.")
        return False
    if result.returncode != 0:
        lines = result.stderr.decode(errors="replace").strip().splitlines()
        say(f"apt-get update failed: {lines[0] if lines else f'status {result.returncode}'}")
        return False
    return True


def _run(command: list[str], seconds: int) -> subprocess.CompletedProcess[bytes] | None:
    """The finished command, or `None` if it could not be started or took too long. Its language is fixed to C."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
