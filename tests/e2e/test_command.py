"""The command `layer`, and the settings of the programs."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.client import ask, ask_json
from harness.ports import free_port
from harness.process import Process, binary, run
from harness.programs import KEY, Program, layer, start_mesh, up_arguments
from harness.waiting import until

EXIT_USAGE = 64
ROUTER = ["--origin-url", "http://127.0.0.1:1", "--origin-api-key", KEY]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A mesh with one namespace, which the tests of the verbs share."""
    program = start_mesh(tmp_path_factory.mktemp("mesh"))
    rows = [{"id": 1, "title": "blue whale", "size": 30}, {"id": 2, "title": "walrus", "size": 3}]
    schema = {"title": {"type": "string", "full_text_search": True}}
    status, _ = ask_json(program.url, "POST", "/v2/namespaces/sea", {"upsert_rows": rows, "schema": schema})
    assert status == 200
    yield program
    program.process.kill()


def test_up_says_what_listens_where_and_its_three_lines_work(mesh: Program) -> None:
    log = mesh.process.log
    assert mesh.url in log
    assert mesh.admin_url in log
    assert "stand-in" in log
    assert "not Turbopuffer" in log
    lines = log.split("Type next:")[1].strip().splitlines()
    assert len(lines) == 3
    curl = re.search(r"curl -s (\S+) -H \"authorization: (Bearer \S+)\" -d '(.+)'", lines[1])
    assert curl, lines
    url, key, body = curl.groups()
    target = url.removeprefix(mesh.url)
    assert ask(mesh.url, "POST", target, body.encode(), [("authorization", key)], key=False).status == 200
    done = layer(*lines[2].split()[1:])
    assert done.returncode == 0, done.stderr
    assert "blue whale" in done.stdout
    assert "\x1b" not in log + done.stdout, "no terminal, no colours"


def test_any_key_or_none_is_taken_on_loopback(mesh: Program) -> None:
    for headers in ([], [("authorization", "Bearer whatever")]):
        assert ask(mesh.url, "GET", "/v1/namespaces", headers=headers, key=False).status == 200


def test_status(mesh: Program) -> None:
    table = layer("status", "--url", mesh.url)
    assert table.returncode == 0
    assert "ready" in table.stdout
    assert "answers" in table.stdout
    said = json.loads(layer("status", "--url", mesh.url, "--output", "json").stdout)
    assert (said["router"], said["origin"], said["url"]) == ("ready", "answers", mesh.url)


def test_query(mesh: Program) -> None:
    at = ["--url", mesh.url]
    assert "walrus" in layer("query", "sea", *at).stdout
    table = layer("query", "sea", "--text", "title", "whale", *at).stdout
    assert "blue whale" in table
    assert "walrus" not in table
    answer = json.loads(
        layer("query", "sea", "--filters", '["size","Lt",10]', "--include", "title", "--output", "json", *at).stdout
    )
    assert [row["id"] for row in answer["rows"]] == [2]
    assert set(answer["rows"][0]) <= {"id", "title", "$dist"}
    ranked = json.loads(layer("query", "sea", "--rank-by", '["size","desc"]', "--output", "json", *at).stdout)
    assert [row["id"] for row in ranked["rows"]] == [1, 2]


def test_namespaces(mesh: Program) -> None:
    table = layer("namespaces", "--url", mesh.url).stdout
    assert re.search(r"^sea +\d+ +3 ", table, re.MULTILINE), table
    page = json.loads(layer("namespaces", "--url", mesh.url, "--output", "json", "--prefix", "se").stdout)
    assert [namespace["id"] for namespace in page["namespaces"]] == ["sea"]


def test_version_and_completions() -> None:
    version = layer("version").stdout
    assert re.fullmatch(r"layer \d+\.\d+\.\d+\S*\n", version)
    assert layer("--version").stdout == version
    for shell in ("bash", "zsh", "fish"):
        script = layer("completions", shell)
        assert script.returncode == 0
        assert "namespaces" in script.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["query", "nowhere"], 1, "namespaces"),
        (["query", "sea", "--filters", "nonsense"], EXIT_USAGE, "--filters"),
        (["query", "sea", "--rank-by", "["], EXIT_USAGE, "--rank-by"),
        (["status", "--url", "http://127.0.0.1:1"], 1, "layer up"),
        (["status", "--url", "nonsense"], EXIT_USAGE, "--url"),
        (["down", "--data-dir", "/nonexistent/layer"], 1, "--data-dir"),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(mesh: Program, arguments: list[str], code: int, says: str) -> None:
    own = arguments if "--url" in arguments or "down" in arguments else [*arguments, "--url", mesh.url]
    done = layer(*own)
    assert done.returncode == code, done
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_a_wrong_key_is_told_with_what_to_do(origin, start) -> None:
    router = start()
    done = layer("namespaces", "--url", router.url, "--api-key", "wrong")
    assert done.returncode == 1
    assert "--api-key" in done.stderr
    assert layer("namespaces", "--url", router.url, "--api-key", KEY).returncode == 0


