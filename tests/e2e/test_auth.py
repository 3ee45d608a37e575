"""Who may call, and whose key goes to the origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.client import ask, refusal
from harness.origin import FakeOrigin
from harness.ports import free_port
from harness.process import binary, run
from harness.programs import KEY, Program, flags

WRITE = "/v2/namespaces/ns"
BODY = b'{"upsert_rows":[{"id":1}]}'
EXIT_USAGE = 64


def bearer(key: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {key}")]


def test_store_key_admits_the_origins_key_and_passes_it_on(router: Program, origin: FakeOrigin) -> None:
    assert ask(router.url, "POST", WRITE, BODY, bearer(KEY), key=False).status == 200
    assert origin.last().all("authorization") == [f"Bearer {KEY}"]
    assert refusal(ask(router.url, "POST", WRITE, BODY, bearer("other"), key=False))[0] == 403
    assert len(origin.requests) == 1


def test_the_key_may_come_from_a_file(origin: FakeOrigin, start, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-the-file\n")
    router = start({"origin.api_key": None, "origin.api_key_file": str(file)})
    assert ask(router.url, "POST", WRITE, BODY, bearer("from-the-file"), key=False).status == 200
    assert refusal(ask(router.url, "POST", WRITE, BODY, bearer(KEY), key=False))[0] == 403


def test_pass_through_lets_the_origin_decide(origin: FakeOrigin, start) -> None:
    def script(exchange) -> None:
        exchange.read_body()
        good = exchange.request.get("authorization") == "Bearer tenant"
        exchange.reply("200 OK" if good else "401 Unauthorized", b"{}")

    origin.script = script
    router = start({"auth.mode": "pass-through", "origin.api_key": None})
    assert ask(router.url, "POST", WRITE, BODY, bearer("tenant"), key=False).status == 200
    for headers in ([], bearer("another")):
        answer = ask(router.url, "POST", WRITE, BODY, headers, key=False)
        assert (answer.status, answer.get("x-layer-served-by")) == (401, "origin")
    assert [request.get("authorization") for request in origin.requests] == ["Bearer tenant", None, "Bearer another"]


def test_open_lends_the_origins_key_to_anyone(origin: FakeOrigin, start) -> None:
    router = start({"auth.mode": "open"})
    for headers in ([], bearer("whatever"), [("authorization", "Basic eDp5")]):
        assert ask(router.url, "POST", WRITE, BODY, headers, key=False).status == 200
        assert origin.last().all("authorization") == [f"Bearer {KEY}"]


def test_open_without_a_key_sends_none_of_its_own(origin: FakeOrigin, start) -> None:
    router = start({"auth.mode": "open", "origin.api_key": None})
    assert ask(router.url, "POST", WRITE, BODY, key=False).status == 200
    assert origin.last().get("authorization") is None


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_open_is_refused_where_others_can_reach_it(origin: FakeOrigin, host: str) -> None:
    settings = {"auth.mode": "open", "listen.address": f"{host}:{free_port()}", "origin.url": origin.url}
    ended = run([binary("query-router"), *flags(settings)])
    assert ended.returncode == EXIT_USAGE
    assert "auth.mode" in ended.stderr
    assert "auth.open_anywhere" in ended.stderr


def test_open_may_be_forced(origin: FakeOrigin, start) -> None:
    port = free_port()
    router = start({"auth.mode": "open", "auth.open_anywhere": True, "listen.address": f"0.0.0.0:{port}"})
    assert ask(f"http://127.0.0.1:{port}", "POST", WRITE, BODY, key=False).status == 200
    assert router.process.exit_code is None


def test_store_key_needs_a_key(origin: FakeOrigin) -> None:
    ended = run([binary("query-router"), "--origin-url", origin.url])
    assert ended.returncode == EXIT_USAGE
    assert "origin.api_key" in ended.stderr


@pytest.mark.parametrize("mode", ["store-key", "pass-through", "open"])
def test_without_an_internal_key_nobody_is_internal(origin: FakeOrigin, start, mode: str) -> None:
    router = start({"auth.mode": mode, "auth.internal_key": None})
    own = b'{"upsert_rows":[{"id":1,"_hevlayer_chunk":5}]}'
    for shown in ("", "null", "any"):
        assert refusal(ask(router.url, "POST", WRITE, own, [("x-layer-internal-key", shown)]))[0] == 422
    assert not origin.requests


def test_metrics_are_for_callers_known_good(origin: FakeOrigin, start) -> None:
    """They name namespaces. In `pass-through` only the origin's own word makes a bearer known good."""
    router = start()
    assert refusal(ask(router.url, "GET", "/metrics", key=False))[0] == 401
    assert refusal(ask(router.url, "GET", "/metrics", headers=bearer("wrong"), key=False))[0] == 403
    assert ask(router.url, "GET", "/metrics").status == 200
    passing = start({"auth.mode": "pass-through"})
    assert refusal(ask(passing.url, "GET", "/metrics", headers=bearer("theirs"), key=False))[0] == 403
    assert ask(passing.url, "GET", "/v1/namespaces", headers=bearer("theirs"), key=False).status == 200
    assert ask(passing.url, "GET", "/metrics", headers=bearer("theirs"), key=False).status == 200
    assert refusal(ask(passing.url, "GET", "/metrics", headers=bearer("others"), key=False))[0] == 403


def test_strangers_name_no_namespace_in_the_metrics(origin: FakeOrigin, start) -> None:
    router = start()
    for number in range(50):
        assert ask(router.url, "POST", f"/v2/namespaces/stranger-{number}", b"{}", key=False).status == 401
    assert "stranger-" not in router.metrics()


def test_a_change_of_a_schema_may_not_name_what_is_layers(origin: FakeOrigin, start) -> None:
    router = start({"auth.internal_key": "inner"})
    internal = [("x-layer-internal-key", "inner")]
    target = "/v1/namespaces/ns/schema"
    for body in (b'{"_hevlayer_upserted_at":"string"}', b'{"a":"int","_hevlayer_x":"int"}'):
        status, code, message = refusal(ask(router.url, "POST", target, body))
        assert (status, code) == (422, "validation_error")
        assert "_hevlayer_" in message
    assert not origin.requests
    assert ask(router.url, "POST", target, b'{"_hevlayer_x":"int"}', internal).status == 200
    assert refusal(ask(router.url, "POST", target, b'{"_hevlayer_upserted_at":"int"}', internal))[0] == 422
    assert ask(router.url, "POST", target, b'{"a":"int"}').status == 200
    assert origin.last().body == b'{"a":"int"}'


def test_web_pages_from_elsewhere_cannot_use_an_open_router(origin: FakeOrigin, start) -> None:
    router = start({"auth.mode": "open"})
    page = [("origin", "https://evil.example")]
    status, code, message = refusal(ask(router.url, "POST", WRITE, BODY, page, key=False))
    assert (status, code) == (403, "forbidden")
    assert "`origin`" in message
    assert not origin.requests
    assert ask(router.url, "POST", WRITE, BODY, [("origin", "http://127.0.0.1:3000")], key=False).status == 200
    anywhere = start({"auth.mode": "open", "auth.open_anywhere": True})
    assert ask(anywhere.url, "POST", WRITE, BODY, page, key=False).status == 200
