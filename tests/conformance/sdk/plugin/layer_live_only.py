"""A pytest plugin for the SDK's own suite: keeps its live tests, and writes what became of each.

The live tests are those that use the fixtures `tpuf` or `async_tpuf`; the others are mocked and never reach a server.
"""

import json
import os

import pytest

LIVE_FIXTURES = {"tpuf", "async_tpuf"}
RESULTS_FILE = os.environ["LAYER_SDK_RESULTS"]
results = {}


def pytest_collection_modifyitems(config, items):
    mocked = [item for item in items if not LIVE_FIXTURES & set(item.fixturenames)]
    config.hook.pytest_deselected(items=mocked)
    items[:] = [item for item in items if item not in mocked]


def pytest_runtest_logreport(report: pytest.TestReport):
    # A failed set-up or tear-down outweighs the call's own outcome.
    if report.when == "call" or report.outcome != "passed":
        results[report.nodeid] = {"outcome": report.outcome, "message": last_error(report)}


def last_error(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message.splitlines()[0][:300] if crash else ""


def pytest_sessionfinish():
    with open(RESULTS_FILE, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1, sort_keys=True)
