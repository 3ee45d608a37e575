"""The order of Debian package versions (Debian Policy, section 5.6.12)."""

from __future__ import annotations

import re

_PART = re.compile(r"([^0-9]*)([0-9]*)")


def version_key(version: str) -> tuple:
    """A key under which versions sort as dpkg sorts them: epoch, upstream version, Debian revision."""
    epoch, colon, rest = version.partition(":")
    if not colon or not epoch.isdecimal():
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return (int(epoch), _parts(upstream), _parts(revision or "0"))


def _parts(text: str) -> tuple:
    """Alternating runs of other characters and of digits; each run ends in a 0 so that `~` sorts before the end."""
    key: list = []
    for other, digits in _PART.findall(text):
        key.append((*map(_weight, other), 0))
        if digits:
            key.append(int(digits))
    return tuple(key)


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 0x110000
