"""Which side each variable of the environment is for."""

from __future__ import annotations

import pytest
from turbopuffer import TurbopufferError

from fakes import Pair
from hevlayer import AsyncFallThroughTransport, AsyncHevlayer, FallThroughTransport, Hevlayer, SameAddress
from hevlayer._address import same_address


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


def test_layers_address_is_no_way_past_layer(
    environment: pytest.MonkeyPatch, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    # It is there for official clients that are pointed at Layer.
    environment.setenv("TURBOPUFFER_BASE_URL", pair.layer.url + "/")
    for kind in (Hevlayer, AsyncHevlayer):
        client = kind()
        assert not client.fall_through.falls_through
        with pytest.raises(SameAddress):
            kind(turbopuffer_base_url=pair.layer.url)
    assert len(caplog.records) == 2 and "TURBOPUFFER_BASE_URL" in caplog.text


@pytest.mark.parametrize(
    ("layer", "turbopuffer", "same"),
    [
        ("https://one.example", "https://ONE.example:443/", True),
        ("http://one.example:80/a", "http://one.example/a/", True),
        ("http://one.example/a", "http://one.example/b", False),
        ("http://one.example:8080", "http://one.example:8081", False),
        ("https://one.example", "https://two.example", False),
    ],
)
def test_the_same_address_under_other_names(layer: str, turbopuffer: str, same: bool) -> None:
    assert same_address(layer, turbopuffer) == same
    for kind in (FallThroughTransport, AsyncFallThroughTransport):
        if not same:
            assert kind(layer, turbopuffer_url=turbopuffer, turbopuffer_api_key="t").falls_through
            continue
        with pytest.raises(SameAddress):
            kind(layer, turbopuffer_url=turbopuffer, turbopuffer_api_key="t")


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
