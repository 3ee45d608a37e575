"""Fetches of documents by id from the origin alone: no cache is configured."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

import pytest

from harness.client import Connection, ask, refusal
from harness.exposition import value
from harness.origin import Exchange, FakeOrigin, stalled
from harness.programs import Program
from harness.rows import NOT_FOUND, NS, Rows, batch, fetch, shown
from harness.waiting import steady, until

UUID = "67e55044-10b1-426f-9247-bb680e5fe0c8"

Start = Callable[..., Program]


def test_one_document(router: Program, origin: FakeOrigin) -> None:
    origin.script = Rows({7: {"t": "ü", "n": 1, "v": [0.1, 2]}})
    answer = fetch(router, 7)
    assert shown(answer) == {"id": 7, "attributes": {"t": "ü", "n": 1, "v": [0.1, 2]}}
    assert answer.get("content-type") == "application/json"
    assert answer.get("x-layer-cache") == "miss"
    assert "origin;dur=" in answer.get("server-timing")
    came = origin.last()
    assert came.target == f"/v2/namespaces/{NS}/query"
    assert came.get("authorization") == "Bearer key-of-the-store"


def test_a_document_that_is_not_there(router: Program, origin: FakeOrigin) -> None:
    origin.script = Rows({7: {}})
    answer = fetch(router, 8)
    assert refusal(answer)[:2] == (404, "not_found")
    assert answer.get("x-layer-cache") == "miss"


def test_the_origins_text_of_values_is_kept(router: Program, origin: FakeOrigin) -> None:
    row = b'{"$dist":0.0,"id":18446744073709551615,"big":-9223372036854775808,"f":0.10000000149011612,"e":1e-7}'

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("200 OK", b'{"rows":[' + row + b"]}")

    origin.script = script
    expected = b'{"id":18446744073709551615,"attributes":{"big":-9223372036854775808,"f":0.10000000149011612,"e":1e-7}}'
    assert fetch(router, "18446744073709551615").body == expected
    assert batch(router, {"ids": [2**64 - 1]}).body == b'{"documents":[' + expected + b'],"missing":[]}'


def test_attributes_are_projected_and_layers_own_shown_by_name_only(router: Program, origin: FakeOrigin) -> None:
    origin.script = Rows({1: {"a": 1, "b,c": 2, "d e": 3, "_hevlayer_upserted_at": 5}})
    every = {"a": 1, "b,c": 2, "d e": 3}
    assert shown(fetch(router, 1))["attributes"] == every
    assert shown(fetch(router, 1, "?include_attributes=a,d+e,none"))["attributes"] == {"a": 1, "d e": 3}
    assert shown(fetch(router, 1, "?include_attributes=a%2Cd%20e"))["attributes"] == {"a": 1, "d e": 3}
    assert shown(fetch(router, 1, "?include_attributes=_hevlayer_upserted_at"))["attributes"] == {
        "_hevlayer_upserted_at": 5
    }

    def of(include):
        return shown(batch(router, {"ids": [1], "include_attributes": include}))["documents"][0]["attributes"]

    assert of(["b,c"]) == {"b,c": 2}
    assert (of(True), of(None), of(False), of([])) == (every, every, {}, {})


@pytest.mark.parametrize(
    ("path", "id_"), [("a%2Fb%20%C3%BC", "a/b ü"), ("..", None), ("%2E%2E", ".."), ("x%22", 'x"'), ("007", "007")]
)
def test_any_string_is_an_id(router: Program, origin: FakeOrigin, path: str, id_: str | None) -> None:
    id_ = path if id_ is None else id_
    origin.script = Rows({id_: {"a": 1}})
    assert shown(fetch(router, path))["id"] == id_


def test_digits_mean_what_the_namespaces_ids_are(start: Start, origin: FakeOrigin) -> None:
    router = start()
    strings = origin.script = Rows({"1": {"a": 1}, "2": {}, "x": {}})
    assert shown(fetch(router, 1))["id"] == "1"
    assert strings.queries == [[1], ["1"]]
    assert shown(fetch(router, 2))["id"] == "2"
    assert strings.queries[2:] == [["2"]], "the type of the ids is remembered"
    assert shown(batch(router, {"ids": ["x", "1"]}))["documents"][1]["id"] == "1"
    # The namespace is made anew, with ids of another type.
    numbers = origin.script = Rows({1: {"a": 1}, 2: {}})
    assert shown(fetch(router, 1))["id"] == 1
    assert numbers.queries == [["1"], [1]]
    answer = shown(batch(router, {"ids": ["2", "3", "1"]}))
    assert [one["id"] for one in answer["documents"]] == [2, 1]
    assert answer["missing"] == ["3"], "as it was asked for"


def test_the_type_of_an_id_may_be_said(router: Program, origin: FakeOrigin) -> None:
    origin.script = Rows({"1": {}})
    assert shown(fetch(router, 1, "?id_type=string"))["id"] == "1"
    answer = fetch(router, 1, "?id_type=uint")
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "💔 wrong type")
    assert batch(router, {"ids": ["1"], "id_type": "string"}).status == 200
    origin.script = Rows({UUID: {}})
    assert shown(fetch(router, UUID, "?id_type=uuid"))["id"] == UUID


def test_a_batch_is_answered_in_the_order_of_the_request(router: Program, origin: FakeOrigin) -> None:
    rows = origin.script = Rows({id_: {"n": id_} for id_ in range(10)})
    answer = batch(router, {"ids": [5, 99, 3, 5, 0, 98, 99]})
    assert [one["id"] for one in shown(answer)["documents"]] == [5, 3, 5, 0]
    assert shown(answer)["missing"] == [99, 98, 99]
    assert sorted(rows.asked()) == [0, 3, 5, 98, 99], "each id is asked for once"
    assert answer.get("x-layer-cache") == "miss"


def test_the_largest_batch_is_streamed(router: Program, origin: FakeOrigin) -> None:
    rows = origin.script = Rows({id_: {"t": "x" * 500} for id_ in range(0, 10_000, 2)})
    answer = batch(router, {"ids": list(range(10_000))})
    assert answer.get("transfer-encoding") == "chunked"
    assert [one["id"] for one in shown(answer)["documents"]] == list(range(0, 10_000, 2))
    assert shown(answer)["missing"] == list(range(1, 10_000, 2))
    assert all(len(ids) <= 1000 for ids in rows.queries)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ids"),
        ({"ids": []}, "ids"),
        ({"ids": list(range(10_001))}, "ids"),
        ({"ids": [1, 2, -3]}, "ids[2]"),
        ({"ids": [1, "x" * 65]}, "ids[1]"),
        ({"ids": [1.5]}, "ids[0]"),
        ({"ids": [1], "include_attributes": 7}, "include_attributes"),
        ({"ids": [1], "consistency": "eventual"}, "consistency"),
        ({"ids": [1], "top_k": 1}, "top_k"),
        (b"{", "body"),
        (b"", "body"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(router: Program, origin: FakeOrigin, body: Any, field: str) -> None:
    status, code, text = refusal(batch(router, body))
    assert (status, code) == (422, "validation_error")
    assert field in text
    assert not origin.requests


@pytest.mark.parametrize("query", ["?id_type=int", "?consistency=eventual", "?id_type=uint", "?include_attributes=%ff"])
def test_a_wrong_parameter_is_refused_by_its_name(router: Program, origin: FakeOrigin, query: str) -> None:
    status, _, text = refusal(fetch(router, "x", query))
    assert status == 422
    assert query[1:].split("=")[0] in text or "id:" in text
    assert not origin.requests


def test_a_body_that_is_too_large_is_not_read(router: Program) -> None:
    body = json.dumps({"ids": ["x" * 60] * 10_000, "include_attributes": ["y" * 1000] * 9000}).encode()
    assert refusal(batch(router, body))[0] == 413


@pytest.mark.parametrize(
    ("status", "headers"),
    [("404 Not Found", []), ("429 Too Many Requests", [("retry-after", "7")]), ("500 Oops", [("x-own", "1")])],
)
def test_the_origins_errors_pass_as_they_came(
    router: Program, origin: FakeOrigin, status: str, headers: list[tuple[str, str]]
) -> None:
    body = json.dumps(NOT_FOUND, ensure_ascii=False).encode()

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply(status, body, [("content-type", "application/json"), *headers])

    origin.script = script
    for answer in (fetch(router, 1), batch(router, {"ids": [1, 2]})):
        assert (answer.status, answer.body) == (int(status.split()[0]), body)
        assert answer.get("x-layer-served-by") == "origin"
        assert all(answer.get(name) == text for name, text in headers)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"rows":[{"id":2}]}', b'{"rows":[{"id":1},{"id":1}]}', b"\xff"])
def test_an_answer_that_makes_no_sense_is_no_absence(router: Program, origin: FakeOrigin, body: bytes) -> None:
    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("200 OK", body)

    origin.script = script
    assert refusal(fetch(router, 1, "?id_type=uint"))[:2] == (502, "upstream_error")


def test_a_deadline_ends_the_wait_and_the_query(router: Program, origin: FakeOrigin) -> None:
    gone = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        if exchange.wait_gone(10):
            gone.set()
        exchange.close()

    origin.script = script
    began = time.monotonic()
    answer = fetch(router, 1, headers=[("x-request-timeout-ms", "300")])
    assert refusal(answer)[:2] == (504, "gateway_timeout")
    assert time.monotonic() - began < 2
    assert gone.wait(5), "nobody waits for the query any more"
    assert int(origin.last().get("x-request-timeout-ms")) <= 300


def test_a_caller_that_goes_away_takes_its_query_along(router: Program, origin: FakeOrigin) -> None:
    gone = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        if exchange.wait_gone(10):
            gone.set()
        exchange.close()

    origin.script = script
    with Connection(router.url) as caller:
        caller.send_request("GET", f"/v2/namespaces/{NS}/documents/1")
        origin.last()
    assert gone.wait(5)


def test_many_misses_join_into_few_queries(start: Start, origin: FakeOrigin) -> None:
    router = start({"fetch.window_us": 20_000})
    go = threading.Event()
    rows = origin.script = Rows({id_: {} for id_ in range(40)}, before=lambda _: go.wait(10))
    with ThreadPoolExecutor(40) as pool:
        first = pool.submit(fetch, router, 0)
        until(lambda: rows.queries, "the first is asked for")
        others = [pool.submit(fetch, router, id_) for id_ in range(1, 40)]
        until(lambda: len(rows.asked()) == 40, "the others are asked for")
        go.set()
        assert all(shown(one.result())["attributes"] == {} for one in [first, *others])
    assert len(rows.queries) < 12, rows.queries


def test_a_fetch_that_begins_after_a_write_is_not_answered_by_an_older_query(start: Start, origin: FakeOrigin) -> None:
    """The query in flight has read the old row already; whoever comes after the write must not get it."""
    router = start()
    rows = Rows({1: {"v": "old"}})
    came, go = threading.Event(), threading.Event()

    def script(exchange: Exchange) -> None:
        if not came.is_set() and exchange.request.target.endswith("/query"):
            exchange.read_body()
            old = {"rows": [{"id": 1, **rows.rows[1]}]}
            came.set()
            assert go.wait(10)
            return exchange.reply_json(old)
        rows(exchange)
        return None

    origin.script = script
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(fetch, router, 1)
        assert came.wait(10)
        rows.rows[1] = {"v": "new"}
        after = pool.submit(fetch, router, 1)
        assert steady(lambda: (len(origin.requests), after.done()), 0.3) == (1, False)
        go.set()
        assert shown(before.result())["attributes"] == {"v": "old"}
        assert shown(after.result())["attributes"] == {"v": "new"}


@pytest.mark.parametrize("setting", ["fetch.query_bytes_max", "fetch.held_bytes"])
def test_an_answer_that_is_too_large_is_asked_for_in_parts_that_fit(
    start: Start, origin: FakeOrigin, setting: str
) -> None:
    router = start({setting: 300_000})
    rows = origin.script = Rows({id_: {"t": "x" * 30_000} for id_ in range(60)})
    answer = shown(batch(router, {"ids": list(range(60))}))
    assert [one["id"] for one in answer["documents"]] == list(range(60))
    # What is read is held twice at first.
    fit = 9 if setting == "fetch.query_bytes_max" else 4
    assert [len(ids) for ids in rows.queries[:2]] == [60, fit], "the second fits by what the first has told"


def test_a_document_alone_may_be_larger_than_an_answer(start: Start, origin: FakeOrigin) -> None:
    router = start({"fetch.query_bytes_max": 3000})
    origin.script = Rows({1: {"t": "x" * 10_000}})
    assert len(shown(fetch(router, 1))["attributes"]["t"]) == 10_000


def test_queries_in_flight_are_bounded_and_what_waits_too(start: Start, origin: FakeOrigin) -> None:
    router = start({"fetch.namespace_queries_max": 2, "fetch.queries_max": 2, "fetch.waiting_max": 3})
    origin.script = stalled
    with ThreadPoolExecutor(5) as pool:
        flying = []
        for number in (1, 2):
            flying.append(pool.submit(fetch, router, number))
            until(lambda number=number: len(origin.requests) == number, "it is in flight")
        # Only one of them finds room to wait.
        waiting = {pool.submit(batch, router, {"ids": [id_, 8, 9]}) for id_ in (3, 4)}
        refused, waiting = wait(waiting, timeout=10, return_when=FIRST_COMPLETED)
        answer = refused.pop().result()
        assert refusal(answer)[:2] == (429, "overloaded")
        assert answer.get("retry-after") == "1"
        assert len(waiting) == 1
        assert len(origin.requests) == 2
        origin.released.set()
        for one in [*flying, *waiting]:
            one.result()


def test_callers_with_keys_of_their_own_share_no_query(start: Start, origin: FakeOrigin) -> None:
    router = start({"auth.mode": "pass-through", "origin.api_key": None})
    go = threading.Event()
    rows = origin.script = Rows({1: {}}, before=lambda _: go.wait(10))
    with ThreadPoolExecutor(3) as pool:
        keys = ["Bearer one", "Bearer two", "Bearer three"]
        waiting = [pool.submit(fetch, router, 1, headers=[("authorization", key)], key=False) for key in keys]
        until(lambda: len(rows.queries) == 3, "each is asked for with its own key")
        go.set()
        assert [one.result().status for one in waiting] == [200] * 3
    assert sorted(one.get("authorization") for one in origin.requests) == sorted(keys)


def test_fetches_are_counted(start: Start, origin: FakeOrigin) -> None:
    router = start()
    origin.script = Rows({1: {}})
    fetch(router, 1)
    batch(router, {"ids": [1, 2, 3]})
    page = router.metrics()
    name = "layer_fetch_duration_seconds_count"
    assert value(page, name, operation="single", namespace=NS, cache_result="miss") == 1
    assert value(page, name, operation="batch", namespace=NS, cache_result="miss") == 1
    assert value(page, "layer_fetch_batch_size_sum", operation="batch") == 3
    assert value(page, "hevlayer_cache_demand_total") == 0, "no cache is wanted"
    assert ask(router.url, "POST", f"/v2/namespaces/{NS}/documents/1", b"").status == 404
