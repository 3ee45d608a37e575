"""Calls the router's gRPC service by what its reflection says: no generated code is needed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.duration_pb2 import Duration
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import grpc

from .programs import KEY, Program

SERVICE = "layer.router.v1.QueryRouterService"
WITHIN_S = 10.0


class Reflection(ProtoReflectionDescriptorDatabase):
    """What a server tells of itself by grpc.reflection.v1. grpcio-reflection only knows v1alpha, whose messages are the
    same."""

    def __init__(self, channel: grpc.Channel) -> None:
        super().__init__(channel)
        self._stub = self
        self.ServerReflectionInfo = channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )


class FailedCall(Exception):
    """A call's status, with the google.rpc details that came with it."""

    def __init__(self, error: grpc.RpcError) -> None:
        self.code: grpc.StatusCode = error.code()
        self.text: str = error.details()
        self.reason, self.retry_delay_s = "", 0.0
        metadata = dict(error.trailing_metadata() or ())
        self._read(metadata.get("grpc-status-details-bin", b""))
        super().__init__(f"{self.code.name} {self.reason}: {self.text}")

    def _read(self, details: bytes) -> None:
        # google.rpc.Status: code 1, message 2, details 3 (Any: type_url 1, value 2).
        for number, value in fields(details):
            if number != 3:
                continue
            inner = dict(fields(value))
            kind = inner.get(1, b"").decode().rsplit("/", 1)[-1]
            content = dict(fields(inner.get(2, b"")))
            if kind == "google.rpc.ErrorInfo":
                self.reason = content.get(1, b"").decode()
            if kind == "google.rpc.RetryInfo":
                self.retry_delay_s = Duration.FromString(content.get(1, b"")).ToTimedelta().total_seconds()


def fields(message: bytes) -> list[tuple[int, bytes]]:
    """The fields of an encoded message that are texts, bytes or messages."""
    found, at = [], 0
    while at < len(message):
        key, at = varint(message, at)
        length, at = varint(message, at)
        if key & 7 == 2:
            found.append((key >> 3, message[at : at + length]))
            at += length
    return found


def varint(message: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


@functools.cache
def described(address: str) -> ServiceDescriptor:
    """The router's service, as it describes itself."""
    with grpc.insecure_channel(address) as channel:
        pool = descriptor_pool.DescriptorPool(Reflection(channel))
        return pool.FindServiceByName(SERVICE)


def call(
    router: Program,
    method: str,
    request: dict[str, Any],
    metadata: Sequence[tuple[str, str]] = (),
    within_s: float = WITHIN_S,
    channel: grpc.Channel | None = None,
) -> dict[str, Any]:
    """One unary call with JSON both ways; raises FailedCall."""
    if channel is None:
        with grpc.insecure_channel(router.address) as own:
            return call(router, method, request, metadata, within_s, own)
    description = described(router.address).methods_by_name[method]
    kinds = [message_factory.GetMessageClass(kind) for kind in (description.input_type, description.output_type)]
    rpc = channel.unary_unary(
        f"/{SERVICE}/{method}", request_serializer=kinds[0].SerializeToString, response_deserializer=kinds[1].FromString
    )
    message = json_format.ParseDict(request, kinds[0]())
    try:
        answer = rpc(message, timeout=within_s, metadata=[("authorization", f"Bearer {KEY}"), *metadata])
    except grpc.RpcError as error:
        raise FailedCall(error) from error
    return json_format.MessageToDict(answer, preserving_proto_field_name=True)
