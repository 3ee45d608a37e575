"""doc-cache as a process, and a client of it that knows the contract by reflection."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import ServiceDescriptor

import grpc

from .grpc import FailedCall, Reflection
from .ports import ADMIN_OFFSET, free_port
from .process import Process, binary
from .programs import Program, flags

SERVICE = "layer.cache.v1.DocCacheService"
WITHIN_S = 10.0
HOLD_MS = 75_000


def start_doc_cache(settings: Mapping[str, Any] | None = None, ready: bool = True, port: int | None = None) -> Program:
    """A doc-cache with the embedded backend on a free port. Settings by their path."""
    port = port or free_port()
    own = {
        "listen.address": f"127.0.0.1:{port}",
        "admin.address": f"127.0.0.1:{port + ADMIN_OFFSET}",
        "listen.workers": 2,
        "drain.linger_ms": 100,
        # A test's own cache has no writers of before; the tests of faults set the real thing.
        "proof.settle_ms": 0,
        # Nor does it void what a test has stored when the machine stands still for half a second. Tests that let the
        # cache stand still take the default (None).
        "proof.lapse_ms": 5000,
    } | dict(settings or {})
    given = {path: value for path, value in own.items() if value is not None}
    process = Process("doc-cache", [binary("doc-cache"), *flags(given)])
    program = Program(process, port, port + ADMIN_OFFSET)
    if ready:
        program.wait_ready()
    return program


@functools.cache
def described(address: str) -> ServiceDescriptor:
    with grpc.insecure_channel(address) as channel:
        return descriptor_pool.DescriptorPool(Reflection(channel)).FindServiceByName(SERVICE)


class Cache:
    """Calls of one scope. A lookup is `("hit", bytes)`, `("lease", bytes)` or `("no_lease", reason)`."""

    def __init__(self, program: Program, namespace: str = "ns", channel: grpc.Channel | None = None) -> None:
        self.address = program.address
        self.service = described(program.address)
        self.channel = channel or grpc.insecure_channel(program.address)
        self.scope = {"tenant": "store", "namespace": namespace, "kind": 1}

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def message(self, method: str, fields: Mapping[str, Any]) -> Any:
        return message_factory.GetMessageClass(self.service.methods_by_name[method].input_type)(**fields)

    def call(self, method: str, within_s: float = WITHIN_S, **fields: Any) -> Any:
        """One call; a list of messages where the answer streams. Raises FailedCall."""
        description = self.service.methods_by_name[method]
        make = self.channel.unary_stream if description.server_streaming else self.channel.unary_unary
        answer_type = message_factory.GetMessageClass(description.output_type)
        rpc = make(
            f"/{SERVICE}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer_type.FromString,
        )
        try:
            answer = rpc(self.message(method, fields), timeout=within_s)
            return list(answer) if description.server_streaming else answer
        except grpc.RpcError as error:
            raise FailedCall(error) from error

    def get(self, key: bytes) -> tuple[str, Any]:
        return outcome(self.call("Get", scope=self.scope, id=key).lookup)

    def get_all(self, keys: list[bytes]) -> list[tuple[str, Any]]:
        pieces = self.call("BatchGet", scope=self.scope, ids=keys)
        found = {one.index: outcome(one.lookup) for piece in pieces for one in piece.lookups}
        assert sorted(found) == list(range(len(keys)))
        return [found[at] for at in range(len(keys))]

    def fill(self, key: bytes, lease: bytes, data: bytes, ttl_ms: int = 0) -> str:
        body = {"data": data, "content_type": "application/json"}
        fill = {"id": key, "lease": {"token": lease}, "body": body, "ttl_ms": ttl_ms}
        answer = self.call("BatchFill", scope=self.scope, fills=[fill])
        return status_name(self.service, answer.statuses[0])

    def store(self, key: bytes, data: bytes) -> None:
        """Looks the key up and fills it in."""
        kind, lease = self.get(key)
        assert kind == "lease", (kind, lease)
        assert self.fill(key, lease, data) == "STORED"

    def hold(self, write: bytes, *keys: bytes, hold_ms: int = HOLD_MS) -> None:
        self.call("Hold", scope=self.scope, write_id=write, ids=keys, hold_ms=hold_ms)

    def release(self, write: bytes, *keys: bytes) -> None:
        self.call("Release", scope=self.scope, write_id=write, ids=keys)

    def stats(self) -> Any:
        return self.call("Stats")


def outcome(lookup: Any) -> tuple[str, Any]:
    kind = lookup.WhichOneof("outcome")
    match kind:
        case "hit":
            return kind, lookup.hit.data
        case "lease":
            return kind, lookup.lease.token
    reason = lookup.no_lease.DESCRIPTOR.fields_by_name["reason"].enum_type.values_by_number[lookup.no_lease.reason]
    return kind, reason.name.removeprefix("NO_LEASE_REASON_")


def status_name(service: ServiceDescriptor, number: int) -> str:
    answer = service.methods_by_name["BatchFill"].output_type
    names = answer.fields_by_name["statuses"].enum_type.values_by_number
    return names[number].name.removeprefix("FILL_STATUS_")


def write_id() -> bytes:
    return os.urandom(16)
