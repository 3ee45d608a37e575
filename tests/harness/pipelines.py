"""pipeline-worker as a process, and a client of its contract by reflection."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import ServiceDescriptor

import grpc

from .grpc import FailedCall, Reflection
from .ports import ADMIN_OFFSET, free_port
from .process import Process, binary
from .programs import CACHE_DEADLINE_MS, INTERNAL_KEY, KEY, Program, flags

PIPELINES = "layer.pipeline.v1.PipelineService"
FUNCTIONS = "layer.function.v1.FunctionService"
WITHIN_S = 20.0
# A service that was restarted is found again at once.
CHANNEL = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 100),
    # Two clients of one address do not share a connection that one of them has seen fail.
    ("grpc.use_local_subchannel_pool", 1),
]


def start_pipeline_worker(
    router_url: str,
    directory: Path,
    settings: Mapping[str, Any] | None = None,
    ready: bool = True,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    program_name: str = "pipeline-worker",
) -> Program:
    """A pipeline-worker on a free port, on SQLite and bodies in `directory` unless the settings say otherwise."""
    port = port or free_port()
    directory.mkdir(parents=True, exist_ok=True)
    own = {
        "listen.address": f"127.0.0.1:{port}",
        "admin.address": f"127.0.0.1:{port + ADMIN_OFFSET}",
        "listen.workers": 2,
        "router.url": router_url,
        "router.api_key": KEY,
        "router.internal_key": INTERNAL_KEY,
        "cache.deadline_ms": CACHE_DEADLINE_MS,
        "state.url": f"sqlite://{directory}/state.db",
        "object_store.backend": "directory",
        "object_store.directory": str(directory / "bodies"),
        "upkeep.interval_ms": 200,
        "drain.linger_ms": 100,
        "drain.timeout_ms": 10_000,
    } | dict(settings or {})
    given = {path: value for path, value in own.items() if value is not None}
    process = Process(program_name, [binary(program_name), *flags(given)], env)
    program = Program(process, port, port + ADMIN_OFFSET)
    if ready:
        program.wait_ready()
    return program


@functools.cache
def described(address: str, service: str) -> ServiceDescriptor:
    with grpc.insecure_channel(address) as channel:
        return descriptor_pool.DescriptorPool(Reflection(channel)).FindServiceByName(service)


class Service:
    """Calls of one service with dictionaries both ways; raises FailedCall."""

    def __init__(self, program: Program, service: str = PIPELINES, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self.name = service
        self.address = program.address
        self.channel = grpc.insecure_channel(program.address, CHANNEL)
        self.metadata = (("authorization", f"Bearer {KEY}"), *metadata)

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def call(self, method: str, within_s: float = WITHIN_S, **fields: Any) -> Any:
        """One call; a list of messages where the answer streams."""
        description = described(self.address, self.name).methods_by_name[method]
        kinds = [message_factory.GetMessageClass(kind) for kind in (description.input_type, description.output_type)]
        make = self.channel.unary_stream if description.server_streaming else self.channel.unary_unary
        rpc = make(
            f"/{self.name}/{method}",
            request_serializer=kinds[0].SerializeToString,
            response_deserializer=kinds[1].FromString,
        )
        try:
            answer = rpc(json_format.ParseDict(fields, kinds[0]()), timeout=within_s, metadata=self.metadata)
            return [plain(one) for one in answer] if description.server_streaming else plain(answer)
        except grpc.RpcError as error:
            raise FailedCall(error) from error


def plain(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
