"""Runs the official SDKs' own live tests against the stand-in alone and through a router: `python -m harness.sdks`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from . import conformance

CONFORMANCE = Path(__file__).parents[1] / "conformance"


def main() -> int:
    """The comparer's exit code: 1 where the two differ, or a test fails that is not known to."""
    with tempfile.TemporaryDirectory() as directory, conformance.started(Path(directory)) as mesh:
        compare = [sys.executable, "-m", "sdk.compare", "--api-key", conformance.KEY]
        urls = ["--origin", mesh["LAYER_TEST_ORIGIN_URL"], "--router", mesh["LAYER_TEST_ROUTER_URL"]]
        return subprocess.run([*compare, *urls], cwd=CONFORMANCE, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
