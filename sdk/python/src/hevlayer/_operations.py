"""The operations of Layer's address: what each is called, what it does, and whether Turbopuffer can answer it.

`sdk/operations.json` says the same with reasons, and a test compares both. What is not listed needs Layer: it fails fast.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ._effects import Effect

R, I, U = Effect.READ, Effect.IDEMPOTENT_WRITE, Effect.UNREPEATABLE_WRITE  # noqa: E741


@dataclass(frozen=True)
class Operation:
    """One operation."""

    name: str
    method: str
    path: str
    effect: Effect | None
    """None: the body tells."""
    direct: bool
    """Whether Turbopuffer can answer it too."""

    @cached_property
    def hedged(self) -> bool:
        """Whether it is a read that Turbopuffer can answer too."""
        return self.direct and self.effect is Effect.READ

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What its paths look like; a segment is taken as it was encoded."""
        return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(self.path)))

    @cached_property
    def tail(self) -> str:
        """What follows the namespace in the path."""
        return self.path.partition("{namespace}")[2]


def _direct(name: str, method: str, path: str, effect: Effect | None) -> Operation:
    return Operation(name, method, path, effect, direct=True)


def _layer(name: str, method: str, path: str, effect: Effect | None) -> Operation:
    return Operation(name, method, path, effect, direct=False)


OPERATIONS = (
    _direct("list_namespaces", "GET", "/v1/namespaces", R),
    _direct("write", "POST", "/v2/namespaces/{namespace}", None),
    _direct("start_copy", "POST", "/v2/namespaces/{namespace}/async", U),
    _direct("query", "POST", "/v2/namespaces/{namespace}/query", R),
    _direct("query_v1", "POST", "/v1/namespaces/{namespace}/query", R),
    _direct("explain_query", "POST", "/v2/namespaces/{namespace}/explain_query", R),
    _direct("recall", "POST", "/v1/namespaces/{namespace}/_debug/recall", R),
    _direct("get_schema", "GET", "/v1/namespaces/{namespace}/schema", R),
    _direct("update_schema", "POST", "/v1/namespaces/{namespace}/schema", I),
    _direct("get_metadata", "GET", "/v2/namespaces/{namespace}/metadata", R),
    _direct("get_metadata_v1", "GET", "/v1/namespaces/{namespace}/metadata", R),
    _direct("update_metadata", "PATCH", "/v1/namespaces/{namespace}/metadata", I),
    _direct("hint_cache_warm", "GET", "/v1/namespaces/{namespace}/hint_cache_warm", R),
    _direct("poll_operation", "GET", "/v1/namespaces/{namespace}/operations/{token}", R),
    _layer("delete_namespace", "DELETE", "/v2/namespaces/{namespace}", U),
    _layer("fetch_document", "GET", "/v2/namespaces/{namespace}/documents/{id}", R),
    _layer("fetch_documents", "POST", "/v2/namespaces/{namespace}/documents", R),
    _layer("invalidate", "POST", "/v2/namespaces/{namespace}/invalidate", I),
    _layer("warm_cache", "POST", "/v2/namespaces/{namespace}/warm", I),
    _layer("list_warm_jobs", "GET", "/v2/namespaces/{namespace}/warm-jobs", R),
    _layer("get_warm_job", "GET", "/v2/namespaces/{namespace}/warm-jobs/{id}", R),
    _layer("cancel_warm_job", "DELETE", "/v2/namespaces/{namespace}/warm-jobs/{id}", I),
    _layer("put_blob", "PUT", "/v1/namespaces/{namespace}/blobs", I),
    _layer("get_blob", "GET", "/v1/namespaces/{namespace}/blobs/{sha256}", R),
    _layer("head_blob", "HEAD", "/v1/namespaces/{namespace}/blobs/{sha256}", R),
    _layer("create_pipeline", "POST", "/v2/pipelines", U),
    _layer("list_pipelines", "GET", "/v2/pipelines", R),
    _layer("get_pipeline", "GET", "/v2/pipelines/{pipeline}", R),
    _layer("delete_pipeline", "DELETE", "/v2/pipelines/{pipeline}", U),
    _layer("get_pipeline_status", "GET", "/v2/pipelines/{pipeline}/status", R),
    _layer("stage_document", "PUT", "/v2/pipelines/{pipeline}/documents/{document}", I),
    _layer("get_chunks", "GET", "/v2/pipelines/{pipeline}/documents/{document}/chunks", R),
    _layer("get_document", "GET", "/v2/pipelines/{pipeline}/documents/{document}", R),
    _layer("claim_documents", "POST", "/v2/pipelines/{pipeline}/claim", U),
    _layer("heartbeat_documents", "POST", "/v2/pipelines/{pipeline}/documents/heartbeat", I),
    _layer("release_documents", "POST", "/v2/pipelines/{pipeline}/documents/release", I),
    _layer("fail_documents", "POST", "/v2/pipelines/{pipeline}/documents/fail", I),
    _layer("complete_documents", "POST", "/v2/pipelines/{pipeline}/documents/complete", I),
    _layer("put_document_vectors", "PUT", "/v2/pipelines/{pipeline}/documents/{document}/vectors", I),
    _layer("put_document_rows", "PUT", "/v2/pipelines/{pipeline}/documents/{document}/rows", I),
    _layer("put_rows", "PUT", "/v2/pipelines/{pipeline}/rows", I),
    _layer("set_documents_stage", "POST", "/v2/pipelines/{pipeline}/documents/stage", I),
    _layer("list_dead_letters", "GET", "/v2/pipelines/{pipeline}/dead-letters", R),
    _layer("requeue_dead_letters", "POST", "/v2/pipelines/{pipeline}/dead-letters/requeue", I),
    _layer("create_function", "POST", "/v2/udfs", U),
    _layer("upsert_function", "PUT", "/v2/udfs/{function}", I),
    _layer("list_functions", "GET", "/v2/udfs", R),
    _layer("get_function", "GET", "/v2/udfs/{function}", R),
    _layer("get_function_status", "GET", "/v2/udfs/{function}/status", R),
    _layer("delete_function", "DELETE", "/v2/udfs/{function}", U),
    _layer("pause_function", "POST", "/v2/udfs/{function}/pause", I),
    _layer("resume_function", "POST", "/v2/udfs/{function}/resume", I),
    _layer("reset_failed", "POST", "/v2/udfs/{function}/reset-failed", I),
    _layer("list_function_dead_letters", "GET", "/v2/udfs/{function}/dead-letters", R),
    _layer("discover_function", "POST", "/v2/udfs/{function}/discover", I),
    _layer("claim_items", "POST", "/v2/udfs/{function}/claim", U),
    _layer("heartbeat_items", "POST", "/v2/udfs/{function}/items/heartbeat", I),
    _layer("complete_items", "POST", "/v2/udfs/{function}/items/complete", I),
    _layer("fail_items", "POST", "/v2/udfs/{function}/items/fail", I),
)

