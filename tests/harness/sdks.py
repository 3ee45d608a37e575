"""Runs the official SDKs' own live tests against a stand-in alone and through a router: `python -m harness.sdks`.

Started from tests/. Ends with the exit code of conformance/sdk/compare.py.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from .conformance import KEY, started

CONFORMANCE = Path(__file__).parent.parent / "conformance"
LIMIT_S = 1800


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="layer-sdks-") as directory, started(Path(directory)) as mesh:
        command = [sys.executable, "-m", "sdk.compare", "--api-key", KEY]
        command += ["--origin", mesh["LAYER_TEST_ORIGIN_URL"], "--router", mesh["LAYER_TEST_ROUTER_URL"]]
        return subprocess.run(command, cwd=CONFORMANCE, timeout=LIMIT_S, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
