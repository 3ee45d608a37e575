"""Runs the official SDKs' live tests against the stand-in alone and through the router, and compares.

    python -m sdk.compare --origin http://127.0.0.1:8090 --router http://127.0.0.1:8080

from tests/conformance. Ends with 1 when a test's outcome differs, when one fails that is not known to, or when one
passes that is known to fail.
"""

from __future__ import annotations

import argparse
import sys
from types import ModuleType

from . import go_suite, python_suite
from .results import Results, Skipped, differences, passed, unexpected

SUITES = (python_suite, go_suite)


def complaints(suite: ModuleType, urls: dict[str, str], api_key: str) -> list[str]:
    """What is wrong with a suite's runs against the given base URLs, by the name of what answers there."""
    runs: dict[str, Results] = {}
    found = []
    for name, url in urls.items():
        runs[name] = results = suite.run(url, api_key)
        print(f"{suite.NAME} SDK against the {name}: {passed(results)} of {len(results)} pass", flush=True)
        found += [f"{name}: {complaint}" for complaint in unexpected(suite.NAME, results, suite.LEAST_PASSED)]
    if len(runs) == 2:
        found += differences(runs["origin"], runs["router"])
    return found


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--origin", metavar="URL", help="base URL of the stand-in")
    arguments.add_argument("--router", metavar="URL", help="base URL of the router")
    arguments.add_argument("--api-key", default="test", metavar="KEY")
    options = arguments.parse_args()
    urls = {name: url for name, url in (("origin", options.origin), ("router", options.router)) if url}
    if not urls:
        arguments.error("--origin, --router or both are needed")
    found = []
    for suite in SUITES:
        try:
            found += complaints(suite, urls, options.api_key)
        except Skipped as reason:
            print(f"{suite.NAME} SDK: skipped: {reason}", flush=True)
    print("\n".join(found), file=sys.stderr, flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
