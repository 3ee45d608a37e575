"""What was written past Layer, until Layer has been told.

The document cache knows nothing of rows that were written at Turbopuffer directly. What is remembered is bounded: ids, then
only namespaces, then that it was any.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from ._settings import Settings

Id = int | str


@dataclass(frozen=True, slots=True)
class Written:
    """Rows of a namespace that were written."""

    namespace: str | None
    """None: of any namespace."""
    ids: tuple[Id, ...] | None
    """None: any of the namespace's rows. Empty: none."""
    authorization: str | None = field(default=None, repr=False, compare=False)
    """What the write showed to Layer, or would have: Layer is told with the same."""

    @property
    def nothing(self) -> bool:
        """Whether no row was written."""
        return self.ids is not None and not self.ids


EVERYTHING = Written(None, None)
"""Too much was written to remember what."""


class HealingLog:
    """What Layer has not been told yet. Any number of threads may use one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._ids: dict[str, set[Id] | None] = {}
        self._authorizations: dict[str, str | None] = {}
        self._everything = False
        self._being_told = 0

    @property
    def empty(self) -> bool:
        """Whether Layer knows all, and nobody is just telling it."""
        with self._lock:
            return not (self._ids or self._everything or self._being_told)

    def add(self, written: Written) -> None:
        """Remembers a write."""
        with self._lock:
            self._add(written)

    def _add(self, written: Written) -> None:
        if written.nothing or self._everything:
            return
        if written.namespace is None:
            self._forget_ids()
            return
        self._authorizations[written.namespace] = written.authorization
        known = self._ids.setdefault(written.namespace, set())
        if written.ids is None or known is None:
            self._ids[written.namespace] = None
        else:
            known.update(written.ids)
        self._keep_bounds()

    def _keep_bounds(self) -> None:
        settings = self._settings
        if sum(len(ids) for ids in self._ids.values() if ids) > settings.healing_ids_max:
            self._ids = dict.fromkeys(self._ids)
        if len(self._ids) > settings.healing_namespaces_max:
            self._forget_ids()

    def _forget_ids(self) -> None:
        self._ids.clear()
        self._authorizations.clear()
        self._everything = True

    def take(self) -> list[Written]:
        """All that Layer must be told; whoever takes it calls `told` afterwards."""
        with self._lock:
            taken = [
                Written(namespace, None if ids is None else tuple(ids), self._authorizations[namespace])
                for namespace, ids in self._ids.items()
            ]
            if self._everything:
                taken = [EVERYTHING]
            self._ids, self._authorizations, self._everything = {}, {}, False
            self._being_told += 1
            return taken

    def told(self, left: Iterable[Written]) -> None:
        """Ends a `take`: what could not be told is remembered again."""
        with self._lock:
            self._being_told -= 1
            for written in left:
                self._add(written)
