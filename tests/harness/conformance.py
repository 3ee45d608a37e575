"""What the conformance and gRPC suites ask: a stand-in alone, and another with a router in front."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .programs import start_router, start_stand_in

KEY = os.environ.get("LAYER_TEST_API_KEY", "test")
VARIABLES = ("LAYER_TEST_ORIGIN_URL", "LAYER_TEST_ROUTER_URL", "LAYER_TEST_ROUTER_GRPC", "LAYER_TEST_KEY")


@contextmanager
def started(directory: Path) -> Iterator[dict[str, str]]:
    """Runs both, and gives the values of VARIABLES."""
    with ExitStack() as stack:
        alone = start_stand_in(directory / "alone")
        stack.callback(alone.stop)
        behind = start_stand_in(directory / "behind")
        stack.callback(behind.stop)
        router = start_router(behind.url, {"origin.api_key": KEY})
        stack.callback(router.stop)
        yield dict(zip(VARIABLES, (alone.url, router.url, router.address, KEY), strict=True))
