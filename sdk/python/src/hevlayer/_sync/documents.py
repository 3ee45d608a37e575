# Generated from ../_async by tools/generate_sync.py: change that, and run `make sdk-python-generate`.
"""Documents by their ids, warming, and how Layer is."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from turbopuffer._base_client import make_request_options

from .._proto.layer.router.v1 import fetch_pb2, namespace_pb2
from .._proto.layer.types.v1.query_pb2 import CONSISTENCY_LEVEL_STRONG, Consistency
from .._values import Document, DocumentId, Documents, id_of, to_id
from .._warm import WarmHint, WarmJob, WarmJobs
from .calls import IDEMPOTENT, READ, Calls

SERVICE = "/layer.router.v1.QueryRouterService/"


class Fetches(Calls):
    """Fetches by id. A fetch that begins after a write was acknowledged never answers an older row."""

    def fetch_document(
        self,
        namespace: str,
        document_id: DocumentId,
        *,
        include_attributes: Sequence[str] = (),
        strong: bool = False,
        timeout: float | None = None,
    ) -> Document:
        """Fetches a document by its id, from the document cache where it has it.

        Args:
          namespace: The namespace.
          document_id: The id; the string "1" is not the integer 1.
          include_attributes: The attributes wanted; all but Layer's own where there are none.
          strong: Read from the origin, whatever the cache holds.
          timeout: The deadline in seconds.

        Raises:
          LayerError: with the code `NOT_FOUND` where there is no such document.
          LayerUnavailable: Layer is away.
        """
        request = fetch_pb2.FetchRequest(
            namespace=namespace,
            id=to_id(document_id),
            include_attributes=include_attributes,
            consistency=_consistency(strong),
        )
        answer = self._call(SERVICE + "Fetch", request, fetch_pb2.FetchResponse, READ, timeout)
        return Document.of(answer.document)

    def fetch_documents(
        self,
        namespace: str,
        document_ids: Iterable[DocumentId],
        *,
        include_attributes: Sequence[str] = (),
        strong: bool = False,
        timeout: float | None = None,
    ) -> Documents:
        """Fetches documents by their ids: 1 to 10,000, in the order of the ids. See `fetch_document`."""
        request = fetch_pb2.BatchFetchRequest(
            namespace=namespace,
            ids=map(to_id, document_ids),
            include_attributes=include_attributes,
            consistency=_consistency(strong),
        )
        pieces = self._collected(SERVICE + "BatchFetch", request, fetch_pb2.BatchFetchResponse, READ, timeout)
        documents = [Document.of(each) for piece in pieces for each in piece.documents]
        return Documents(documents, [id_of(each) for piece in pieces for each in piece.missing])

    def invalidate(
        self, namespace: str, document_ids: Iterable[DocumentId] = (), *, timeout: float | None = None
    ) -> None:
        """Says that documents were written past Layer, or any of the namespace's where none is named.

        What this client has written past Layer itself, it tells by itself.
        """
        request = namespace_pb2.InvalidateRequest(namespace=namespace, ids=map(to_id, document_ids))
        self._call(SERVICE + "Invalidate", request, namespace_pb2.InvalidateResponse, IDEMPOTENT, timeout)


def _consistency(strong: bool) -> Consistency | None:
    return Consistency(level=CONSISTENCY_LEVEL_STRONG) if strong else None


class Warming:
    """The document cache before anybody asks. These calls go over HTTP, as the router has them there alone."""

    get: Any
    post: Any
    delete: Any

    def warm_cache(self, namespace: str, *, page_size: int | None = None) -> WarmJob:
        """Starts a job that reads a namespace into the document cache, or finds the one that runs."""
        options = make_request_options(query={} if page_size is None else {"page_size": page_size})
        job: WarmJob = self.post(f"{_path(namespace)}/warm", cast_to=WarmJob, options=options)
        return job

    def list_warm_jobs(self, namespace: str) -> builtins.list[WarmJob]:
        """The last jobs of a namespace, at most 50."""
        jobs: WarmJobs = self.get(f"{_path(namespace)}/warm-jobs", cast_to=WarmJobs)
        return jobs.warm_jobs

    def get_warm_job(self, namespace: str, job_id: str) -> WarmJob:
        """How far a job is."""
        job: WarmJob = self.get(f"{_path(namespace)}/warm-jobs/{quote(job_id, safe='')}", cast_to=WarmJob)
        return job

    def cancel_warm_job(self, namespace: str, job_id: str) -> WarmJob:
        """Ends a job; what it has read stays cached."""
        job: WarmJob = self.delete(f"{_path(namespace)}/warm-jobs/{quote(job_id, safe='')}", cast_to=WarmJob)
        return job

    def hint_cache_warm(
        self,
        namespace: str,
        *,
        turbopuffer: bool = True,
        documents: bool = True,
        snapshots: bool = True,
        blobs: bool = False,
        page_size: int | None = None,
    ) -> WarmHint:
        """Hints to Turbopuffer and to Layer's document cache that a namespace is read soon.

        `client.namespace(...).hint_cache_warm()` is Turbopuffer's own hint alone, and goes there directly while Layer is away.
        """
        parts = {"turbopuffer": turbopuffer, "documents": documents, "snapshots": snapshots, "blobs": blobs}
        query: dict[str, Any] = {name: str(wanted).lower() for name, wanted in parts.items()}
        if page_size is not None:
            query["page_size"] = page_size
        path = f"/v1/namespaces/{quote(namespace, safe='')}/hint_cache_warm"
        hint: WarmHint = self.get(path, cast_to=WarmHint, options=make_request_options(query=query))
        return hint


def _path(namespace: str) -> str:
    return f"/v2/namespaces/{quote(namespace, safe='')}"
