"""The router and the document cache over TLS, each with a certificate; and what is seen where they do not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from harness.certificates import Authority, Pair
from harness.coherence import write
from harness.doc_cache import start_doc_cache
from harness.exposition import value
from harness.origin import FakeOrigin
from harness.programs import Program, start_router
from harness.rows import NS, Rows, fetch
from harness.waiting import until

CACHE = "x-layer-cache"
PROBES = 10

Start = Callable[..., Program]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def doc_cache(authority: Authority) -> Iterator[Program]:
    """A cache that takes calls from those only who show a certificate of the authority."""
    own = authority.issue("doc-cache.layer.internal")
    program = start_doc_cache(
        {
            "tls.certificate_file": str(own.certificate),
            "tls.key_file": str(own.key),
            "tls.client_ca_file": str(authority.pair.certificate),
            "tls.client_required": True,
        }
    )
    yield program
    program.process.kill()


@pytest.fixture
def mesh(origin: FakeOrigin, doc_cache: Program) -> Iterator[Start]:
    with ExitStack() as stack:

        def start_one(trusted: Authority, shown: Pair | None, **settings: Any) -> Program:
            own = {
                "cache.addresses": doc_cache.address,
                "cache.tls.enabled": True,
                "cache.tls.ca_file": str(trusted.pair.certificate),
                "cache.tls.server_name": "doc-cache.layer.internal",
                "cache.breaker_min_ms": 50,
                "cache.breaker_max_ms": 50,
            }
            if shown:
                own |= {"cache.tls.certificate_file": str(shown.certificate), "cache.tls.key_file": str(shown.key)}
            router = start_router(origin.url, own | settings)
            stack.callback(router.process.kill)
            return router

        yield start_one


def test_a_router_and_a_cache_that_know_each_other(mesh: Start, origin: FakeOrigin, authority: Authority) -> None:
    origin.script = Rows({1: {"a": 1}})
    router = mesh(authority, authority.issue("query-router.layer.internal"))
    until(lambda: fetch(router, 1).get(CACHE) == "hit", "the cache serves over TLS")
    # A router and a cache that speak plain text to each other would do so too.
    assert "cannot be reached" not in router.process.log


def refused(router: Program, origin: FakeOrigin, because: str) -> None:
    """Every fetch is answered from the origin, no hold is placed, and the log says why."""
    rows = origin.script = Rows({1: {"a": 1}})
    until(lambda: because in router.process.log, f"the router says {because}")
    for asked in (1, 2):
        answer = fetch(router, 1)
        assert (answer.status, answer.get(CACHE), len(rows.queries)) == (200, "miss-on-error", asked)

    def probes() -> float:
        page = router.metrics()
        return value(page, "layer_cache_call_duration_seconds_count", operation="probe", status="failed")

    until(lambda: probes() >= PROBES, "it goes on trying")
    assert router.process.log.count("cannot be reached") < PROBES / 2, "once for each cause, not for each probe"
    assert value(router.metrics(), "layer_cache_replicas", state="connected") == 0


def test_a_cache_of_another_authority_is_not_believed(
    mesh: Start, origin: FakeOrigin, authority: Authority, stranger: Authority
) -> None:
    router = mesh(stranger, authority.issue("query-router.layer.internal"))
    refused(router, origin, "UnknownIssuer")


def test_a_router_of_another_authority_is_not_let_in(
    mesh: Start, origin: FakeOrigin, authority: Authority, stranger: Authority
) -> None:
    router = mesh(authority, stranger.issue("query-router.layer.internal"))
    refused(router, origin, "cannot be reached")


def test_a_router_without_a_certificate_is_not_let_in(mesh: Start, origin: FakeOrigin, authority: Authority) -> None:
    refused(mesh(authority, None), origin, "CertificateRequired")


def test_a_cache_under_another_name_is_not_believed(mesh: Start, origin: FakeOrigin, authority: Authority) -> None:
    own = authority.issue("query-router.layer.internal")
    router = mesh(authority, own, **{"cache.tls.server_name": "another.layer.internal"})
    refused(router, origin, "not valid for name")


def test_strict_writes_are_refused_while_the_cache_is_not_believed(
    mesh: Start, origin: FakeOrigin, authority: Authority, stranger: Authority
) -> None:
    router = mesh(stranger, authority.issue("query-router.layer.internal"), **{"cache.coherence": "strict"})
    assert write(router, NS, {"deletes": [1]}).status == 503
    assert not origin.requests
