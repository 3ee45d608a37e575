"""What a client is told, and what the environment says where it is not."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from turbopuffer import TurbopufferError

from ._address import same_address

log = logging.getLogger("hevlayer")
DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Options:
    """Where both sides are, and with which keys."""

    layer_url: str
    api_key: str
    turbopuffer_url: str | None
    turbopuffer_api_key: str | None

    @staticmethod
    def of(
        base_url: str | None,
        api_key: str | None,
        turbopuffer_base_url: str | None,
        turbopuffer_region: str | None,
        turbopuffer_api_key: str | None,
    ) -> Options:
        """The given ones first, then `LAYER_GATEWAY_*` for Layer and `TURBOPUFFER_*` for the direct way."""
        api_key = api_key or os.environ.get("LAYER_GATEWAY_API_KEY")
        if not api_key:
            raise TurbopufferError("api_key is Layer's key: pass it, or set LAYER_GATEWAY_API_KEY")
        layer_url = base_url or os.environ.get("LAYER_GATEWAY_URL") or DEFAULT_URL
        turbopuffer_url = _turbopuffer_url(turbopuffer_base_url, turbopuffer_region)
        if turbopuffer_url and not (turbopuffer_base_url or turbopuffer_region):
            turbopuffer_url = _unless_layers(turbopuffer_url, layer_url)
        turbopuffer_api_key = turbopuffer_api_key or os.environ.get("TURBOPUFFER_API_KEY")
        return Options(layer_url, api_key, turbopuffer_url, turbopuffer_api_key)


def _unless_layers(turbopuffer_url: str, layer_url: str) -> str | None:
    """The environment's address of Turbopuffer; None where it is Layer's, for official clients that are pointed at Layer."""
    if not same_address(turbopuffer_url, layer_url):
        return turbopuffer_url
    log.warning("TURBOPUFFER_BASE_URL is the address of Layer: nothing goes past Layer")
    return None


def _turbopuffer_url(base_url: str | None, region: str | None) -> str | None:
    url = base_url or (None if region else os.environ.get("TURBOPUFFER_BASE_URL"))
    region = region or os.environ.get("TURBOPUFFER_REGION")
    if url is None:
        return f"https://{region}.turbopuffer.com" if region else None
    if "{region}" in url and not region:
        raise TurbopufferError(
            "turbopuffer_base_url has a {region}: pass turbopuffer_region, or set TURBOPUFFER_REGION"
        )
    return url.replace("{region}", region or "")
