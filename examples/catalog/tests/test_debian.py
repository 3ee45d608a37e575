import subprocess

import pytest

from catalog import debian
from catalog.debian import collection_of, debian_collection, parse_dumpavail
from catalog.debian_version import version_key

WHOLE = b"""Package: 0ad
Version: 0.0.26-3
Installed-Size: 28591
Maintainer: Debian Games Team <games@example.org>
Description: Real-time strategy game
 Build an empire.
 .
 Then lose it.
Homepage: https://play0ad.example/
Tag: game::strategy, interface::graphical,
 uitoolkit::sdl,
 role::program
Section: games
Priority: optional
Filename: pool/main/0/0ad/0ad.deb
Size: 7891488
"""


def parse(text: bytes) -> list[dict]:
    return parse_dumpavail(text.splitlines())


def stanza(name: str, version: str, extra: str = "") -> bytes:
    return f"Package: {name}\nVersion: {version}\nFilename: pool/{name}.deb\n{extra}\n".encode()


def test_every_field_is_read_with_its_type():
    assert parse(WHOLE) == [
        {
            "id": "0ad",
            "name": "0ad",
            "version": "0.0.26-3",
            "section": "games",
            "priority": "optional",
            "tags": ["game::strategy", "interface::graphical", "uitoolkit::sdl", "role::program"],
            "maintainer": "Debian Games Team <games@example.org>",
            "installed_size_kib": 28591,
            "download_size_bytes": 7891488,
            "homepage": "https://play0ad.example/",
            "description": "Real-time strategy game Build an empire. Then lose it.",
        }
    ]


def test_missing_and_unusable_fields_are_absent():
    rows = parse(stanza("bare", "1", "Installed-Size: many\nSize: ²\nTag: ,\nHomepage:\n"))
    assert rows == [{"id": "bare", "name": "bare", "version": "1"}]


def test_stanzas_without_a_name_or_a_file_are_left_out():
    assert parse(b"Version: 1\nFilename: x.deb\n\nPackage: local-only\nVersion: 1\n\n" + stanza("kept", "1")) == [
        {"id": "kept", "name": "kept", "version": "1"}
    ]


@pytest.mark.parametrize("versions", [["1.9-1", "1.10-1"], ["1.10-1", "1.9-1"]])
def test_of_several_versions_the_highest_stays(versions):
    rows = parse(b"".join(stanza("twice", version) for version in versions))
    assert [(row["id"], row["version"]) for row in rows] == [("twice", "1.10-1")]


def test_bytes_that_are_not_utf8_do_not_lose_the_package():
    rows = parse(b"Package: latin\nFilename: x.deb\nMaintainer: Jos\xe9\n\n" + stanza("next", "1"))
    assert [row["id"] for row in rows] == ["latin", "next"]
    assert rows[0]["maintainer"] == "Jos\ufffd"


def test_a_stanza_without_a_last_empty_line_and_with_crlf_is_read():
    assert [row["id"] for row in parse(b"\n\n \nPackage: a\r\nFilename: x\r\n\r\n\r\nPackage: b\r\nFilename: y")] == [
        "a",
        "b",
    ]


# In ascending order, as `dpkg --compare-versions` has it.
ASCENDING = ["1.0~~", "1.0~~a", "1.0~", "1.0~rc1-1", "1.0", "1.0-0.1", "1.0-1", "1.0-1+b1", "1.0a", "1.0+dfsg", "1.0.1",
             "1.2", "1.10", "2-1", "10", "1:0.1", "2:0"]  # fmt: skip


def test_versions_sort_as_dpkg_sorts_them():
    assert sorted(reversed(ASCENDING), key=version_key) == ASCENDING
    assert version_key("1.0") == version_key("1.0-0") == version_key("0:1.0")


def test_the_loading_order_does_not_depend_on_the_input_and_puts_the_base_system_first():
    rows = parse(
        b"".join(stanza(f"p{number}", "1") for number in range(50)) + stanza("base", "1", "Priority: required\n")
    )
    forwards, backwards = collection_of(rows), collection_of(rows[::-1])
    assert forwards.rows == backwards.rows
    assert forwards.version() == backwards.version()
    assert forwards.rows[0]["id"] == "base"
    assert [row["id"] for row in forwards.rows[1:]] != sorted(row["id"] for row in forwards.rows[1:])


def test_the_version_changes_with_any_document():
    before, after = (collection_of(parse(stanza("a", version))).version() for version in ("1", "2"))
    assert before != after


def apt(monkeypatch, answers):
    """Replaces the commands by these answers, in order; an answer of `None` stands for one that did not end."""
    ran = []

    def run(command, _seconds):
        ran.append(command)
        output = answers.pop(0)
        return None if output is None else subprocess.CompletedProcess(command, *output)

    monkeypatch.setattr(debian.shutil, "which", lambda _name: "/usr/bin/apt-cache")
    monkeypatch.setattr(debian, "_run", run)
    return ran


def test_without_apt_there_is_no_collection(monkeypatch, said):
    monkeypatch.setattr(debian.shutil, "which", lambda _name: None)
    assert debian_collection(said.append) is None
    assert said == ["There is no apt on this machine."]


def test_full_lists_are_used_without_an_update(monkeypatch, said):
    ran = apt(monkeypatch, [(0, WHOLE, b"")])
    assert [row["id"] for row in debian_collection(said.append).rows] == ["0ad"]
    assert ran == [["apt-cache", "dumpavail"]]
    assert said == []


def test_empty_lists_are_updated_once(monkeypatch, said):
    ran = apt(monkeypatch, [(0, b"", b""), (0, b"", b""), (0, WHOLE, b"")])
    assert [row["id"] for row in debian_collection(said.append).rows] == ["0ad"]
    assert [command[0] for command in ran] == ["apt-cache", "apt-get", "apt-cache"]


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ((100, b"", b"E: Permission denied\nmore"), "apt-get update failed: E: Permission denied"),
        ((100, b"", b""), "apt-get update failed: status 100"),
        (None, "apt-get update could not be run or did not end within 180 s."),
    ],
)
def test_an_update_that_fails_is_said_and_ends_in_no_collection(monkeypatch, said, update, reason):
    apt(monkeypatch, [(0, b"", b""), update])
    assert debian_collection(said.append) is None
    assert said[-1] == reason


def test_lists_that_stay_empty_are_said(monkeypatch, said):
    apt(monkeypatch, [(0, b"", b""), (0, b"", b""), (0, b"", b"")])
    assert debian_collection(said.append) is None
    assert "still empty" in said[-1]
