"""Fetch and BatchFetch."""

from __future__ import annotations

from typing import Any

import pytest
from build import id_of, kinds, plain, row, value, vector
from contract import router, types

import grpc

CODE = grpc.StatusCode
STRONG = types.Consistency(level=types.CONSISTENCY_LEVEL_STRONG)
LARGEST = 2**64 - 1
ROWS = [
    row(1, title="blue whale", year=1758, precise=9007199254740993, tags=["sea", "big"], vector=vector(0.5, 0.25)),
    row(2, title="walrus", year=1758, vector=vector(0.5, 1)),
    row(LARGEST, title="red fox", vector=vector(3, 4)),
]


@pytest.fixture
def animals(api: Any, namespace: str) -> str:
    request = router.WriteRequest(
        namespace=namespace,
        upsert_rows=ROWS,
        schema=kinds(precise="uint"),
        distance_metric=types.DISTANCE_METRIC_EUCLIDEAN_SQUARED,
    )
    api.call("Write", request)
    return namespace


def fetch(namespace: str, id_: int | str, **fields: Any) -> Any:
    return router.FetchRequest(namespace=namespace, id=id_of(id_), **fields)


def many(namespace: str, ids: list[int | str], **fields: Any) -> Any:
    return router.BatchFetchRequest(namespace=namespace, ids=[id_of(one) for one in ids], **fields)


def test_a_document_has_its_values_by_their_kinds(api: Any, animals: str) -> None:
    document, metadata = api.with_metadata("Fetch", fetch(animals, 1, consistency=STRONG))
    document = document.document
    assert plain(document.id) == 1
    assert document.attributes == {
        "title": value("blue whale"),
        "year": value(1758),
        "precise": value(9007199254740993),
        "tags": value(["sea", "big"]),
        "vector": value(vector(0.5, 0.25)),
    }
    assert metadata["x-layer-cache"] == "miss"
    assert metadata["x-layer-served-by"] == "layer"
    assert "server-timing" in metadata
    typed = api.call("Fetch", fetch(animals, 1, attribute_types={"precise": "uint", "vector": "[]float"})).document
    assert typed.attributes["precise"] == types.Value(uint_value=9007199254740993)
    assert typed.attributes["vector"] == types.Value(float_array=types.FloatArray(values=[0.5, 0.25]))


def test_attributes_are_projected(api: Any, animals: str) -> None:
    def names(*listed: str) -> list[str]:
        return sorted(api.call("Fetch", fetch(animals, 2, include_attributes=listed)).document.attributes)

    assert names("title", "nope") == ["title"], "a name that nobody knows is left out"
    assert names() == ["title", "vector", "year"]
    assert names("_hevlayer_upserted_at") == ["_hevlayer_upserted_at"]
    messages, _ = api.stream("BatchFetch", many(animals, [1, LARGEST], include_attributes=["year", "nope"]))
    assert [dict(one.attributes) for one in messages[0].documents] == [{"year": value(1758)}, {}]


def test_a_batch_is_in_the_order_of_the_request(api: Any, animals: str) -> None:
    messages, metadata = api.stream("BatchFetch", many(animals, [LARGEST, 9, 1, 1, 8], consistency=STRONG))
    documents = [plain(one.id) for message in messages for one in message.documents]
    missing = [plain(one) for message in messages for one in message.missing]
    assert (documents, missing) == ([LARGEST, 1, 1], [9, 8])
    assert metadata["x-layer-cache"] == "miss"
    nothing, _ = api.stream("BatchFetch", many(animals, [9]))
    assert [plain(one) for message in nothing for one in message.missing] == [9]


def test_strings_are_strings_whatever_they_look_like(api: Any, namespace: str) -> None:
    api.call("Write", router.WriteRequest(namespace=namespace, upsert_rows=[row("1", t="a"), row('a/b "ü', t="b")]))
    assert plain(api.call("Fetch", fetch(namespace, "1")).document.id) == "1"
    messages, _ = api.stream("BatchFetch", many(namespace, ['a/b "ü', "2", "1"]))
    assert [plain(one.id) for one in messages[0].documents] == ['a/b "ü', "1"]
    assert [plain(one) for one in messages[0].missing] == ["2"]
    wrong = api.failure("Fetch", fetch(namespace, 1, consistency=STRONG))
    assert (wrong.code, wrong.reason) == (CODE.INVALID_ARGUMENT, "ORIGIN_ERROR")
    assert wrong.metadata["http_status"] == "400"


def test_a_large_batch_is_streamed(api: Any, namespace: str) -> None:
    rows = [row(id_, t="x" * 4000) for id_ in range(0, 2000, 2)]
    api.call("Write", router.WriteRequest(namespace=namespace, upsert_rows=rows))
    messages, _ = api.stream("BatchFetch", many(namespace, list(range(2000))))
    documents = [plain(one.id) for message in messages for one in message.documents]
    missing = [plain(one) for message in messages for one in message.missing]
    assert (documents, missing) == (list(range(0, 2000, 2)), list(range(1, 2000, 2)))
    assert len(messages) > 3
    assert max(message.ByteSize() for message in messages) < 2 << 20


def test_what_is_not_there_is_an_error_of_one_and_none_of_many(api: Any, animals: str) -> None:
    gone = api.failure("Fetch", fetch(animals, 7))
    assert (gone.code, gone.reason, gone.domain) == (CODE.NOT_FOUND, "NOT_FOUND", "layer")
    assert gone.trailers["x-layer-served-by"] == "layer"
    for told in (
        api.failure("Fetch", fetch(f"{animals}-no", 1)),
        api.stream_failure("BatchFetch", many(f"{animals}-no", [1])),
    ):
        assert (told.code, told.reason) == (CODE.NOT_FOUND, "ORIGIN_ERROR")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"ids": []}, "ids"),
        ({"ids": list(range(10_001))}, "ids"),
        ({"ids": [1, "x" * 65]}, "ids[1].string_value"),
        ({"ids": [1], "include_attributes": ["a", ""]}, "include_attributes[1]"),
        ({"ids": [1], "include_attributes": [f"a{at}" for at in range(1025)]}, "include_attributes"),
        ({"ids": [1], "consistency": types.Consistency()}, "consistency.level"),
    ],
)
def test_a_wrong_request_names_its_fields(api: Any, animals: str, fields: dict[str, Any], field: str) -> None:
    told = api.stream_failure("BatchFetch", many(animals, **fields))
    assert (told.code, told.reason) == (CODE.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert list(told.violations) == [field]


def test_an_id_is_needed(api: Any, animals: str) -> None:
    assert list(api.failure("Fetch", router.FetchRequest(namespace=animals)).violations) == ["id"]
    assert list(api.failure("Fetch", router.FetchRequest(id=id_of(1))).violations) == ["namespace"]
    assert api.failure("Fetch", fetch(animals, 1), key="").code == CODE.UNAUTHENTICATED