def test_up_in_the_background_and_down(tmp_path: Path) -> None:
    router, stand_in = free_port(), free_port()
    arguments = up_arguments(tmp_path, router, stand_in)
    try:
        done = layer("up", *arguments, "--detach")
        assert done.returncode == 0, done.stderr
        assert f"http://127.0.0.1:{router}" in done.stdout
        assert ask(f"http://127.0.0.1:{router}", "GET", "/ready").status == 200
        for second in (["--detach"], []):
            again = layer("up", *up_arguments(tmp_path, free_port(), free_port()), *second)
            assert again.returncode != 0
            assert "layer down" in again.stderr
        assert ask(f"http://127.0.0.1:{router}", "GET", "/ready").status == 200
    finally:
        down = layer("down", "--data-dir", str(tmp_path))
    assert (down.returncode, down.stdout) == (0, "stopped\n")
    with pytest.raises(OSError, match="refused"):
        ask(f"http://127.0.0.1:{router}", "GET", "/ready")
    assert layer("down", "--data-dir", str(tmp_path)).returncode == 1


@pytest.mark.parametrize("taken", ["router", "router admin", "stand-in", "stand-in admin"])
@pytest.mark.parametrize("detached", [True, False], ids=["detached", "attached"])
def test_a_taken_port_names_the_option(tmp_path: Path, taken: str, detached: bool) -> None:
    ports = {"router": free_port(), "stand-in": free_port()}
    part = taken.split()[0]
    port = ports[part] + (1000 if "admin" in taken else 0)
    with socket.create_server(("127.0.0.1", port)):
        arguments = up_arguments(tmp_path, ports["router"], ports["stand-in"])
        done = layer("up", *arguments, *(["--detach"] if detached else []))
        assert done.returncode == 1, done
        assert str(port) in done.stderr
        assert f"--{part}-address" in done.stderr
    assert layer("down", "--data-dir", str(tmp_path)).returncode == 1, "nothing was left running"


def test_an_origin_that_is_layer_is_refused_by_up(mesh: Program, tmp_path: Path) -> None:
    arguments = up_arguments(tmp_path, free_port(), free_port())
    done = run([binary("layer"), "up", *arguments, "--origin", mesh.url], {"LAYER_ORIGIN_API_KEY": "k"})
    assert done.returncode == EXIT_USAGE
    assert "origin.url" in done.stderr
    assert "Layer itself" in done.stderr


def test_up_with_an_origin_of_ones_own_says_so_and_starts_no_stand_in(origin, tmp_path: Path) -> None:
    program = start_mesh(tmp_path, {"LAYER_ORIGIN_URL": origin.url, "LAYER_ORIGIN_API_KEY": KEY})
    try:
        assert f"Turbopuffer at 127.0.0.1:{origin.port}" in program.process.log
        assert "stand-in" not in program.process.log
        assert KEY not in program.process.log
        assert ask(program.url, "GET", "/v1/namespaces").status == 200
        assert ask(program.url, "GET", "/v1/namespaces", key=False).status == 401
        assert origin.last().get("authorization") == f"Bearer {KEY}"
    finally:
        program.process.kill()


def test_an_origin_that_the_file_names_is_not_served_open(origin, tmp_path: Path) -> None:
    file = tmp_path / "router.toml"
    file.write_text(f'[origin]\nurl = "{origin.url}"\napi_key = "{KEY}"\n')
    program = start_mesh(tmp_path, {"LAYER_CONFIG_FILE": str(file)})
    try:
        assert f"Turbopuffer at 127.0.0.1:{origin.port}" in program.process.log
        assert "stand-in" not in program.process.log
        assert ask(program.url, "GET", "/v1/namespaces", key=False).status == 401
        assert ask(program.url, "GET", "/v1/namespaces").status == 200
    finally:
        program.process.kill()


@pytest.mark.parametrize(("option", "verb"), [("--stand-in-address", "up"), ("--listen", "origin")])
def test_the_stand_in_listens_where_others_reach_it_only_when_told(tmp_path: Path, option: str, verb: str) -> None:
    arguments = [binary("layer"), verb, "--data-dir", str(tmp_path), option, f"0.0.0.0:{free_port()}"]
    done = run(arguments)
    assert done.returncode == EXIT_USAGE, done
    assert option in done.stderr
    assert "--open-anywhere" in done.stderr


