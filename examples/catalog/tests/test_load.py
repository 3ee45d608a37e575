"""The command as a whole, against a server that keeps rows and counts them.

What a real origin answers is tested by `make demo`; here it is what the command does with the answers.
"""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import load

BILLING = {"billing": {"billable_logical_bytes_queried": 1, "billable_logical_bytes_returned": 1}, "performance": {}}


class Origin(ThreadingHTTPServer):
    """Rows by id, in one namespace; `refuse` makes every answer that status, `lose` drops written rows."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.rows: dict = {}
        self.writes: list[dict] = []
        self.refuse: int | None = None
        self.lose = False
        self.is_layer = True
        self.fetched: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def answer(self, path: str, body: dict | None) -> tuple[int, dict]:
        if self.refuse:
            return self.refuse, {"error": "forbidden", "message": "said by the server"}
        if path.endswith("/schema"):
            schema = {"catalog_version": {"type": "string"}}
            return (200, schema) if self.rows else (404, {"status": "error", "error": "was not found"})
        if path.endswith("/query"):
            return 200, {**self.query(body), **BILLING}
        if body is None:
            return 200, {"namespaces": []}
        self.writes.append(body)
        self.rows |= {} if self.lose else {row["id"]: row for row in body["upsert_rows"]}
        return 200, {"status": "OK", "message": "", "rows_affected": 1, "billing": {}}

    def fetch(self, path: str) -> str:
        """Layer's word on where a document came from: from the cache when it is asked for a third time."""
        self.fetched.append(path)
        return "hit" if self.fetched.count(path) > 2 else "miss"

    def query(self, body: dict) -> dict:
        if "aggregate_by" not in body:
            return {"rows": [{"$dist": 1.0, **row} for row in list(self.rows.values())[: body["top_k"]]]}
        label = next(iter(body["aggregate_by"]))
        wanted = body.get("filters", [None, None, None])[2]
        count = sum(1 for row in self.rows.values() if wanted in (None, row["catalog_version"]))
        if "group_by" in body:
            return {"aggregation_groups": [{body["group_by"][0]: "g", label: count}]}
        return {"aggregations": {label: count}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.reply(None)

    def do_POST(self) -> None:
        self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def reply(self, body: dict | None) -> None:
        status, answer = self.server.answer(self.path.split("?")[0], body)
        payload = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if self.server.is_layer:
            self.send_header("x-layer-served-by", "origin")
        if "/documents/" in self.path:
            self.send_header("x-layer-cache", self.server.fetch(self.path))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_args) -> None:
        """Test output stays readable."""


@pytest.fixture
def origin():
    with Origin() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def catalog(tmp_path):
    path = tmp_path / "docs.jsonl"
    lines = [
        json.dumps({"id": f"d{number}", "text": f"text {number}", "kind": f"k{number % 2}"}) for number in range(5)
    ]
    path.write_text("\n".join(lines))
    return path


def run(origin, *arguments) -> int:
    return load.main(["--base-url", origin.url, *map(str, arguments)])


def test_the_documents_are_loaded_and_three_queries_answered(origin, catalog, capsys):
    assert run(origin, "--catalog", catalog) == 0
    assert sorted(origin.rows) == ["d0", "d1", "d2", "d3", "d4"]
    assert origin.writes[0]["schema"]["id"] == "string"
    output = capsys.readouterr().out
    assert "Loaded 5 documents" in output
    for heading in ("1. Full text: ", "2. Count: 5 documents, by kind", "3. Look-up by id: d0"):
        assert heading in output


def test_a_document_is_fetched_until_the_cache_has_it(origin, catalog, capsys):
    assert run(origin, "--catalog", catalog) == 0
    assert origin.fetched == ["/v2/namespaces/catalog-docs/documents/d0"] * 3
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("4. Fetch by id: d0")
    assert lines[place + 1].startswith("   from the origin (x-layer-cache: miss)  ")
    assert lines[place + 2].startswith("   from the cache (x-layer-cache: hit)  ")


@pytest.mark.parametrize("status", [0, 1])
def test_the_cache_is_warmed_where_the_program_is_given(origin, catalog, tmp_path, capfd, status):
    program = tmp_path / "layer"
    program.write_text(f'#!/bin/sh\necho "$LAYER_GATEWAY_API_KEY: $*"\nexit {status}\n')
    program.chmod(0o755)
    assert run(origin, "--catalog", catalog, "--layer", program, "--api-key", "k") == status
    told = capfd.readouterr()
    assert f"k: warm catalog-docs --url {origin.url}" in told.out
    assert ("5. Fetch by id, after `layer warm`: d1" in told.out) == (status == 0)
    assert ("`layer warm` failed" in told.err) == (status == 1)


