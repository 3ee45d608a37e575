#!/usr/bin/env python3
"""Loads real documents through Layer with the official Turbopuffer client, asks three questions, and fetches.

By default: this machine's Debian catalogue, 10,000 packages of it. A second start finds them and only asks.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from turbopuffer import Turbopuffer

from catalog import asking
from catalog.client import check_reachable, connect
from catalog.debian import debian_collection
from catalog.jsonl import jsonl_collection
from catalog.loading import held_count, load
from catalog.markdown import project_collection
from catalog.model import EXIT_INTERRUPTED, EXIT_USAGE, CatalogError, Collection
from catalog.screen import Screen

DEFAULT_BASE_URL = "http://127.0.0.1:8080"
DEFAULT_LIMIT = 10_000
# The embedded origin accepts any key on loopback.
DEFAULT_API_KEY = "demo"
REPOSITORY = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo; returns the exit status (0, or the sysexits code of what went wrong)."""
    options = _parser().parse_args(arguments)
    screen = Screen()
    try:
        _run(options, screen)
    except CatalogError as error:
        screen.fail(str(error))
        return error.status
    except KeyboardInterrupt:
        screen.fail("Interrupted. Run it again for the rest; nothing is stored twice.")
        return EXIT_INTERRUPTED
    return 0


def _run(options: argparse.Namespace, screen: Screen) -> None:
    client = connect(options.base_url, options.api_key)
    check_reachable(client)
    collection = _collection(options, screen)
    namespace = options.namespace or collection.namespace
    _fill(client, collection, namespace, options, screen)
    identifier = _ask(client, collection, namespace, options.query or collection.questions.text, screen)
    screen.fetches(4, f"Fetch by id: {identifier}", asking.fetch_until_cached(client, namespace, identifier))
    if options.layer:
        another = next((row["id"] for row in collection.rows if row["id"] != identifier), identifier)
        _warm(client, namespace, another, options, screen)


def _collection(options: argparse.Namespace, screen: Screen) -> Collection:
    if options.catalog:
        return jsonl_collection(options.catalog, options.query, options.skip_bad_lines, screen.say)
    collection = None if options.documents else debian_collection(screen.say)
    if collection is None:
        screen.say("Loading the project's own documents instead of a Debian catalogue.")
        collection = project_collection(REPOSITORY)
    return collection


def _fill(
    client: Turbopuffer, collection: Collection, namespace: str, options: argparse.Namespace, screen: Screen
) -> None:
    total = len(collection.rows)
    wanted = total if options.all else min(options.limit, total)
    held = held_count(client, namespace, collection.version())
    if held >= wanted and not options.reload:
        screen.say(f"{namespace} already holds {held:,} {collection.noun}: nothing to load (--reload loads again).")
        return
    part, hint = ("", "") if wanted == total else (f" of {total:,}", " (--all loads the rest)")
    screen.say(f"Loading {wanted:,}{part} {collection.noun} into {namespace} at {client.base_url}{hint}")
    with screen.loading(wanted, collection.noun) as advance:
        load(client, collection, namespace, wanted, advance)


def _ask(client: Turbopuffer, collection: Collection, namespace: str, text: str, screen: Screen) -> str | int:
    questions = collection.questions
    found = asking.full_text(client, namespace, collection, text)
    screen.answer(1, f'Full text: "{text}"', found)
    screen.documents(found.rows, questions.columns)

    counted = asking.count_by_group(client, namespace, collection)
    screen.answer(2, _count_title(collection, counted), counted)
    screen.groups(counted.rows, questions.group_by)

    identifier = (found.rows or collection.rows)[0]["id"]
    looked_up = asking.by_id(client, namespace, collection, identifier)
    screen.answer(3, f"Look-up by id: {identifier}", looked_up)
    for row in looked_up.rows:
        screen.record(row, questions.record)
    return identifier


def _warm(
    client: Turbopuffer, namespace: str, identifier: str | int, options: argparse.Namespace, screen: Screen
) -> None:
    """Reads the namespace into the cache, then fetches a document that nobody has fetched before."""
    screen.say("")
    # What is on the screen so far must stand above what the program writes.
    sys.stdout.flush()
    command = [options.layer, "warm", namespace, "--url", options.base_url]
    if subprocess.run(command, env=os.environ | {"LAYER_GATEWAY_API_KEY": options.api_key}, check=False).returncode:
        raise CatalogError("`layer warm` failed; its reason is above.", 1)
    screen.fetches(5, f"Fetch by id, after `layer warm`: {identifier}", [asking.fetch(client, namespace, identifier)])


def _count_title(collection: Collection, answer: asking.Answer) -> str:
    questions = collection.questions
    label = f" {questions.filter_label}" if questions.filter_label else ""
    groups = f", by {questions.group_by}" if questions.group_by else ""
    return f"Count: {answer.total:,} {collection.noun}{label}{groups}"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="load.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--base-url",
        default=os.environ.get("LAYER_GATEWAY_URL") or DEFAULT_BASE_URL,
        help=f"address of Layer (default: LAYER_GATEWAY_URL, else {DEFAULT_BASE_URL})",
    )
    parser.add_argument(
        "--api-key",
        default=os.environ.get("LAYER_GATEWAY_API_KEY") or os.environ.get("LAYER_ORIGIN_API_KEY") or DEFAULT_API_KEY,
        help="bearer key; better set as LAYER_GATEWAY_API_KEY (default: LAYER_ORIGIN_API_KEY, else any word: `demo`)",
    )
    parser.add_argument("--namespace", type=_namespace, help="where to load to (default: named after the source)")
    parser.add_argument("--catalog", type=Path, metavar="FILE.jsonl", help="load these documents, one a line")
    parser.add_argument("--documents", action="store_true", help="load the project's own Markdown documents")
    parser.add_argument("--skip-bad-lines", action="store_true", help="leave bad lines of --catalog out and count them")
    parser.add_argument("--layer", metavar="PROGRAM", help="the program `layer`: warms the cache, too")
    parser.add_argument("--query", metavar="TEXT", help="text to search for")
    parser.add_argument("--reload", action="store_true", help="load again even if the documents are there")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--limit", type=_positive, default=DEFAULT_LIMIT, help=f"how many (default {DEFAULT_LIMIT})")
    amount.add_argument("--all", action="store_true", help="all of them; the stand-in scans, so queries get slower")
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\nSee load.py --help.\n")


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return number


def _namespace(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: 1 to 128 letters, digits, dots, underscores and hyphens")
    return text


if __name__ == "__main__":
    sys.exit(main())
