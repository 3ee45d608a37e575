"""Whatever the call and whatever goes wrong: it goes past Layer exactly when the list says so, and never where it must not."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
from hypothesis import given, settings
from hypothesis import strategies as st

from hevlayer import FallThroughTransport, OutcomeUnknown, Settings
from hevlayer._address import Addresses
from hevlayer._bodies import written
from hevlayer._call import Call
from hevlayer._effects import Effect
from hevlayer._healing import EVERYTHING, HealingLog, Written
from hevlayer._responses import FinalError

LISTED: dict[str, Any] = json.loads((Path(__file__).parents[3] / "operations.json").read_text())
OPERATIONS = LISTED["operations"]
FAILURES = {each["name"]: each for each in LISTED["failures"]}
QUIET = Settings(probe_initial_s=3600, hedge_delay_default_s=3600)


def is_segment(text: str) -> bool:
    """Whether URLs keep it as it is: dots alone mean folders."""
    return "%" not in text and text not in (".", "..")


segments = st.text("abcXYZ019-_.%", min_size=1, max_size=8).filter(is_segment) | st.just("a%2Fb")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
LAYER_KEYS = OPERATIONS[3]["needs_layer"]["body_keys"]
WRITE_KEYS = LISTED["write_keys"]["idempotent"] + list(LISTED["write_keys"]["reasons"])
bodies = st.none() | st.dictionaries(
    st.sampled_from(LAYER_KEYS + WRITE_KEYS + ["rank_by", "queries", "top_k", "filters", "anything"]),
    values,
    max_size=4,
)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, Any]:
    """A method, a URL and a body: of an operation of the list, mostly."""
    operation = draw(st.sampled_from(OPERATIONS))
    path = re.sub(r"\{\w+\}", lambda _: draw(segments), operation["path"])
    method = draw(st.sampled_from([operation["method"]] * 5 + ["GET", "POST", "PATCH", "DELETE"]))
    prefix = draw(st.sampled_from(["", "", "/aws-us-east-1"]))
    query = draw(
        st.sampled_from(["", "?include=layer", "?documents=true", "?cursor=x", "?stainless_overload=multiQuery"])
    )
    return method, prefix + path + query, draw(bodies)


def expected(method: str, url: str, body: Any) -> tuple[bool, str]:
    """Whether the list says that it needs Layer, and its effect; written anew, by the words of the list alone."""
    path, _, query = url.removeprefix("/aws-us-east-1").partition("?")
    for each in OPERATIONS:
        pattern = re.sub(r"\{\w+\}", "[^/]+", each["path"])
        if each["method"] == method and re.fullmatch(pattern, path):
            return needs(each, query, body), effect(each, body)
    return True, "read" if method in ("GET", "HEAD") else "unrepeatable_write"


def needs(operation: Any, query: str, body: Any) -> bool:
    rule = operation.get("needs_layer", {})
    names = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    legs = (
        [body, *(leg for leg in (body or {}).get("queries") or [] if isinstance(leg, dict))]
        if body and isinstance((body or {}).get("queries") or [], list)
        else [body]
    )
    return (
        operation["away"] == "fail"
        or any(key in names for key in rule.get("query_keys", []))
        or any(names.get(key) in of for key, of in rule.get("query_values", {}).items())
        or any((leg or {}).get(key) is not None for leg in legs for key in rule.get("body_keys", []))
        or any(ranking((leg or {}).get("rank_by")) in rule.get("rankings", []) for leg in legs)
    )


def ranking(given: Any) -> Any:
    return given[1] if isinstance(given, list) and len(given) > 1 and isinstance(given[1], str) else ""


def effect(operation: Any, body: Any) -> str:
    if operation["effect"] != "by_body":
        return str(operation["effect"])
    known = LISTED["write_keys"]["idempotent"]
    if body is None or any(value is not None and key not in known for key, value in body.items()):
        return "unrepeatable_write"
    return "idempotent_write"


ERRORS = {
    "not_sent": httpx2.ConnectError("refused"),
    "broken": httpx2.ReadError("reset"),
    "silent": httpx2.ReadTimeout("late"),
}
ANSWERS = {
    "ingress": (502, None, ""),
    "gateway_draining": (503, "layer", "gateway_draining"),
    "upstream_error": (502, "layer", "upstream_error"),
    "maybe_applied": (504, "layer", "gateway_timeout"),
    "layer_answer": (429, "layer", "overloaded"),
    "origin_answer": (503, "origin", ""),
    "unmarked_answer": (401, None, ""),
}


class Layer(httpx2.BaseTransport):
    """Fails as it is told, and takes what it is told of."""

    def __init__(self, failure: str) -> None:
        self.failure = failure
        self.asked = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if "x-made" not in request.headers:
            return httpx2.Response(200, headers={"x-layer-served-by": "layer"})
        self.asked += 1
        if self.failure in ERRORS:
            raise ERRORS[self.failure]
        status, served_by, code = ANSWERS[self.failure]
        headers = {} if served_by is None else {"x-layer-served-by": served_by}
        return httpx2.Response(status, headers=headers, json={"error": code})


class Turbopuffer(httpx2.BaseTransport):
    """Answers everything."""

    def __init__(self) -> None:
        self.asked = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == "Bearer t"
        self.asked += 1
        return httpx2.Response(200, json={})


@settings(max_examples=600, deadline=None)
@given(requests(), st.sampled_from([*ERRORS, *ANSWERS]), st.booleans())
def test_what_becomes_of_a_call(made: tuple[str, str, Any], failure: str, zipped: bool) -> None:
    method, url, body = made
    layer, turbopuffer = Layer(failure), Turbopuffer()
    transport = FallThroughTransport(
        "http://layer",
        turbopuffer_url="http://turbopuffer",
        turbopuffer_api_key="t",
        settings=QUIET,
        layer_transport=layer,
        turbopuffer_transport=turbopuffer,
    )
    content = b"" if body is None else json.dumps(body).encode()
    headers = {"x-made": "1"} | ({"content-encoding": "gzip"} if zipped and content else {})
    request = httpx2.Request(
        method,
        "http://layer" + url,
        content=gzip.compress(content) if "content-encoding" in headers else content,
        headers=headers,
    )
    needs_layer, kind = expected(method, url, body)
    column = kind if not needs_layer else f"needs_layer_{'read' if kind == 'read' else 'write'}"
    wanted = FAILURES[failure][column]
    try:
        response: httpx2.Response | None = transport.handle_request(request)
    except httpx2.TransportError:
        response = None
    assert layer.asked >= 1
    assert turbopuffer.asked == (1 if wanted == "direct" else 0)
    if wanted in ("outcome_unknown", "layer_unavailable"):
        assert isinstance(response, FinalError)
        assert isinstance(response.final_error, OutcomeUnknown) is (wanted == "outcome_unknown")
    else:
        assert response is not None and not isinstance(response, FinalError)
    transport.close()


@settings(max_examples=200, deadline=None)
@given(methods, st.text(max_size=30), st.binary(max_size=30))
def test_no_request_is_too_odd(method: str, path: str, content: bytes) -> None:
    addresses = Addresses("http://layer/base", "http://turbopuffer", "key")
    request = httpx2.Request(method, "http://layer/base/" + quote(path, safe="/?&=%"), content=content)
    at_layer = addresses.path_at_layer(request.url)
    if at_layer is not None:
        call = Call(request, at_layer, addresses)
        assert call.needs_layer or call.may_be_hedged or call.effect is not Effect.READ
        assert call.effect is not None
        call.to_turbopuffer()


ids = st.integers(0, 2**64 - 1) | st.text(max_size=4)


@given(st.lists(ids, max_size=4), st.lists(ids, max_size=4), st.lists(ids, max_size=4))
def test_all_ids_of_a_write_are_remembered(rows: list[Any], columns: list[Any], deleted: list[Any]) -> None:
    body = {"upsert_rows": [{"id": each} for each in rows], "patch_columns": {"id": columns}, "deletes": deleted}
    assert set(written("n", body).ids or ()) == {*rows, *columns, *deleted}


writes = st.builds(
    Written, st.sampled_from(["a", "b", "c"]), st.none() | st.lists(st.integers(0, 9), max_size=3).map(tuple)
)


@given(st.lists(writes, max_size=20), st.integers(1, 6), st.integers(1, 3), st.booleans())
def test_nothing_written_is_forgotten(made: list[Written], ids_max: int, namespaces_max: int, fails: bool) -> None:
    log = HealingLog(Settings(healing_ids_max=ids_max, healing_namespaces_max=namespaces_max))
    for each in made:
        log.add(each)
        if fails:
            # Telling failed: all of it is remembered again.
            log.told(log.take())
    taken = log.take()
    assert not log.empty
    for each in made:
        assert each.nothing or any(covers(one, each) for one in taken)
    assert sum(len(each.ids or ()) for each in taken) <= ids_max and len(taken) <= namespaces_max
    log.told([])
    assert log.empty


def covers(one: Written, other: Written) -> bool:
    if one == EVERYTHING:
        return True
    return one.namespace == other.namespace and (
        one.ids is None or (other.ids is not None and set(other.ids) <= set(one.ids))
    )
