"""Documents and items as workers name them, as the contract wants them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ._proto.layer.function.v1 import item_pb2
from ._proto.layer.pipeline.v1 import document_pb2
from ._values import DocumentId, to_attributes, to_id

Kind = Literal["transient", "permanent"]
"""Whether trying again is of use."""
DocumentName = str | document_pb2.ClaimedDocument | document_pb2.DocumentGuard
"""A document by its id, or with what must be true of it for the call to count."""
ItemName = item_pb2.ClaimedItem | item_pb2.ItemGuard
"""An item as it was claimed, or with what must be true of it for the call to count."""

MESSAGE_BYTES_MAX = 1024
"""Layer keeps no more of a failure's message."""
DOCUMENT_KINDS = {
    "transient": document_pb2.FAILURE_KIND_TRANSIENT,
    "permanent": document_pb2.FAILURE_KIND_PERMANENT,
}
ITEM_KINDS = {"transient": item_pb2.FAILURE_KIND_TRANSIENT, "permanent": item_pb2.FAILURE_KIND_PERMANENT}


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """The row of a chunk: its attributes by name, vectors too."""

    chunk_id: str
    """The chunk's id, as it was given out (then its version is checked) or as it was staged."""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def message(self) -> document_pb2.ChunkRow:
        """The contract's message."""
        return document_pb2.ChunkRow(chunk_id=self.chunk_id, attributes=to_attributes(self.attributes))


def document(name: DocumentName) -> document_pb2.DocumentGuard:
    """The guard of a document: with the claim's token and version, where it was claimed."""
    if isinstance(name, str):
        return document_pb2.DocumentGuard(document_id=name)
    return document_pb2.DocumentGuard(document_id=name.document_id, token=name.token, version=name.version)


def documents(names: Iterable[DocumentName]) -> list[document_pb2.DocumentGuard]:
    """The guards of documents."""
    return [document(name) for name in names]


def item(name: ItemName) -> item_pb2.ItemGuard:
    """The guard of an item."""
    return item_pb2.ItemGuard(namespace=name.namespace, id=name.id, token=name.token)


def item_named(namespace: str, row_id: DocumentId, token: int = 0) -> item_pb2.ItemGuard:
    """The guard of a row's item; a token of 0 is not checked."""
    return item_pb2.ItemGuard(namespace=namespace, id=to_id(row_id), token=token)


def holder(worker_id: str, stage: str) -> document_pb2.Holder | None:
    """What must be true of every document of a call."""
    return document_pb2.Holder(worker_id=worker_id, stage=stage) if worker_id or stage else None


def rows(given: Sequence[ChunkRow]) -> list[document_pb2.ChunkRow]:
    """The contract's rows."""
    return [row.message() for row in given]


def cut(message: str) -> str:
    """A failure's message, no longer than it is kept."""
    return message.encode(errors="replace")[:MESSAGE_BYTES_MAX].decode(errors="ignore")
