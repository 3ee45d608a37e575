"""What type checkers know of `with_perf`; mypy --strict reads this, nobody runs it."""

from __future__ import annotations

from typing import assert_type

from turbopuffer import omit
from turbopuffer.pagination import AsyncNamespacePage, SyncNamespacePage
from turbopuffer.types import NamespaceQueryResponse, NamespaceSummary, NamespaceWriteResponse

from hevlayer import AsyncHevlayer, Document, Hevlayer, LayerResponse, WarmHint, messages


def threads(client: Hevlayer) -> None:
    space = client.namespace("n")
    assert_type(space.query(rank_by=("vector", "ANN", [0.1]), filters=omit), NamespaceQueryResponse)
    assert_type(space.query(rank_by=("vector", "ANN", [0.1]), with_perf=False), NamespaceQueryResponse)
    assert_type(space.query(rank_by=("vector", "ANN", [0.1]), with_perf=True), LayerResponse[NamespaceQueryResponse])
    assert_type(space.exists(with_perf=True), LayerResponse[bool])
    assert_type(client.namespaces(), SyncNamespacePage[NamespaceSummary])
    assert_type(client.namespaces(with_perf=True), LayerResponse[SyncNamespacePage[NamespaceSummary]])
    assert_type(client.fetch_document("n", 1), Document)
    assert_type(client.fetch_document("n", 1, with_perf=True), LayerResponse[Document])
    assert_type(client.hint_cache_warm("n", with_perf=True).data, WarmHint)
    space.query(no_such_argument=1)  # type: ignore[call-overload]


async def loop(client: AsyncHevlayer) -> None:
    space = client.with_options(timeout=1).namespace("n")
    assert_type(await space.write(upsert_rows=[{"id": 1}]), NamespaceWriteResponse)
    assert_type(await space.write(upsert_rows=[{"id": 1}], with_perf=True), LayerResponse[NamespaceWriteResponse])
    assert_type(await client.namespaces(with_perf=True), LayerResponse[AsyncNamespacePage[NamespaceSummary]])
    assert_type(await client.get_pipeline("p", with_perf=True), LayerResponse[messages.Pipeline])
    assert_type([each async for each in client.namespaces()], list[NamespaceSummary])
