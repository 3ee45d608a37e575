"""Writes src/hevlayer/_sync from src/hevlayer/_async by unasync; with --check it fails where it is stale."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

PACKAGE = Path(__file__).resolve().parent.parent / "src/hevlayer"
NAMES = {
    "aio": "threads",
    "_async": "_sync",
    "handle_async_request": "handle_request",
    "aclose": "close",
    "aread": "read",
}
"""Names of asyncio's half and what they are in the other. `AsyncX` becomes `X`."""
PREFIXED = re.compile(r"\b(?:Default)?Async[A-Z]\w*")
AWAITABLE = re.compile(r"\bAwaitable\[(\w+)\]")
HEAD = "# Generated from ../_async by tools/generate_sync.py: change that, and run `make sdk-python-generate`.\n"


def generate(into: Path) -> None:
    """Writes the other half of all files."""
    found = {name for path in (PACKAGE / "_async").glob("*.py") for name in PREFIXED.findall(path.read_text())}
    names = NAMES | {name: name.replace("Async", "", 1) for name in found}
    rule = unasync.Rule(fromdir="/_async/", todir="/_sync/", additional_replacements=names)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "_async"
        shutil.copytree(PACKAGE / "_async", source, ignore=shutil.ignore_patterns("__pycache__"))
        unasync.unasync_files([str(path) for path in source.glob("*.py")], [rule])
        into.mkdir(exist_ok=True)
        for path in (Path(folder) / "_sync").glob("*.py"):
            # Names in docstrings and comments too.
            text = PREFIXED.sub(lambda found: names[found.group()], path.read_text())
            text = AWAITABLE.sub(r"\1", text)
            (into / path.name).write_text(HEAD + text)
    ruff = [str(Path(sys.executable).parent / "ruff")]
    config = ["--config", str(PACKAGE.parent.parent / "pyproject.toml")]
    subprocess.run([*ruff, "check", "--quiet", "--fix-only", "--select", "I,F401", *config, str(into)], check=True)
    subprocess.run([*ruff, "format", "--quiet", *config, str(into)], check=True)


def main() -> None:
    """Writes the files, or compares them."""
    kept = PACKAGE / "_sync"
    if "--check" not in sys.argv:
        shutil.rmtree(kept, ignore_errors=True)
        generate(kept)
        return
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "_sync"
        generate(fresh)
        texts = [{path.name: path.read_text() for path in place.glob("*.py")} for place in (kept, fresh)]
    if texts[0] != texts[1]:
        sys.exit("src/hevlayer/_sync is stale: run make sdk-python-generate")


main()
