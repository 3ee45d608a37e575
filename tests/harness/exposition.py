"""Reads Prometheus' text format."""

from __future__ import annotations

import re

LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def value(page: str, name: str, **labels: str) -> float:
    """The sum of all samples of `name` that carry `labels`; 0 where there are none."""
    total = 0.0
    for line in page.splitlines():
        found = LINE.match(line)
        if found and found[1] == name and labels.items() <= dict(LABEL.findall(found[2] or "")).items():
            total += float(found[3])
    return total
