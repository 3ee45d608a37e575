"""What the reader sees: tables and a moving bar on a terminal, plain lines elsewhere.

Text from documents is never interpreted: no markup, no control characters.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from .asking import Answer, Fetch
from .model import Row

_PLAIN_WIDTH = 120
_MAX_GROUPS = 8
_MAX_CELL = 300
_PLAIN_STEPS = 10


class Screen:
    """Writes to standard output; errors and nothing else go to standard error."""

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            # A terminal that knows no UTF-8 shows question marks rather than a traceback.
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
        width = None if sys.stdout.isatty() else _PLAIN_WIDTH
        self._console = Console(width=width, highlight=False, markup=False, emoji=False)

    def say(self, line: str) -> None:
        """One line, without markup."""
        self._console.print(Text(clean(line)), soft_wrap=True)

    def fail(self, message: str) -> None:
        """An error, on standard error."""
        print("\n".join(clean(line) for line in message.splitlines()), file=sys.stderr)

    @contextmanager
    def loading(self, wanted: int, noun: str) -> Iterator[Callable[[int], None]]:
        """Progress of a load: yields what is to be told the size of each batch; ends with the total and the rate."""
        start = time.perf_counter()
        show = self._bar if self._console.is_terminal else self._lines
        with show(wanted, noun) as advance:
            yield advance
        seconds = time.perf_counter() - start
        self.say(f"Loaded {wanted:,} {noun} in {seconds:.2f} s ({wanted / seconds:,.0f} {noun}/s).")

    def answer(self, number: int, title: str, answer: Answer) -> None:
        """The heading of a query: what it is, how long the call took, and the call's arguments."""
        self.say("")
        heading = Text(f"{number}. {clean(title)}", style="bold")
        heading.append(f"  {answer.seconds * 1000:,.1f} ms", style="bold green")
        self._console.print(heading, soft_wrap=True)
        self._console.print(Text(f"   {clean(_compact(answer.request))}", style="dim"), soft_wrap=True)

    def fetches(self, number: int, title: str, fetches: list[Fetch]) -> None:
        """The heading of a fetch, then where each answer came from and how long it took."""
        self.say("")
        self._console.print(Text(f"{number}. {clean(title)}", style="bold"), soft_wrap=True)
        places = {"hit": "from the cache", "miss": "from the origin", "miss-on-error": "from the origin"}
        for one in fetches:
            line = Text(f"   {places.get(one.came, 'answered')} (x-layer-cache: {clean(one.came) or 'none'})")
            line.append(f"  {one.seconds * 1000:,.1f} ms", style="bold green")
            self._console.print(line, soft_wrap=True)

    def documents(self, rows: Iterable[Row], columns: list[str]) -> None:
        """One line a document: its score, then these attributes."""
        table = self._table(["score", *columns])
        for row in rows:
            table.add_row(f"{row.get('$dist', 0):.2f}", *(_cell(row.get(name)) for name in columns))
        self._console.print(table)

    def groups(self, rows: list[Row], name: str | None) -> None:
        """The largest groups and how many others there are."""
        if name is None:
            return
        table = self._table([name, "count"])
        for row in rows[:_MAX_GROUPS]:
            table.add_row(_cell(row.get(name, "(none)")), f"{row['count']:,}")
        self._console.print(table)
        if len(rows) > _MAX_GROUPS:
            self.say(f"   and {len(rows) - _MAX_GROUPS:,} more")

    def record(self, row: Row, columns: list[str]) -> None:
        """One document, an attribute a line."""
        table = self._table(["attribute", "value"])
        for name in columns:
            if row.get(name) is not None:
                table.add_row(_cell(name), _cell(row[name]))
        self._console.print(table)

    def _table(self, columns: list[str]) -> Table:
        style = box.SIMPLE if self._console.is_terminal else None
        table = Table(box=style, pad_edge=False, padding=(0, 2, 0, 0))
        for name in columns:
            right = name in ("score", "count")
            table.add_column(Text(clean(name)), justify="right" if right else "left", no_wrap=right or name == "id")
        return table

    @contextmanager
    def _bar(self, wanted: int, noun: str) -> Iterator[Callable[[int], None]]:
        columns = (TextColumn("Loading"), BarColumn(), MofNCompleteColumn(), _Rate(noun), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task("", total=wanted)
            yield lambda count: progress.advance(task, count)

    @contextmanager
    def _lines(self, wanted: int, noun: str) -> Iterator[Callable[[int], None]]:
        start, done = time.perf_counter(), 0

        def advance(count: int) -> None:
            nonlocal done
            before, done = done * _PLAIN_STEPS // wanted, done + count
            if done * _PLAIN_STEPS // wanted > before:
                rate = done / (time.perf_counter() - start)
                self.say(f"{done:,} of {wanted:,} {noun} ({rate:,.0f} {noun}/s)")

        yield advance


class _Rate(TextColumn):
    def __init__(self, noun: str) -> None:
        super().__init__("")
        self._noun = noun

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed / task.elapsed if task.elapsed else 0:,.0f} {self._noun}/s")


def clean(text: str) -> str:
    """The text without characters that a terminal would obey: a document must not move the cursor."""
    return "".join(character if character.isprintable() else " " for character in text)


def _cell(value: Any) -> Text:
    text = clean(_words(value))
    return Text(text if len(text) <= _MAX_CELL else f"{text[:_MAX_CELL]}…")


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(value)


def _compact(request: dict[str, Any]) -> str:
    return orjson.dumps(request).decode()