def test_a_second_start_finds_the_data_and_reload_loads_it_again(origin, catalog, capsys):
    for _ in range(2):
        assert run(origin, "--catalog", catalog) == 0
    assert len(origin.writes) == 1
    assert "catalog-docs already holds 5 documents: nothing to load" in capsys.readouterr().out
    assert run(origin, "--catalog", catalog, "--reload") == 0
    assert len(origin.writes) == 2
    assert len(origin.rows) == 5


def test_a_part_is_completed_and_a_smaller_wish_then_loads_nothing(origin, catalog):
    for wish in (["--limit", "2"], ["--all"], ["--limit", "2"]):
        assert run(origin, "--catalog", catalog, *wish) == 0
    assert [len(write["upsert_rows"]) for write in origin.writes] == [2, 5]


def test_a_changed_catalogue_is_loaded(origin, catalog):
    run(origin, "--catalog", catalog)
    catalog.write_text(catalog.read_text().replace("text 3", "another 3"))
    run(origin, "--catalog", catalog)
    assert len(origin.writes) == 2


def test_nothing_is_sent_when_a_line_is_bad(origin, catalog, capsys):
    catalog.write_text(catalog.read_text() + "\n{")
    assert run(origin, "--catalog", catalog) == 65
    assert origin.writes == []
    assert "docs.jsonl:6: not JSON" in capsys.readouterr().err


def test_rows_that_did_not_arrive_are_an_error(origin, catalog, capsys):
    origin.lose = True
    assert run(origin, "--catalog", catalog) == 65
    assert "0 of 5 documents are in catalog-docs after loading" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("refuse", "status", "message"),
    [
        (401, 64, "refused the key. Set LAYER_GATEWAY_API_KEY"),
        (403, 64, "refused the key. Set LAYER_GATEWAY_API_KEY"),
        (422, 1, "answered 422: said by the server"),
        (503, 69, "answered 503: said by the server"),
    ],
)
def test_a_refusal_is_one_line_that_says_what_to_do(origin, catalog, capsys, refuse, status, message):
    origin.refuse = refuse
    assert run(origin, "--catalog", catalog) == status
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("refuse", [None, 404])
def test_a_server_that_is_not_layer_gets_nothing(origin, catalog, capsys, refuse):
    origin.is_layer, origin.refuse = False, refuse
    assert run(origin, "--catalog", catalog) == 64
    assert origin.writes == []
    assert "answers, but is not Layer" in capsys.readouterr().err


def test_an_address_where_nothing_listens_is_one_line_that_says_what_to_do(catalog, capsys):
    with socket.socket() as held:
        # Bound but not listening: nobody else can take the port, and a connection is refused.
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        assert load.main(["--base-url", url, "--catalog", str(catalog)]) == 69
    assert capsys.readouterr().err == (
        f"Nothing answers at {url}. Start Layer with `layer up`, or give its address with --base-url.\n"
    )


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://host", "http://", "http://host:port", "https://{region}.x"]
)
def test_an_address_that_is_none_is_refused(url, capsys):
    assert load.main(["--base-url", url]) == 64
    assert "expected http://HOST:PORT" in capsys.readouterr().err


def test_the_readers_own_turbopuffer_settings_do_not_disturb(origin, catalog, monkeypatch):
    monkeypatch.setenv("TURBOPUFFER_REGION", "aws-us-east-1")
    monkeypatch.setenv("TURBOPUFFER_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TURBOPUFFER_CUSTOM_HEADERS", "Authorization: Bearer other")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert run(origin, "--catalog", catalog) == 0


@pytest.mark.parametrize(
    "arguments", [["--limit", "0"], ["--limit", "²"], ["--namespace", "a b"], ["--all", "--limit", "1"]]
)
def test_a_wrong_option_exits_64_and_names_it(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        load.main(arguments)
    assert caught.value.code == 64
    assert f"argument {'--limit' if '--all' in arguments else arguments[0]}: " in capsys.readouterr().err


def test_without_a_debian_catalogue_the_projects_documents_are_loaded(origin, monkeypatch, capsys):
    monkeypatch.setattr("catalog.debian.shutil.which", lambda _name: None)
    assert run(origin) == 0
    output = capsys.readouterr().out
    assert "There is no apt on this machine.\nLoading the project's own documents instead" in output
    assert any(identifier.startswith("README.md#") for identifier in origin.rows)


def test_text_from_documents_cannot_steer_the_terminal(origin, catalog, capsys):
    catalog.write_text(json.dumps({"id": "d", "text": "\u001b[2J[bold]plain[/bold]\u0007"}))
    assert run(origin, "--catalog", catalog) == 0
    output = capsys.readouterr().out
    assert "\u001b" not in output
    assert "\u0007" not in output
    assert "[bold]plain[/bold]" in output
