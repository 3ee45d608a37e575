"""Puts a collection into its namespace, or finds that it is there already."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from turbopuffer import NotFoundError, Turbopuffer

from .batches import batches
from .client import readable_errors
from .model import VERSION_ATTRIBUTE, CatalogError, Collection


def held_count(client: Turbopuffer, namespace: str, version: str) -> int:
    """How many rows of this version of the catalogue the namespace holds; 0 if there is no such namespace."""
    target = client.namespace(namespace)
    with readable_errors(client):
        try:
            if VERSION_ATTRIBUTE not in target.schema():
                return 0
            answer = target.query(aggregate_by={"held": ["Count"]}, filters=[VERSION_ATTRIBUTE, "Eq", version])
        except NotFoundError:
            return 0
    return int((answer.aggregations or {}).get("held", 0))


def load(
    client: Turbopuffer, collection: Collection, namespace: str, wanted: int, progress: Callable[[int], None]
) -> None:
    """Upserts the first `wanted` rows; `progress` is told the size of each acknowledged batch.

    Doing it again writes the same rows under the same ids. Raises `CatalogError` if afterwards some are missing.
    """
    version = collection.version()
    target = client.namespace(namespace)
    schema = {**collection.schema, VERSION_ATTRIBUTE: {"type": "string", "filterable": True}}
    for batch in batches(islice(collection.rows, wanted)):
        with readable_errors(client):
            target.write(upsert_rows=[_marked(row, version) for row in batch], schema=schema)
        progress(len(batch))
    held = held_count(client, namespace, version)
    if held < wanted:
        raise CatalogError(
            f"{held:,} of {wanted:,} {collection.noun} are in {namespace} after loading; run this again."
        )


def _marked(row: dict[str, Any], version: str) -> dict[str, Any]:
    return {**row, VERSION_ATTRIBUTE: version}
