"""Rows that were written past Layer: who says so reads no cached row that is older."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from harness.client import ask, ask_json, refusal
from harness.doc_cache import start_doc_cache
from harness.grpc import FailedCall, call
from harness.origin import Exchange, FakeOrigin
from harness.programs import Program, start_router
from harness.rows import NS, Rows, fetch, shown
from harness.waiting import until
from harness.wire import Message

Invalidate = Callable[[Program, list[int | str] | None], None]
PATH = f"/v2/namespaces/{NS}/invalidate"


@pytest.fixture(scope="module")
def doc_cache() -> Iterator[Program]:
    program = start_doc_cache()
    yield program
    program.process.kill()


@pytest.fixture
def mesh(origin: FakeOrigin, doc_cache: Program, request: pytest.FixtureRequest) -> Iterator[Program]:
    """A router with a cache of the test's own tenant."""
    tenant = f"t{abs(hash(request.node.name))}"
    router = start_router(origin.url, {"cache.addresses": doc_cache.address, "cache.tenant": tenant})
    yield router
    router.process.kill()


def cached(router: Program, id_: int | str) -> Message:
    """Fetches until the cache has it."""
    last = [fetch(router, id_)]

    def is_hit() -> bool:
        last[0] = fetch(router, id_)
        return last[0].get("x-layer-cache") == "hit"

    until(is_hit, "the cache serves it")
    return last[0]


def over_http(router: Program, ids: list[int | str] | None) -> None:
    assert ask_json(router.url, "POST", PATH, {} if ids is None else {"ids": ids}) == (200, {"status": "OK"})


def over_grpc(router: Program, ids: list[int | str] | None) -> None:
    kinds = {int: "uint_value", str: "string_value"}
    typed = [{kinds[type(id_)]: str(id_)} for id_ in ids or []]
    assert call(router, "Invalidate", {"namespace": NS, "ids": typed}) == {}


@pytest.mark.parametrize("invalidate", [over_http, over_grpc])
@pytest.mark.parametrize("ids", [[1], None, [*range(1, 1000)]], ids=["one", "all", "many"])
def test_what_is_named_is_read_anew(
    mesh: Program, origin: FakeOrigin, invalidate: Invalidate, ids: list[int | str] | None
) -> None:
    rows = origin.script = Rows({1: {"t": "old"}, 2000: {"t": "kept"}})
    cached(mesh, 1)
    cached(mesh, 2000)
    rows.rows[1] = {"t": "new"}
    assert shown(fetch(mesh, 1))["attributes"] == {"t": "old"}, "the cache cannot know"
    invalidate(mesh, ids)
    assert shown(fetch(mesh, 1))["attributes"] == {"t": "new"}
    other = fetch(mesh, 2000).get("x-layer-cache")
    assert other == ("miss" if ids is None else "hit")


def test_an_absence_that_is_remembered_is_forgotten_too(mesh: Program, origin: FakeOrigin) -> None:
    rows = origin.script = Rows({"a": {}})
    assert cached(mesh, "b").status == 404
    rows.rows["b"] = {"t": "new"}
    over_http(mesh, ["b"])
    assert shown(fetch(mesh, "b"))["attributes"] == {"t": "new"}


@pytest.mark.parametrize(
    ("body", "field"), [({"ids": []}, "ids"), ({"ids": [1, -1]}, "ids[1]"), ({"id": [1]}, "id"), ([], "the body")]
)
def test_what_is_wrong_is_named(mesh: Program, body: Any, field: str) -> None:
    status, code, text = refusal(ask(mesh.url, "POST", PATH, json.dumps(body).encode()))
    assert (status, code) == (422, "validation_error")
    assert field in text
    with pytest.raises(FailedCall) as failed:
        call(mesh, "Invalidate", {"namespace": "", "ids": []})
    assert failed.value.code.name == "INVALID_ARGUMENT"


def test_without_a_cache_there_is_nothing_to_do(origin: FakeOrigin, router: Program) -> None:
    over_http(router, [1])
    over_grpc(router, None)
    assert origin.requests == []


def test_keys_of_callers_are_the_origins_to_judge(origin: FakeOrigin, doc_cache: Program) -> None:
    """In mode pass-through; a namespace that is gone is no reason to refuse: who asks must come to an end."""
    settings = {"auth.mode": "pass-through", "origin.api_key": None, "auth.single_organisation": True}
    with ExitStack() as stack:
        router = start_router(origin.url, settings | {"cache.addresses": doc_cache.address, "cache.tenant": "own"})
        stack.callback(router.process.kill)
        for status, expected in (("401 Unauthorized", 401), ("403 Forbidden", 403), ("404 Not Found", 200)):

            def say(exchange: Exchange, status: str = status) -> None:
                exchange.read_body()
                exchange.reply_json({"status": "error", "error": "no"}, status)

            origin.script = say
            assert ask(router.url, "POST", PATH, b"{}").status == expected, status