def test_a_mesh_that_was_killed_does_not_stand_in_the_way_of_the_next(tmp_path: Path) -> None:
    router, stand_in = free_port(), free_port()
    arguments = up_arguments(tmp_path, router, stand_in)
    assert layer("up", *arguments, "--detach").returncode == 0
    page = json.loads((tmp_path / "mesh.json").read_text())
    os.kill(page["pid"], signal.SIGKILL)
    until(lambda: layer("down", "--data-dir", str(tmp_path)).returncode == 1, "nothing runs any more")
    assert (tmp_path / "mesh.json").exists(), "the killed one's page stays"
    try:
        done = layer("up", *arguments, "--detach")
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / "mesh.json").read_text())["pid"] != page["pid"]
        assert ask(f"http://127.0.0.1:{router}", "GET", "/ready").status == 200
    finally:
        assert layer("down", "--data-dir", str(tmp_path)).returncode == 0


def test_the_sdks_own_variables_change_nothing(tmp_path: Path) -> None:
    own = {
        "TURBOPUFFER_BASE_URL": "http://127.0.0.1:1",
        "TURBOPUFFER_API_KEY": "x",
        "TURBOPUFFER_REGION": "aws-us-east-1",
    }
    program = start_mesh(tmp_path, own)
    try:
        assert ask(program.url, "GET", "/v1/namespaces").status == 200
    finally:
        program.process.kill()


def test_the_origin_alone_says_what_it_is_and_ends_when_told(stand_in: Program) -> None:
    assert "not Turbopuffer" in stand_in.process.log
    assert "stand-in" in (ask(stand_in.url, "GET", "/v1/namespaces").get("server") or "")
    began = time.monotonic()
    stand_in.process.signal(signal.SIGINT)
    assert stand_in.process.wait(15) == 0
    assert time.monotonic() - began < 5


# The settings.


def refused(arguments: list[str], env: dict[str, str] | None = None) -> str:
    """What a program that was given wrong settings says."""
    done = run([binary("query-router"), *arguments], env)
    assert done.returncode == EXIT_USAGE, done
    assert done.stdout == ""
    return done.stderr


def test_print_config_prints_what_is_in_force_without_secrets(tmp_path: Path) -> None:
    file = tmp_path / "router.toml"
    file.write_text('[limits]\nrequests_max = 7\nbody_bytes = 100\n[log]\nfilter = "warn"\n')
    env = {"LAYER_LIMITS_BODY_BYTES": "200", "LAYER_LIMITS_IDLE_TIMEOUT_MS": "300"}
    arguments = [*ROUTER, "--config", str(file), "--limits-idle-timeout-ms", "400", "--auth-internal-key", "hidden"]
    done = run([binary("query-router"), *arguments, "--print-config"], env)
    assert done.returncode == 0
    assert KEY not in done.stdout
    assert "hidden" not in done.stdout
    settings = tomllib.loads(done.stdout)
    limits = settings["limits"]
    assert (limits["requests_max"], limits["body_bytes"], limits["idle_timeout_ms"]) == (7, 200, 400)
    assert settings["log"]["filter"] == "warn"
    assert (
        run([binary("query-router"), *arguments, "--print-config"], env | {"LAYER_CONFIG_FILE": "/x"}).returncode == 0
    )


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "router.toml"
    file.write_text("[limits]\nrequests_max = 7\n")
    done = run([binary("query-router"), *ROUTER, "--print-config"], {"LAYER_CONFIG_FILE": str(file)})
    assert tomllib.loads(done.stdout)["limits"]["requests_max"] == 7


