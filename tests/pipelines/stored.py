"""Bodies as they are stored, and as the state names them: in the end the two must be the same."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from harness.postgres import Postgres

NAMED = """
SELECT queue, -1, item, body_minted, body_digest, body_pack FROM item WHERE body_minted IS NOT NULL
UNION ALL SELECT queue, stage, item, body_minted, body_digest, body_pack FROM output
"""
BITS = (1 << 64) - 1


def state_rows(directory: Path, cluster: Postgres | None, database: str) -> list[tuple[Any, ...]]:
    """What the state names: queue, stage (-1: staged), document, time, digest, pack."""
    if cluster:
        return [tuple(line.split("|")) for line in cluster.sql(NAMED, database).splitlines()]
    with closing(sqlite3.connect(f"file:{directory}/state.db?mode=ro", uri=True)) as opened:
        return opened.execute(NAMED).fetchall()


def keys(rows: Iterable[tuple[Any, ...]], stages: list[str]) -> set[str]:
    """The objects that rows name."""
    named = set()
    for queue, stage, document, minted, digest, pack in rows:
        at = f"pipelines/{queue}/{'staged.' if int(stage) < 0 else stages[int(stage)]}/"
        own = f"{document}/{int(minted):013}-{int(digest) & BITS:016x}"
        named.add(at + (own if pack in (None, "") else f"{int(minted):013}-{int(pack) & BITS:016x}"))
    return named


def objects(directory: Path) -> set[str]:
    """What is stored. Beside it the store keeps what was being written as a process died, until a later start.

    On the disk a part of a key that others are below ends in `+`.
    """
    root = directory / "bodies/objects"
    # Unlike a glob, a walk goes on where the sweeper takes a folder away meanwhile.
    found = (Path(folder, name) for folder, _, names in os.walk(root) for name in names)
    return {str(path.relative_to(root)).replace("+/", "/") for path in found}
