"""The project's own documents: what the demo loads where there is no Debian catalogue.

Every Markdown file of the repository, cut at its headings.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from itertools import count
from pathlib import Path

from markdown_it import MarkdownIt

from .ids import document_id
from .model import CatalogError, Collection, Questions, Row

# A document larger than this is data, not prose.
MAX_FILE_BYTES = 1024 * 1024
_SKIPPED = {"target", "node_modules", "venv", "third_party"}

SCHEMA = {
    "id": "string",
    "path": {"type": "string", "filterable": True},
    "heading": {"type": "string", "full_text_search": True, "filterable": True},
    "text": {
        "type": "string",
        "full_text_search": {"language": "english", "stemming": True, "remove_stopwords": True},
    },
    "line": {"type": "uint", "filterable": True},
}

_QUESTIONS = Questions(
    text="what happens when the origin is away",
    text_attributes={"heading": 2.0, "text": 1.0},
    columns=["id", "heading", "line"],
    record=["path", "heading", "line", "text"],
    group_by="path",
)


def project_collection(root: Path) -> Collection:
    """The sections of all Markdown files under `root`, in path order. Raises `CatalogError` if there are none."""
    rows = [row for path in _markdown_files(root) for row in sections(path.relative_to(root).as_posix(), _read(path))]
    if not rows:
        raise CatalogError(f"{root}: no Markdown documents here; name a file of your own with --catalog FILE.jsonl.")
    return Collection(
        title="the project's own documents",
        noun="sections",
        namespace="layer-documents",
        rows=rows,
        schema=SCHEMA,
        questions=_QUESTIONS,
    )


def sections(path: str, source: str) -> list[Row]:
    """One row for each heading and the text up to the next one; `path` names the document in ids and rows.

    Text before the first heading stands under the file's name. A heading that occurs twice gets a number, so that the
    ids stay unique. A `#` inside a code block is no heading.
    """
    lines = source.splitlines()
    starts = [(0, path), *_headings(source)]
    ends = [line for line, _ in starts[1:]] + [len(lines)]
    rows: dict[str, Row] = {}
    for (start, heading), end in zip(starts, ends, strict=True):
        text = "\n".join(lines[start:end]).strip()
        if text:
            identifier = _free_id(f"{path}#{heading}", rows)
            rows[identifier] = {"id": identifier, "path": path, "heading": heading, "text": text, "line": start + 1}
    return list(rows.values())


def _free_id(name: str, taken: Container[str]) -> str:
    candidates = (document_id(name if number == 1 else f"{name}-{number}") for number in count(1))
    return next(identifier for identifier in candidates if identifier not in taken)


def _headings(source: str) -> Iterator[tuple[int, str]]:
    """The first line (from 0) and the text of each heading."""
    tokens = MarkdownIt("commonmark").parse(source)
    for position, token in enumerate(tokens):
        if token.type == "heading_open" and token.map and token.level == 0:
            yield token.map[0], tokens[position + 1].content.strip() or "(no heading)"


def _markdown_files(root: Path) -> list[Path]:
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
        found += [Path(folder, name) for name in files if name.endswith(".md")]
    return sorted(path for path in found if path.stat().st_size <= MAX_FILE_BYTES)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