KNOWN_MAX = 1024
"""Applications ask for the same few paths over and over."""
_REGION = re.compile(r"^/[^/]+(?=/v[12]/)")


@lru_cache(KNOWN_MAX)
def path_of(raw_path: bytes, prefix: str) -> str | None:
    """The path behind a prefix, from its version on: a region may stand before it. None where the prefix is another."""
    path = raw_path.decode()
    if not path.startswith(prefix + "/"):
        return None
    path = path[len(prefix) :]
    return path if path.startswith(("/v1/", "/v2/")) else _REGION.sub("", path)


def _key(operation: Operation) -> tuple[str, str, str]:
    return operation.method, operation.path[:4], operation.tail.partition("{")[0]


_DIRECT = {_key(operation): operation for operation in OPERATIONS if operation.direct}


@lru_cache(KNOWN_MAX)
def find(method: str, path: str) -> Operation | None:
    """The operation of a path without region and query; None for one that is not listed."""
    parts = path.split("/", 4)
    if len(parts) >= 3 and parts[2] == "namespaces":
        tail = "/" + parts[4] if len(parts) == 5 else ""
        # All but the token of an operation is spelled out.
        start = "/operations/" if tail.startswith("/operations/") else tail
        found = _DIRECT.get((method, path[:4], start))
        if found is not None and found.pattern.fullmatch(path):
            return found
    return next((each for each in OPERATIONS if each.method == method and each.pattern.fullmatch(path)), None)
