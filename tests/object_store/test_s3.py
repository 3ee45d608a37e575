"""The object store's conformance suite, which is Rust, against a real S3 server.

LAYER_TEST_S3_ENDPOINT names another server (with _BUCKET, _ACCESS_KEY_ID and _SECRET_ACCESS_KEY beside it).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from harness.process import binary, run

SUITE = "object_store_conformance"
SUITE_S = 300.0
ENDPOINT = "LAYER_TEST_S3_ENDPOINT"


@pytest.fixture(scope="module")
def variables(request: pytest.FixtureRequest) -> dict[str, str]:
    if os.environ.get(ENDPOINT):
        return {name: value for name, value in os.environ.items() if name.startswith("LAYER_TEST_S3_")}
    return request.getfixturevalue("seaweed").variables()


def suite() -> str:
    """The newest build of the suite."""
    folder = Path(binary("layer")).parent / "deps"
    built = [path for path in folder.glob(f"{SUITE}-*") if not path.suffix]
    assert built, f"{SUITE} is missing: cargo test --ignore-rust-version --no-run -p layer-object-store"
    return str(max(built, key=lambda path: path.stat().st_mtime))


def test_a_real_server_keeps_what_the_directory_keeps(variables: dict[str, str]) -> None:
    done = run([suite()], variables, SUITE_S)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    passed = re.search(r"(\d+) passed; 0 failed; 0 ignored", done.stdout)
    assert passed and int(passed[1]) >= 28, done.stdout[-2000:]


def test_the_suite_does_ask_that_server(variables: dict[str, str]) -> None:
    """With a key that the server does not know, the suite fails."""
    wrong = variables | {"LAYER_TEST_S3_SECRET_ACCESS_KEY": "another"}
    done = run([suite(), "objects::what_is_put_is_read"], wrong, SUITE_S)
    assert done.returncode != 0 and "Denied" in done.stdout, done.stdout[-4000:]
