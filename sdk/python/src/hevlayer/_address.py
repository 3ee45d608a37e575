"""Where Layer and Turbopuffer are, and which requests are for them."""

from __future__ import annotations

import httpx2

from ._errors import SameAddress
from ._operations import path_of

PORTS = {"http": 80, "https": 443}


def same_address(one: str, other: str) -> bool:
    """Whether two addresses are one: `host` and `host:443` are the same over https."""
    first, second = (
        (url.host, url.port or PORTS.get(url.scheme), url.raw_path.rstrip(b"/"))
        for url in (httpx2.URL(one), httpx2.URL(other))
    )
    return first == second


class Addresses:
    """The two addresses, and Turbopuffer's key. Layer's key travels in the requests and is never kept here."""

    def __init__(self, layer_url: str, turbopuffer_url: str | None, turbopuffer_api_key: str | None) -> None:
        layer = httpx2.URL(layer_url)
        self._layer = (layer.scheme, layer.host, layer.port)
        self._prefix = layer.raw_path.decode().rstrip("/")
        self.layer_url = str(layer).rstrip("/")
        self._turbopuffer = None if turbopuffer_url is None else httpx2.URL(turbopuffer_url)
        if turbopuffer_url is not None and same_address(layer_url, turbopuffer_url):
            raise SameAddress("the address of Turbopuffer, for the way past Layer, is the address of Layer")
        self.turbopuffer_api_key = turbopuffer_api_key

    @property
    def can_go_direct(self) -> bool:
        """Whether it is known where Turbopuffer is, and with which key."""
        return self._turbopuffer is not None and bool(self.turbopuffer_api_key)

    def path_at_layer(self, url: httpx2.URL) -> str | None:
        """Path and query behind Layer's address, without a region; None for a URL that is elsewhere."""
        if (url.scheme, url.host, url.port) != self._layer:
            return None
        return path_of(url.raw_path, self._prefix)

    def turbopuffer(self, path: str) -> httpx2.URL:
        """The URL of a path, with its query, at Turbopuffer."""
        if self._turbopuffer is None:
            raise ValueError("turbopuffer_base_url or turbopuffer_region is required to go direct")
        return self._turbopuffer.copy_with(raw_path=self._turbopuffer.raw_path.rstrip(b"/") + path.encode())

    def location_at_layer(self, location: str) -> str:
        """A Location of Turbopuffer's as one at Layer's address: the official client refuses to poll elsewhere."""
        if self._turbopuffer is None or not location.startswith(("http://", "https://")):
            return location
        url, base = httpx2.URL(location), self._turbopuffer
        if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
            return location
        return self.layer_url + url.raw_path.decode().removeprefix(base.raw_path.decode().rstrip("/"))
