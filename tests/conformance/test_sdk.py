"""The official SDKs' own live tests: on the origin as known, and through the router the same, test by test.

LAYER_TEST_ORIGIN_URL and LAYER_TEST_ROUTER_URL say where the two are; LAYER_TEST_API_KEY is the key that the router
admits (`test` if not set).
"""

from __future__ import annotations

import os
from types import ModuleType

import pytest

from sdk import go_suite, python_suite
from sdk.compare import complaints
from sdk.results import Skipped


@pytest.mark.parametrize("suite", [python_suite, go_suite], ids=lambda suite: suite.NAME)
def test_suite_gives_the_same_results(suite: ModuleType) -> None:
    urls = {side: os.environ[f"LAYER_TEST_{side.upper()}_URL"] for side in ("origin", "router")}
    try:
        found = complaints(suite, urls, os.environ.get("LAYER_TEST_API_KEY", "test"))
    except Skipped as reason:
        pytest.skip(str(reason))
    assert not found, "\n".join(found)
