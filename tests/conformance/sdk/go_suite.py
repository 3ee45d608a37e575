"""The Go SDK's live tests, out of the module that the Go module proxy carries, or out of a checkout.

The proxy answers 403 for this module in some places. Then the suite is skipped, and says so. To run it all the same,
set LAYER_GO_SDK_DIR to a checkout of the SDK at this version.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .python_suite import clean_environment
from .results import Outcome, Results, Skipped

NAME = "go"
MODULE = "github.com/turbopuffer/turbopuffer-go/v2"
VERSION = "v2.4.1"
LIVE_TEST = "TestTurbopufferFullTextSearchSchema"
LEAST_PASSED = 4
"""The test itself and its three parts."""
TIMEOUT_S = 600
NOT_SERVED = ("403 Forbidden", "404 Not Found", "410 Gone")


def run(base_url: str, api_key: str = "test") -> Results:
    """Runs the live tests against a base URL.

    They name a region, and then Go's SDK demands REGION in the base URL. As the user's name it changes no path; it is
    never sent, since the SDK sets the authorization itself.
    """
    if shutil.which("go") is None:
        raise Skipped("there is no Go toolchain on this machine")
    environment = clean_environment() | {
        "TURBOPUFFER_API_KEY": api_key,
        "TURBOPUFFER_BASE_URL": base_url.replace("://", "://REGION@", 1),
    }
    # The module cache is read-only, and go needs the module's own directory to be the main module.
    with tempfile.TemporaryDirectory() as scratch:
        suite = shutil.copytree(source(), Path(scratch) / "suite", copy_function=shutil.copyfile)
        suite.chmod(0o755)
        command = ["go", "test", "-count=1", "-json", "-run", f"^{LIVE_TEST}$", "."]
        process = subprocess.run(
            command, cwd=suite, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    results = read_events(process.stdout)
    if not results:
        raise RuntimeError(f"the Go SDK's suite did not run:\n{process.stdout[-4000:]}{process.stderr[-4000:]}")
    return results


def read_events(output: str) -> Results:
    """The outcome of each test in the lines of `go test -json`."""
    outcomes = {"pass": "passed", "fail": "failed", "skip": "skipped"}
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {
        event["Test"]: Outcome(outcomes[event["Action"]])
        for event in events
        if event["Action"] in outcomes and event.get("Test")
    }


def source() -> Path:
    if checkout := os.environ.get("LAYER_GO_SDK_DIR"):
        return Path(checkout)
    command = ["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    if process.returncode == 0:
        return Path(json.loads(process.stdout)["Dir"])
    if any(answer in process.stdout + process.stderr for answer in NOT_SERVED):
        raise Skipped(f"the Go module proxy does not serve {MODULE}@{VERSION}; set LAYER_GO_SDK_DIR to a checkout")
    raise RuntimeError(f"{MODULE}@{VERSION} could not be had:\n{process.stdout}{process.stderr}")
