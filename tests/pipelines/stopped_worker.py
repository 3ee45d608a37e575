"""A worker as a process of its own, for a test that stops it: `python -m pipelines.stopped_worker ADDRESS PIPELINE`.

It claims one document and says so, waits for a line, writes rows that only it would write, and prints what came of
them.
"""

from __future__ import annotations

import sys
from typing import Any

from harness.pipelines import Service

from .client import Patient


class Address:
    def __init__(self, address: str) -> None:
        self.address = address


def main(address: str, pipeline: str) -> None:
    with Service(Address(address)) as service:  # type: ignore[arg-type]
        client = Patient(service, pipeline)
        [claimed] = client.claim("stopped", limit=1, lease_ms=1000)
        chunks: list[dict[str, Any]] = client.chunks(claimed["document_id"])
        print("claimed", flush=True)
        sys.stdin.readline()
        late = [chunk | {"text": "late"} for chunk in chunks]
        print(client.put(claimed, late), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
