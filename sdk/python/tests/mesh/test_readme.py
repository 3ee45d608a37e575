"""The README's first example, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from harness.programs import KEY
from mesh.parts import TURBOPUFFER_KEY, Mesh

SDK = Path(__file__).parents[2]


def example() -> str:
    text = (SDK / "README.md").read_text()
    found = re.search(r"test_readme.py runs this. -->\n```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found.group(1)


def run(code: str, mesh: Mesh) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "LAYER_GATEWAY_URL": mesh.url,
        "LAYER_GATEWAY_API_KEY": KEY,
        "TURBOPUFFER_API_KEY": TURBOPUFFER_KEY,
        "TURBOPUFFER_BASE_URL": mesh.origin.url,
        "PYTHONPATH": str(SDK / "src"),
    }
    # Also where a region is set for the direct way.
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def hurried(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether the machine stood still for longer than the default settings wait for Layer."""
    return "turbopuffer_direct" in done.stdout or "Layer is away" in done.stderr


def test_the_first_example(mortal: Mesh) -> None:
    done = run(example(), mortal)
    for _ in range(4):
        if not hurried(done):
            break
        assert done.stdout.startswith("blue whale ")
        done = run(example(), mortal)
    assert (done.returncode, done.stdout, done.stderr) == (0, "blue whale None\nwalrus\n", "")


def test_the_first_example_without_layer(mortal: Mesh) -> None:
    mortal.kill()
    done = run(example(), mortal)
    assert done.stdout == "blue whale turbopuffer_direct\n"
    assert "LayerUnavailable: Fetch needs Layer, which is away" in done.stderr
    assert done.stderr.count("Layer is away") == 1
