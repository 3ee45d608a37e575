# Generated from ../_async by tools/generate_sync.py: change that, and run `make sdk-python-generate`.
"""Bytes that are kept under their own hash. These calls go over HTTP, as the router has them there alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx2
from turbopuffer._base_client import make_request_options

from .._blobs import Blob


class Blobs:
    """Blobs of a namespace: they never change, so they can be cached for ever."""

    get: Any
    put: Any

    def put_blob(self, namespace: str, body: bytes, *, warm: bool = False) -> Blob:
        """Stores bytes, durably, and answers what to refer to them by; with `warm` the document cache has them at once."""
        options = make_request_options(
            extra_headers={"content-type": "application/octet-stream"}, query={"warm": "true"} if warm else {}
        )
        stored: Blob = self.put(_path(namespace), cast_to=Blob, content=body, options=options)
        return stored

    def get_blob(self, namespace: str, sha256: str) -> bytes:
        """The bytes of a hash, or of a `ref`; NotFoundError where there are none."""
        path = f"{_path(namespace)}/{quote(sha256.removeprefix('sha256:'), safe='')}"
        response: httpx2.Response = self.get(path, cast_to=httpx2.Response)
        return response.content


def _path(namespace: str) -> str:
    return f"/v1/namespaces/{quote(namespace, safe='')}/blobs"
