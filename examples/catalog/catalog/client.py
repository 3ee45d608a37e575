"""The official Turbopuffer client, pointed at Layer, and its errors in words that say what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import turbopuffer
from turbopuffer import Turbopuffer

from .model import EXIT_UNAVAILABLE, EXIT_USAGE, CatalogError

# Every answer of the router carries it.
_SERVED_BY = "x-layer-served-by"
# These belong to the reader's own account; the client refuses a region beside a base URL without a place for it.
_OWN_ACCOUNT = ("TURBOPUFFER_REGION", "TURBOPUFFER_CUSTOM_HEADERS")


def connect(base_url: str, api_key: str) -> Turbopuffer:
    """A client for the router at `base_url`. Raises `CatalogError` if that is no HTTP address."""
    try:
        address = urlsplit(base_url)
        valid = address.scheme in ("http", "https") and bool(address.hostname) and (address.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or "{" in base_url:
        raise CatalogError(f"--base-url {base_url}: expected http://HOST:PORT or https://HOST:PORT.", EXIT_USAGE)
    for name in _OWN_ACCOUNT:
        os.environ.pop(name, None)
    return Turbopuffer(api_key=api_key, base_url=base_url)


def check_reachable(client: Turbopuffer) -> None:
    """One small call without retries, so that a wrong address or key is said at once.

    Whatever answers must be Layer: ten thousand rows are not for a server that happens to hold the port.
    """
    once = client.with_options(max_retries=0, timeout=10)
    with readable_errors(client):
        try:
            headers = once.with_raw_response.namespaces(page_size=1).headers
        except turbopuffer.APIStatusError as error:
            headers = error.response.headers
            if _SERVED_BY in headers:
                raise
    if _SERVED_BY not in headers:
        raise CatalogError(
            f"{client.base_url} answers, but is not Layer. Give Layer's address with --base-url.", EXIT_USAGE
        )


@contextmanager
def readable_errors(client: Turbopuffer) -> Iterator[None]:
    """Turns the client's exceptions into `CatalogError` with one line of what to do."""
    try:
        yield
    except turbopuffer.APITimeoutError as error:
        raise CatalogError(
            f"{client.base_url} did not answer in time. See `layer status`, then run this again.",
            EXIT_UNAVAILABLE,
        ) from error
    except turbopuffer.APIConnectionError as error:
        raise CatalogError(
            f"Nothing answers at {client.base_url}. Start Layer with `layer up`, or give its address with --base-url.",
            EXIT_UNAVAILABLE,
        ) from error
    except (turbopuffer.AuthenticationError, turbopuffer.PermissionDeniedError) as error:
        raise CatalogError(
            f"{client.base_url} refused the key. Set LAYER_GATEWAY_API_KEY to the key that Layer takes.",
            EXIT_USAGE,
        ) from error
    except turbopuffer.APIStatusError as error:
        status = EXIT_UNAVAILABLE if error.status_code >= 500 or error.status_code == 429 else 1
        raise CatalogError(f"{client.base_url} answered {error.status_code}: {_reason(error)}", status) from error


def _reason(error: turbopuffer.APIStatusError) -> str:
    """The message of the body: Layer writes `message`, Turbopuffer `error`."""
    if isinstance(error.body, dict):
        return str(error.body.get("message") or error.body.get("error") or error.body)
    return str(error.body or error.message).strip().splitlines()[0]
