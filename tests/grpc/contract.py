"""The contract in Python: made from proto/ by grpcio-tools at import, in a directory that is gone when the run ends."""

from __future__ import annotations

import atexit
import importlib
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc_tools
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parents[2] / "proto"


def generate() -> None:
    out = tempfile.mkdtemp(prefix="layer-grpc-")
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    files = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "layer").rglob("*.proto"))
    targets = [f"--python_out={out}", f"--grpc_python_out={out}"]
    code = protoc.main(["protoc", f"-I{PROTO}", f"-I{well_known}", *targets, *files])
    assert code == 0, "proto/ does not compile"
    sys.path.insert(0, out)


def messages(package: str, *files: str) -> Any:
    """All messages and enums of some files, in one namespace."""
    found: dict[str, Any] = {}
    for file in files:
        module = importlib.import_module(f"layer.{package}.v1.{file}_pb2")
        found |= {name: item for name, item in vars(module).items() if not name.startswith("_")}
    return SimpleNamespace(**found)


generate()
types = messages("types", "value", "document", "filter", "rank", "query", "schema", "namespace", "performance")
router = messages("router", "query", "write", "namespace", "fetch")
stub = importlib.import_module("layer.router.v1.query_router_pb2_grpc").QueryRouterServiceStub
