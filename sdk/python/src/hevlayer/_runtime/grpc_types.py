"""Types of gRPC that both halves name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)
Metadata = tuple[tuple[str, str], ...]
ChannelOptions = Sequence[tuple[str, Any]]
