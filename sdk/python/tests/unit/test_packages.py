"""What is published: a wheel and a source distribution that hold all that is needed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import hevlayer

SDK = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the packages are."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(SDK)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    return out


def test_the_wheel(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        str(path.relative_to(SDK / "src")) for path in (SDK / "src").rglob("*.py*") if path.suffix in (".py", ".pyi")
    }
    assert sources | {"hevlayer/py.typed"} <= names
    assert {name.split("/")[0] for name in names} == {"hevlayer", f"hevlayer-{hevlayer.__version__}.dist-info"}


def test_the_source_distribution(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "src/hevlayer/py.typed", "src/hevlayer/_sync/client.py"} <= names


def test_the_wheel_works_alone(built: Path, tmp_path: Path) -> None:
    """From the wheel, with no source beside it."""
    (wheel,) = built.glob("*.whl")
    code = "import hevlayer, hevlayer.worker, sys; assert sys.argv[1] in hevlayer.__file__; print(hevlayer.Hevlayer.__name__)"
    zipfile.ZipFile(wheel).extractall(tmp_path)
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("Hevlayer\n", "")


def test_the_version() -> None:
    project = tomllib.loads((SDK / "pyproject.toml").read_text())["project"]
    assert project["version"] == hevlayer.__version__
