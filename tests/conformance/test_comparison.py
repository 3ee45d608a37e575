"""The comparison itself: what it must notice, and what it must not."""

from __future__ import annotations

import pytest
from sdk.results import Outcome, differences as sdk_differences, unexpected
from wire.cases import check_case
from wire.client import Answer
from wire.compare import differences, unmet

JSON = {"content-type": "application/json"}
VOLATILE = ["/performance/ms"]


def answer(body: str, status: int = 200, headers: dict[str, str] = JSON) -> Answer:
    return Answer(status, headers, body.encode())


@pytest.mark.parametrize(
    ("origin", "router"),
    [
        ('{"n":1.0,"performance":{"ms":1}}', '{"n":1,"performance":{"ms":2}}'),
        ('{"n":0.1,"performance":{"ms":1}}', '{"n":0.10,"performance":{"ms":2}}'),
        ('{"a":1,"b":2,"performance":{"ms":1}}', '{"b":2,"a":1,"performance":{"ms":2}}'),
        ('{"a":1,"performance":{"ms":1}}', '{"a":1,"a":1,"performance":{"ms":2}}'),
        ('{"performance":{"ms":1}}', '{"performance":{"ms":"1"}}'),
        ('{"performance":{"ms":1}}', '{"performance":{}}'),
        ("plain", "plainer"),
    ],
)
def test_a_different_body_is_noticed(origin: str, router: str) -> None:
    assert differences(answer(origin), answer(router), VOLATILE)


def test_a_volatile_value_may_differ_where_it_is_declared_so() -> None:
    pair = answer('{"performance":{"ms":1}}'), answer('{"performance":{"ms":22}}')
    assert differences(*pair, VOLATILE) == []
    assert differences(*pair, [])


def test_spacing_counts_where_nothing_is_volatile() -> None:
    assert differences(answer('{"a":1}'), answer('{"a": 1}'), [])


@pytest.mark.parametrize("headers", [{}, JSON | {"location": "/x"}, JSON | {"content-encoding": "gzip"}])
def test_a_different_header_is_noticed(headers: dict[str, str]) -> None:
    assert differences(answer("{}"), answer("{}", headers=headers), [])


def test_a_different_status_is_noticed() -> None:
    assert differences(answer("{}"), answer("{}", status=201), [])


@pytest.mark.parametrize(
    "expected",
    [
        {"status": 201},
        {"ids": [2]},
        {"answer": {"rows": [{"id": 1}, {"id": 2}]}},
        {"answer": {"n": 1}},
        {"says": "absent"},
        {"silent": "rows"},
        {"raw": "{}"},
        {"header": {"location": "/x"}},
    ],
)
def test_what_a_case_expects_is_checked(expected: dict) -> None:
    found = answer('{"rows":[{"id":1,"t":"x"}],"n":1.0}')
    met = {"ids": [1], "answer": {"rows": [{"id": 1}], "n": 1.0}, "says": "x", "silent": "y", "header": {"location": None}}
    assert unmet(found, met) == []
    assert unmet(found, expected)


def test_a_misspelled_key_of_a_case_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown keys"):
        check_case("file", {"name": "x", "query": {}, "anwser": {}})


def test_sdk_results_that_differ_are_named() -> None:
    origin, router = {"a": Outcome("passed"), "b": Outcome("passed")}, {"a": Outcome("failed", "why")}
    assert [line.split(":")[0] for line in sdk_differences(origin, router)] == ["a", "b"]
    assert sdk_differences(origin, origin) == []


def test_an_unexpected_failure_a_forgotten_one_and_too_few_passes_are_named() -> None:
    patch, types = "tests/custom/test_patch.py::test_patches", "tests/custom/test_vectors.py::test_attribute_types"
    as_known = {"x": Outcome("passed"), patch: Outcome("failed"), types: Outcome("failed")}
    assert unexpected("python", as_known, 1) == []
    assert "expected to pass" in unexpected("python", as_known | {"x": Outcome("failed")}, 0)[0]
    assert "take it off" in unexpected("python", as_known | {patch: Outcome("passed")}, 1)[0]
    assert "at least 2 must" in unexpected("python", as_known, 2)[0]
