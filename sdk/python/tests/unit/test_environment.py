"""Which side each variable of the environment is for."""

from __future__ import annotations

import pytest
from turbopuffer import TurbopufferError

from fakes import Pair
from hevlayer import AsyncHevlayer, Hevlayer


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> pytest.MonkeyPatch:
    """Both sides, by variables."""
    monkeypatch.setenv("LAYER_GATEWAY_URL", pair.layer.url)
    monkeypatch.setenv("LAYER_GATEWAY_API_KEY", "l")
    monkeypatch.setenv("TURBOPUFFER_API_KEY", "t")
    monkeypatch.setenv("TURBOPUFFER_BASE_URL", pair.turbopuffer.url)
    return monkeypatch


def test_both_sides_by_variables(environment: pytest.MonkeyPatch, pair: Pair) -> None:
    with Hevlayer() as client:
        client.namespace("n").schema()
        pair.layer.stop()
        client.namespace("n").schema()
    assert pair.layer.requests[0].headers["authorization"] == "Bearer l"
    assert pair.turbopuffer.requests[0].headers["authorization"] == "Bearer t"
    assert pair.layer.requests[0].headers["user-agent"].startswith("hevlayer/")


def test_a_region_is_for_the_direct_way(environment: pytest.MonkeyPatch, pair: Pair) -> None:
    # The official client refuses a region beside an address.
    environment.delenv("TURBOPUFFER_BASE_URL")
    environment.setenv("TURBOPUFFER_REGION", "aws-us-east-1")
    with Hevlayer() as client:
        assert str(client.base_url) == pair.layer.url
        assert client.fall_through._addresses._turbopuffer == "https://aws-us-east-1.turbopuffer.com"
        assert client.with_options(timeout=1).namespace("n").schema() is not None
    environment.setenv("TURBOPUFFER_BASE_URL", "https://{region}.example")
    with Hevlayer() as client:
        assert client.fall_through._addresses._turbopuffer == "https://aws-us-east-1.example"


def test_arguments_come_first(environment: pytest.MonkeyPatch, pair: Pair) -> None:
    with Hevlayer(api_key="mine", turbopuffer_region="aws-eu-west-1") as client:
        assert client.api_key == "mine"
        assert client.fall_through._addresses._turbopuffer == "https://aws-eu-west-1.turbopuffer.com"


def test_without_layers_key(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("LAYER_GATEWAY_API_KEY")
    for kind in (Hevlayer, AsyncHevlayer):
        with pytest.raises(TurbopufferError, match="LAYER_GATEWAY_API_KEY"):
            kind()


def test_without_a_place_for_the_region(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TURBOPUFFER_BASE_URL", "https://{region}.example")
    with pytest.raises(TurbopufferError, match="TURBOPUFFER_REGION"):
        Hevlayer()


def test_without_an_address_nothing_goes_direct(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("TURBOPUFFER_BASE_URL")
    with Hevlayer() as client:
        assert not client.fall_through.falls_through
