"""The Python SDK's live tests, out of the source distribution that the package registry carries."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

from .results import Outcome, Results

NAME = "python"
VERSION = "3.1.0"
SHA256 = "8ae6e7229063814e556026c79d0abebda0e2e5d9a833214bcefc709f64bfcf70"
LEAST_PASSED = 30
SUITE_TIMEOUT_S = 300
SETUP_TIMEOUT_S = 600
HERE = Path(__file__).parent
REQUIREMENTS = HERE / "python_requirements.txt"


def run(base_url: str, api_key: str = "test") -> Results:
    """Runs the live tests against a base URL. The suite names its namespaces at random: runs do not meet."""
    python, suite = prepare()
    results_file = suite.parent / f"results-{os.getpid()}.json"
    results_file.unlink(missing_ok=True)
    # The suite's own options ask for parallel workers; several tests share one namespace in order.
    command = [str(python), "-m", "pytest", "-p", "layer_live_only", "-n0", "-q", "tests/custom"]
    environment = clean_environment() | {
        "PYTHONPATH": str(HERE / "plugin"),
        "LAYER_SDK_RESULTS": str(results_file),
        "TURBOPUFFER_API_KEY": api_key,
        "TURBOPUFFER_BASE_URL": base_url,
    }
    process = subprocess.run(
        command, cwd=suite, env=environment, capture_output=True, text=True, timeout=SUITE_TIMEOUT_S
    )
    # 0: all passed, 1: some failed. Anything else is not a result.
    if process.returncode not in (0, 1):
        raise RuntimeError(f"the Python SDK's suite did not run:\n{process.stdout[-4000:]}{process.stderr[-4000:]}")
    return {name: Outcome(**result) for name, result in json.loads(results_file.read_text()).items()}


def clean_environment() -> dict[str, str]:
    """Ours without what would turn the suite elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TURBOPUFFER_", "PYTEST_"))}


def prepare() -> tuple[Path, Path]:
    """The interpreter and the unpacked suite, made on the first call and kept."""
    home = cache_dir() / f"sdk-python-{VERSION}"
    python, suite, done = home / "venv/bin/python", home / f"turbopuffer-{VERSION}", home / "done"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if not (done.is_file() and done.read_text(encoding="utf-8") == wanted):
        home.mkdir(parents=True, exist_ok=True)
        venv.create(home / "venv", with_pip=True, clear=True)
        pip(python, "install", "--requirement", str(REQUIREMENTS))
        unpack(download(python, home), home)
        done.write_text(wanted, encoding="utf-8")
    return python, suite


def cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "layer"


def pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, timeout=SETUP_TIMEOUT_S, stdout=sys.stderr)


def download(python: Path, home: Path) -> Path:
    """The source distribution: the wheel does not carry the tests."""
    pip(python, "download", "--no-deps", "--no-binary", ":all:", "--dest", str(home), f"turbopuffer=={VERSION}")
    archive = home / f"turbopuffer-{VERSION}.tar.gz"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise RuntimeError(f"{archive.name} has the SHA-256 {found}, expected {SHA256}")
    return archive


def unpack(archive: Path, home: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(home, filter="data")
