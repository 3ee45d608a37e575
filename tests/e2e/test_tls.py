"""TLS and mTLS by file paths, on the data port and to the origin."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest

from harness.certificates import Authority, Pair
from harness.client import AUTHORIZED, Connection
from harness.origin import FakeOrigin
from harness.process import binary, run
from harness.programs import KEY, Program, flags

WRITE = "/v2/namespaces/ns"
BODY = b'{"upsert_rows":[{"id":1}]}'
RESERVED = b'{"upsert_rows":[{"id":1,"_hevlayer_chunk":1}]}'
EXIT_USAGE = 64
INTERNAL_NAME = "pipeline-worker.layer.internal"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.issue("localhost")


def served(server: Pair) -> dict[str, str]:
    return {"tls.certificate_file": str(server.certificate), "tls.key_file": str(server.key)}


def context(authority: Authority, client: Pair | None = None, alpn: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(authority.pair.certificate))
    made.set_alpn_protocols(list(alpn))
    if client:
        made.load_cert_chain(client.certificate, client.key)
    return made


def write(router: Program, tls: ssl.SSLContext, body: bytes = BODY) -> int:
    with Connection(router.url, tls) as connection:
        return connection.request("POST", WRITE, body).status


def is_refused(router: Program, tls: ssl.SSLContext) -> bool:
    try:
        write(router, tls)
    except (ssl.SSLError, OSError, EOFError):
        return True
    except Exception as error:
        return type(error).__name__ == "BrokenOff"
    return False


def test_both_protocols_are_served_over_tls(origin: FakeOrigin, start, authority: Authority, server: Pair) -> None:
    router = start(served(server))
    tls = context(authority)
    with Connection(router.url, tls) as connection:
        assert connection.stream.socket.selected_alpn_protocol() == "http/1.1"
        assert connection.request("POST", WRITE, BODY).status == 200
    address = f"https://localhost:{router.port}"
    for http2, version in ((True, "HTTP/2"), (False, "HTTP/1.1")):
        with httpx.Client(http1=not http2, http2=http2, verify=context(authority)) as client:
            answer = client.post(address + WRITE, content=BODY, headers=[AUTHORIZED])
            assert (answer.status_code, answer.http_version) == (200, version)
    with Connection(router.url, context(authority, alpn=("h2", "http/1.1"))) as connection:
        assert connection.stream.socket.selected_alpn_protocol() == "h2"
    assert len(origin.requests) == 3


def test_plain_text_to_a_tls_port_is_closed_and_harms_nobody(
    origin: FakeOrigin, start, authority: Authority, server: Pair
) -> None:
    router = start(served(server))
    with Connection(router.url.replace("https", "http")) as connection:
        connection.send_head("POST", WRITE, [("content-length", "0")])
        while not connection.stream.at_end():
            assert b"HTTP" not in b"".join(connection.stream.pieces(1))
    assert write(router, context(authority)) == 200


def test_a_client_that_does_not_know_the_authority_does_not_trust_it(start, server: Pair) -> None:
    router = start(served(server))
    with pytest.raises(ssl.SSLCertVerificationError):
        Connection(router.url, ssl.create_default_context())


def test_a_certificate_of_a_client_may_be_required(
    origin: FakeOrigin, start, authority: Authority, server: Pair, tmp_path: Path
) -> None:
    settings = served(server) | {
        "tls.client_ca_file": str(authority.pair.certificate),
        "tls.client_required": True,
    }
    router = start(settings)
    assert write(router, context(authority, authority.issue("someone.example"))) == 200
    stranger = Authority(tmp_path, "stranger").issue("someone.example")
    assert is_refused(router, context(authority))
    assert is_refused(router, context(authority, stranger))
    assert len(origin.requests) == 1


def test_only_certificates_with_an_internal_name_may_set_reserved_attributes(
    origin: FakeOrigin, start, authority: Authority, server: Pair
) -> None:
    settings = served(server) | {
        "tls.client_ca_file": str(authority.pair.certificate),
        "tls.internal_names": f"another.example, {INTERNAL_NAME}",
    }
    router = start(settings)
    own, other = authority.issue(INTERNAL_NAME), authority.issue("someone.example", "x.layer.internal")
    assert write(router, context(authority, own), RESERVED) == 200
    assert b'"_hevlayer_chunk":1' in origin.last().body
    for client in (other, None):
        assert write(router, context(authority, client)) == 200
        assert write(router, context(authority, client), RESERVED) == 422
    stamp = RESERVED.replace(b"chunk", b"upserted_at")
    assert write(router, context(authority, own), stamp) == 422


@pytest.mark.parametrize("name", ["tls.certificate_file", "tls.key_file", "tls.client_ca_file"])
@pytest.mark.parametrize("text", [None, "no PEM at all"], ids=["missing", "rubbish"])
def test_a_file_that_cannot_be_used_is_refused_by_its_setting(
    server: Pair, authority: Authority, tmp_path: Path, name: str, text: str | None
) -> None:
    bad = tmp_path / "bad.pem"
    if text is not None:
        bad.write_text(text)
    own = {"origin.url": "http://127.0.0.1:1", "origin.api_key": KEY}
    settings = own | served(server) | {"tls.client_ca_file": str(authority.pair.certificate)} | {name: str(bad)}
    done = run([binary("query-router"), *flags(settings)])
    assert done.returncode != 0
    assert name in done.stderr


def test_an_internal_name_that_no_certificate_can_carry_is_refused(server: Pair, authority: Authority) -> None:
    own = {"origin.url": "http://127.0.0.1:1", "origin.api_key": KEY}
    settings = own | served(server) | {"tls.client_ca_file": str(authority.pair.certificate)}
    done = run(
        [binary("query-router"), *flags(settings | {"tls.internal_names": '["pipeline.internal"]'}), "--print-config"]
    )
    assert done.returncode == EXIT_USAGE
    assert "tls.internal_names" in done.stderr


def test_an_origin_over_tls(origin: FakeOrigin, start, authority: Authority, server: Pair) -> None:
    """A router is the origin's TLS: it answers for `origin`, but as itself, so it must be told from a loop."""
    front = start(served(server))
    url = f"https://localhost:{front.port}"
    trusting = start({"origin.ca_file": str(authority.pair.certificate)}, url=url, ready=False)
    assert trusting.process.wait() != 0
    assert "Layer itself" in trusting.process.log, "it came through TLS to the other's health page"
    doubting = start(url=url)
    with Connection(doubting.url) as connection:
        answer = connection.request("POST", WRITE, BODY)
        assert answer.status == 502
        assert b"certificate" in answer.body.lower()
