"""The code against the list that both SDKs share."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hevlayer import Settings
from hevlayer._address import Addresses
from hevlayer._bodies import IDEMPOTENT_KEYS
from hevlayer._call import Call
from hevlayer._effects import WEIGHTS, Effect, Failure, action
from hevlayer._operations import OPERATIONS, find

LISTED: dict[str, Any] = json.loads((Path(__file__).parents[3] / "operations.json").read_text())
ADDRESSES = Addresses("http://layer", "http://turbopuffer", "key")


def call(method: str, url: str, body: Any = None) -> Call:
    content = None if body is None else json.dumps(body).encode()
    request = httpx2.Request(method, f"http://layer{url}", content=content)
    path = ADDRESSES.path_at_layer(request.url)
    assert path is not None
    return Call(request, path, ADDRESSES)


def test_the_operations_are_those_of_the_list() -> None:
    ours = [
        (each.name, each.method, each.path, each.effect.value if each.effect else "by_body", each.direct)
        for each in OPERATIONS
    ]
    theirs = [
        (each["name"], each["method"], each["path"], each["effect"], each["away"] == "direct")
        for each in LISTED["operations"]
    ]
    assert ours == theirs


@pytest.mark.parametrize("listed", LISTED["operations"], ids=lambda each: each["name"])
def test_each_operation_is_found_by_its_path(listed: dict[str, Any]) -> None:
    path = re.sub(r"\{\w+\}", "some%2Fthing", listed["path"])
    found = find(listed["method"], path)
    assert found is not None and found.name == listed["name"]
    assert find("BREW", path) is None


@pytest.mark.parametrize("listed", LISTED["operations"], ids=lambda each: each["name"])
def test_what_needs_layer_is_recognised(listed: dict[str, Any]) -> None:
    rule = listed.get("needs_layer", {})
    url = re.sub(r"\{\w+\}", "n", listed["path"])
    assert call(listed["method"], url, {}).needs_layer is (listed["away"] == "fail")
    for key in rule.get("body_keys", []):
        assert call(listed["method"], url, {key: [1]}).needs_layer
        assert call(listed["method"], url, {rule.get("each_in", "queries"): [{key: [1]}]}).needs_layer
    for ranking in rule.get("rankings", []):
        assert call(listed["method"], url, {"rank_by": ["a", ranking, "x"]}).needs_layer
    for key in rule.get("query_keys", []):
        assert call(listed["method"], f"{url}?{key}=1").needs_layer
    for key, values in rule.get("query_values", {}).items():
        for value in values:
            assert call(listed["method"], f"{url}?{key}={value}").needs_layer


@pytest.mark.parametrize("example", LISTED["examples"], ids=lambda each: f"{each['method']} {each['url']}")
def test_examples(example: dict[str, Any]) -> None:
    made = call(example["method"], example["url"], example["body"])
    assert made.operation == example["operation"]
    assert made.effect.value == example["effect"]
    assert made.needs_layer is example["needs_layer"]


@pytest.mark.parametrize("listed", LISTED["failures"], ids=lambda each: each["name"])
def test_the_table_of_failures(listed: dict[str, Any]) -> None:
    failure = Failure(listed["name"])
    for effect in Effect:
        assert action(failure, effect, needs_layer=False).value == listed[effect.value]
        kind = "read" if effect is Effect.READ else "write"
        assert action(failure, effect, needs_layer=True).value == listed[f"needs_layer_{kind}"]
    assert WEIGHTS[failure].value == listed["breaker"]
    assert len(Failure) == len(LISTED["failures"])


def test_the_members_of_repeatable_writes() -> None:
    assert set(LISTED["write_keys"]["idempotent"]) == IDEMPOTENT_KEYS
    for key in LISTED["write_keys"]["reasons"]:
        assert call("POST", "/v2/namespaces/n", {key: ["a", "Eq", 1]}).effect is Effect.UNREPEATABLE_WRITE


def test_the_defaults() -> None:
    listed, ours = LISTED["settings"], dataclasses.asdict(Settings())
    assert ours["connect_timeout_s"] * 1000 == listed["connect_timeout_ms"]
    assert ours["failures_to_open"] == listed["breaker"]["failures_to_open"]
    for group, names in (("breaker", ("probe_initial", "probe_max", "probe_timeout")),):
        for name in names:
            assert ours[f"{name}_s"] * 1000 == listed[group][f"{name}_ms"]
    for name in ("delay_min", "delay_max", "delay_default"):
        assert ours[f"hedge_{name}_s"] * 1000 == listed["hedge"][f"{name}_ms"]
    for name in ("samples", "samples_min", "quantile", "factor", "budget_ratio", "budget_burst"):
        assert ours[f"hedge_{name}"] == listed["hedge"][name]
    for name in ("ids_max", "namespaces_max"):
        assert ours[f"healing_{name}"] == listed["healing"][name]
