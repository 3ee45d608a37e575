"""Cuts a stream of rows into writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from .model import Row

# Far below the 8 MiB that the router reads ahead, and small enough that the progress bar moves.
MAX_BATCH_BYTES = 1024 * 1024
MAX_BATCH_ROWS = 500


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Lists of at most 500 rows and 1 MiB of JSON. A row that is larger on its own goes alone."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        length = len(orjson.dumps(row)) + 1
        if batch and (size + length > MAX_BATCH_BYTES or len(batch) == MAX_BATCH_ROWS):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
    if batch:
        yield batch
