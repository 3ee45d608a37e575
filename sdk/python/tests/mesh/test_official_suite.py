"""The official client's own live tests with our clients: through Layer, and with Layer away."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
from conformance.sdk import python_suite

from harness.programs import KEY
from mesh.parts import Mesh

SDK = Path(__file__).parents[2]
PLUGINS = [SDK / "tests/official", SDK.parents[1] / "tests/conformance/sdk/plugin", SDK / "src"]
LEAST = 30


def run(mesh: Mesh, away: bool, results: Path) -> dict[str, str]:
    """What became of each test."""
    python, suite = python_suite.prepare()
    # What our package needs and the suite's environment lacks comes from ours.
    paths = [*map(str, PLUGINS), sysconfig.get_path("purelib")]
    environment = python_suite.clean_environment() | {
        "PYTHONPATH": os.pathsep.join(paths),
        "LAYER_SDK_RESULTS": str(results),
        "LAYER_SUITE_WAYS": str(results.with_name("ways.json")),
        "LAYER_GATEWAY_URL": "http://127.0.0.1:9" if away else mesh.url,
        "LAYER_GATEWAY_API_KEY": KEY,
        "TURBOPUFFER_API_KEY": "key",
        "TURBOPUFFER_BASE_URL": mesh.origin.url,
    }
    if away:
        environment["LAYER_SUITE_AWAY"] = "1"
    plugins = ["-p", "layer_hevlayer", "-p", "layer_live_only"]
    command = [str(python), "-m", "pytest", *plugins, "-n0", "-q", "-p", "no:hypothesispytest", "tests/custom"]
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode in (0, 1), done.stdout[-4000:] + done.stderr[-4000:]
    return {name: each["outcome"] + ": " + each["message"] for name, each in json.loads(results.read_text()).items()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("away", [False, True], ids=["through Layer", "past Layer"])
def test_the_official_suite(mesh: Mesh, away: bool, tmp_path: Path) -> None:
    results = run(mesh, away, tmp_path / "results.json")
    known = tomllib.loads((Path(python_suite.__file__).parent / "known_failures.toml").read_text())["python"]
    failed = {name: what for name, what in results.items() if not what.startswith("passed") and name not in known}
    assert failed == {}
    # Of our own clients, and all of them the way that is meant.
    ways = json.loads((tmp_path / "ways.json").read_text())
    assert list(ways) == ["turbopuffer_direct" if away else "layer"] and sum(ways.values()) > 100
    assert sum(what.startswith("passed") for what in results.values()) >= LEAST