@pytest.mark.parametrize(
    ("arguments", "env", "names"),
    [
        (["--limits-request-max", "1"], {}, "--limits-request-max"),
        (["--limits-requests-max", "many"], {}, "limits.requests_max"),
        (["--limits-requests-max", "0"], {}, "limits.requests_max"),
        (["--limits-requests-max", "-1"], {}, "limits.requests_max"),
        (["--origin-url", "nonsense"], {}, "origin.url"),
        (["--log-filter", "a=b=c"], {}, "log.filter"),
        (["--telemetry-sample-ratio", "2"], {}, "telemetry.sample_ratio"),
        (["--tls-certificate-file", "/nonexistent"], {}, "tls.key_file"),
        (["--auth-mode", "closed"], {}, "auth.mode"),
        (["--auth-internal-key", ""], {}, "auth.internal_key"),
        (["--auth-internal-key", " \t"], {}, "auth.internal_key"),
        (["--listen-connections-max", "0"], {}, "listen.connections_max"),
        (["--origin-connect-timeout-ms", "0"], {}, "origin.connect_timeout_ms"),
        (["--origin-ca-file", "/nonexistent", "--origin-url", "https://127.0.0.1:1"], {}, "origin.ca_file"),
        (["--tls-certificate-file", "/nonexistent", "--tls-key-file", "/x"], {}, "tls.certificate_file"),
        ([], {"LAYER_ORIGIN_API_KEY_FILE": "/nonexistent"}, "origin.api_key_file"),
        (["stray"], {}, "stray"),
        ([], {"LAYER_LIMITS_REQUESTS_MAXX": "1"}, "LAYER_LIMITS_REQUESTS_MAXX"),
        ([], {"LAYER_LIMITS_REQUESTS_MAX": "x"}, "LAYER_LIMITS_REQUESTS_MAX"),
        ([], {"LAYER_CONFIG_FILE": "/nonexistent/file"}, "/nonexistent/file"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(arguments: list[str], env: dict[str, str], names: str) -> None:
    own = [] if "--origin-url" in arguments else ROUTER
    assert names in refused([*own, "--origin-api-key", "k", *arguments] if not own else [*own, *arguments], env)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[limits]\nrequest_max = 1\n", "limits.request_max"),
        ("[limit]\nrequests_max = 1\n", "limit.requests_max"),
        ("stray = 1\n", "stray"),
        ('[limits]\nrequests_max = "many"\n', "limits.requests_max"),
        ("[limits\n", "router.toml"),
        ("[origin]\napi_key = s3cret\n", "line 2"),
        ("[auth]\ninternal_key = 53237\n", "auth.internal_key"),
        ('[origin]\napi_key = "' + "s3cret" + '"\napi_key_fil = "x"\n', "origin.api_key_fil"),
    ],
)
def test_a_wrong_key_of_the_file_is_refused_by_its_name(tmp_path: Path, text: str, names: str) -> None:
    file = tmp_path / "router.toml"
    file.write_text(text)
    said = refused([*ROUTER, "--config", str(file)])
    assert names in said
    assert "s3cret" not in said
    assert "53237" not in said


def test_layer_up_refuses_wrong_settings_by_name(tmp_path: Path) -> None:
    arguments = up_arguments(tmp_path, free_port(), free_port())
    done = run([binary("layer"), "up", *arguments], {"LAYER_LIMITS_REQUESTS_MAXX": "1"})
    assert done.returncode == EXIT_USAGE
    assert "LAYER_LIMITS_REQUESTS_MAXX" in done.stderr
    done = run([binary("layer"), "up", *arguments, "--nonsense"])
    assert done.returncode == EXIT_USAGE
    assert "--nonsense" in done.stderr


def test_a_port_that_is_taken_keeps_the_router_from_starting(start) -> None:
    first = start()
    port = first.port
    second = Process("query-router", [binary("query-router"), *ROUTER, "--listen-address", f"127.0.0.1:{port}"])
    assert second.wait() != 0
    assert "listen.address" in second.log
    second.kill()
    until(lambda: first.ready() == "ready", "the first goes on")


def test_two_routers_may_share_a_port_for_a_restart_without_a_gap(origin, start) -> None:
    shared = {"listen.reuse_port": True}
    first = start(shared)
    again = {"listen.address": first.address, "admin.address": f"127.0.0.1:{free_port()}"}
    second = start(shared | again, ready=False)
    until(lambda: "listens" in second.process.log, "the second listens")
    assert first.stop() == 0
    for _ in range(20):
        assert ask(first.url, "POST", "/v2/namespaces/ns", b'{"upsert_rows":[]}').status == 200


def test_the_printed_lines_can_be_typed_as_they_stand(tmp_path: Path) -> None:
    done = layer("up", *up_arguments(tmp_path, free_port(), free_port()), "--detach")
    try:
        assert done.returncode == 0, done.stderr
        lines = [line.strip() for line in done.stdout.split("Type next:")[1].splitlines() if line.startswith("  ")]
        assert len(lines) == 3
        typed = run(["bash", "-euc", "\n".join(lines)])
        assert typed.returncode == 0, typed.stderr
        assert "documents committed successfully" in typed.stdout
        assert "blue whale" in typed.stdout.splitlines()[-1]
    finally:
        stop = done.stdout.rsplit("stop it with `", 1)[1].split("`")[0]
        assert run(["bash", "-c", stop]).stdout == "stopped\n"
