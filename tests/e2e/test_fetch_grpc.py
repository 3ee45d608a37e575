"""Fetch and BatchFetch: typed ids and values, metadata, errors, and messages of bounded size."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format, message_factory

import grpc
from harness.grpc import SERVICE, FailedCall, call, described
from harness.origin import Exchange, FakeOrigin, stalled
from harness.programs import KEY, Program
from harness.rows import NS, Rows


def uint(number: int) -> dict[str, Any]:
    return {"uint_value": str(number)}


def text(string: str) -> dict[str, Any]:
    return {"string_value": string}


def stream(router: Program, request: dict[str, Any], within_s: float = 10) -> tuple[list[Any], dict[str, Any]]:
    """The messages of a BatchFetch, and the metadata before them."""
    description = described(router.address).methods_by_name["BatchFetch"]
    kinds = [message_factory.GetMessageClass(kind) for kind in (description.input_type, description.output_type)]
    with grpc.insecure_channel(router.address) as channel:
        rpc = channel.unary_stream(
            f"/{SERVICE}/BatchFetch",
            request_serializer=kinds[0].SerializeToString,
            response_deserializer=kinds[1].FromString,
        )
        message = json_format.ParseDict(request, kinds[0]())
        answer = rpc(message, timeout=within_s, metadata=[("authorization", f"Bearer {KEY}")])
        try:
            return list(answer), dict(answer.initial_metadata())
        except grpc.RpcError as error:
            raise FailedCall(error) from error


def test_a_document_with_typed_values(router: Program, origin: FakeOrigin) -> None:
    origin.script = Rows({2**64 - 1: {"t": "x", "n": 2**63, "vector": [0.5, 1], "_hevlayer_upserted_at": 5}})
    request = {"namespace": NS, "id": uint(2**64 - 1), "attribute_types": {"n": "uint"}}
    document = call(router, "Fetch", request)["document"]
    assert document["id"] == uint(2**64 - 1)
    assert document["attributes"] == {
        "t": {"string_value": "x"},
        "n": {"uint_value": str(2**63)},
        "vector": {"dense_vector": {"floats": {"values": [0.5, 1.0]}}},
    }
    named = call(router, "Fetch", request | {"include_attributes": ["_hevlayer_upserted_at"]})["document"]
    assert list(named["attributes"]) == ["_hevlayer_upserted_at"]


def test_a_string_is_a_string_whatever_it_looks_like(router: Program, origin: FakeOrigin) -> None:
    rows = origin.script = Rows({"1": {}})
    assert call(router, "Fetch", {"namespace": NS, "id": text("1")})["document"]["id"] == text("1")
    assert rows.queries == [["1"]]


def test_a_document_that_is_not_there(router: Program, origin: FakeOrigin) -> None:
    origin.script = Rows({1: {}})
    with pytest.raises(FailedCall) as failed:
        call(router, "Fetch", {"namespace": NS, "id": uint(2)})
    assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def test_a_batch_comes_in_messages_that_clients_take(router: Program, origin: FakeOrigin) -> None:
    origin.script = Rows({id_: {"t": "x" * 3000} for id_ in range(0, 4000, 2)})
    messages, metadata = stream(router, {"namespace": NS, "ids": [uint(id_) for id_ in range(4000)]}, 30)
    documents = [document.id.uint_value for message in messages for document in message.documents]
    missing = [id_.uint_value for message in messages for id_ in message.missing]
    assert (documents, missing) == (list(range(0, 4000, 2)), list(range(1, 4000, 2)))
    assert len(messages) > 3
    assert max(message.ByteSize() for message in messages) < 2 << 20
    assert metadata["x-layer-cache"] == "miss"
    assert metadata["x-layer-served-by"] == "layer"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"ids": []}, "ids"),
        ({"ids": [uint(1), {}]}, "ids[1]"),
        ({"ids": [text("x" * 65)]}, "ids[0].string_value"),
        ({"ids": [uint(1)], "namespace": "a b"}, "namespace"),
        ({"ids": [uint(1)], "consistency": {"level": "CONSISTENCY_LEVEL_EVENTUAL"}}, "consistency.level"),
        ({"ids": [uint(1)], "include_attributes": [""]}, "include_attributes[0]"),
        ({"ids": [uint(1)], "attribute_types": {"a": "x"}}, "attribute_types"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(
    router: Program, origin: FakeOrigin, request_: dict[str, Any], field: str
) -> None:
    with pytest.raises(FailedCall) as failed:
        stream(router, {"namespace": NS} | request_)
    assert failed.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert failed.value.reason == "INVALID_REQUEST"
    assert failed.value.text.startswith(field)
    assert not origin.requests


def test_the_origins_errors_and_deadlines_are_told(router: Program, origin: FakeOrigin) -> None:
    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply_json({"status": "error", "error": "slow down"}, "429 Too Many Requests")

    origin.script = script
    for fetched in (
        lambda: stream(router, {"namespace": NS, "ids": [uint(1)]}),
        lambda: call(router, "Fetch", {"namespace": NS, "id": uint(1)}),
    ):
        with pytest.raises(FailedCall) as failed:
            fetched()
        assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "ORIGIN_ERROR")
    origin.script = stalled
    with pytest.raises(FailedCall) as failed:
        stream(router, {"namespace": NS, "ids": [uint(1)]}, within_s=0.5)
    assert failed.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
