"""An origin as far away as Turbopuffer: a process that passes bytes on after a while, and ends with its input."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ONE_WAY_S = 0.004
"""Half of the shortest warm query that Turbopuffer publishes (8 ms, p50)."""


@contextmanager
def far(port: int) -> Iterator[str]:
    """The URL under which a port of this machine is that far away."""
    arguments = [sys.executable, __file__, str(port)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://{process.stdout.readline().strip()}"
        process.communicate()


def main() -> None:
    """Passes bytes on until its input ends."""
    sys.path.insert(0, str(Path(__file__).parents[3] / "tests"))
    from faults.proxy import Proxy

    proxy = Proxy(int(sys.argv[1]))
    proxy.delay(ONE_WAY_S)
    print(proxy.address, flush=True)
    sys.stdin.read()
    proxy.stop()


if __name__ == "__main__":
    main()
