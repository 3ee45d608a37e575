"""ListNamespaces, metadata, schema, WarmHint, DeleteNamespace, reflection."""

from __future__ import annotations

import uuid

from build import kinds, row, vector
from contract import router, types
from grpc_reflection.v1alpha import reflection_pb2

import grpc


def write(api, namespace, **fields):
    return api.call("Write", router.WriteRequest(namespace=namespace, **fields))


def test_namespaces_are_listed_page_by_page(api):
    prefix = f"grpc-list-{uuid.uuid4().hex[:8]}"
    names = [f"{prefix}-{number}" for number in range(3)]
    for name in names:
        write(api, name, upsert_rows=[row(1, a=1)])
    first = api.call("ListNamespaces", router.ListNamespacesRequest(prefix=prefix, page_size=2))
    assert [one.id for one in first.namespaces] == names[:2]
    assert first.next_page_token
    second = api.call(
        "ListNamespaces",
        router.ListNamespacesRequest(prefix=prefix, page_size=2, page_token=first.next_page_token),
    )
    assert [one.id for one in second.namespaces] == names[2:]
    assert second.next_page_token == ""
    for name in names:
        assert api.call("DeleteNamespace", router.DeleteNamespaceRequest(namespace=name)).status.upper() == "OK"
    assert not api.call("ListNamespaces", router.ListNamespacesRequest(prefix=prefix)).namespaces


def test_a_schema_is_set_and_read(api, namespace):
    search = types.FullTextSearch(tokenizer="word_v3", stemming=True, k1=1.5)
    text = types.AttributeConfig(type="string", full_text_search=search, filterable=True)
    write(
        api,
        namespace,
        upsert_rows=[row(1, text="whale", vector=vector(0.1, 0.2))],
        schema=kinds(text=text),
        distance_metric=types.DISTANCE_METRIC_COSINE_DISTANCE,
    )
    schema = api.call("GetSchema", router.GetSchemaRequest(namespace=namespace)).schema
    assert set(schema) == {"id", "text", "vector"}
    assert (schema["id"].type, schema["vector"].type, schema["vector"].ann_enabled) == ("uint", "[2]f32", True)
    assert not schema["id"].HasField("filterable")
    found = schema["text"].full_text_search
    assert (found.tokenizer, found.stemming, found.k1, found.b) == ("word_v3", True, 1.5, 0.75)
    change = kinds(text=types.AttributeConfig(type="string", filterable=False))
    updated = api.call("UpdateSchema", router.UpdateSchemaRequest(namespace=namespace, schema=change)).schema
    assert updated["text"].filterable is False
    assert updated["text"].full_text_search.k1 == 1.5


def test_metadata_is_read_and_changed(api, namespace):
    write(api, namespace, upsert_rows=[row(1, a=1)])
    metadata = api.call("GetMetadata", router.GetMetadataRequest(namespace=namespace)).metadata
    assert set(metadata.schema) == {"id", "a"}
    assert metadata.encryption.WhichOneof("mode") == "default_encryption"
    assert metadata.index.status == types.INDEX_STATUS_UP_TO_DATE
    assert metadata.created_at.seconds > 1_700_000_000
    assert metadata.read_only is False
    locked = api.call("UpdateMetadata", router.UpdateMetadataRequest(namespace=namespace, read_only=True)).metadata
    assert locked.read_only is True
    failure = api.failure("Write", router.WriteRequest(namespace=namespace, upsert_rows=[row(2, a=1)]))
    assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
    assert "read-only" in failure.message
    api.call("UpdateMetadata", router.UpdateMetadataRequest(namespace=namespace, read_only=False))
    write(api, namespace, upsert_rows=[row(2, a=1)])


def test_a_warm_hint_is_accepted(api, namespace):
    write(api, namespace, upsert_rows=[row(1, a=1)])
    assert api.call("WarmHint", router.WarmHintRequest(namespace=namespace)).status == "ACCEPTED"


def test_reflection_describes_the_service_and_its_errors(api):
    """By version 1 of the protocol, whose messages are those of v1alpha under another package."""
    reflect = api.channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    names = ["layer.router.v1.QueryRouterService", "google.rpc.ErrorInfo"]
    asked = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=name) for name in names]
    listed = reflection_pb2.ServerReflectionRequest(list_services="")
    answers = list(reflect(iter([listed, *asked]), timeout=10))
    assert names[0] in [service.name for service in answers[0].list_services_response.service]
    assert all(answer.file_descriptor_response.file_descriptor_proto for answer in answers[1:])
