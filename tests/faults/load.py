"""Writers and readers that record what they did."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field

from harness.client import Connection
from harness.programs import Program

from .history import ABSENT, Fetch, Write

NAMESPACE = "history"
PATH = f"/v2/namespaces/{NAMESPACE}"
PATIENCE_S = 30.0
SINGLE_KEYS = 4
BULK_KEYS = 300
"""Above the number up to which a write's keys are held one by one."""
JSON = [("content-type", "application/json")]


class Keep:
    """A connection that is made again when it broke."""

    def __init__(self, router: Program) -> None:
        self.router = router
        self._connection: Connection | None = None

    def request(self, method: str, path: str, body: dict | None = None) -> tuple[int, dict, str]:
        """Status, body and `x-layer-cache` of a whole answer."""
        try:
            if self._connection is None:
                self._connection = Connection(self.router.url, patience_s=PATIENCE_S)
            data = None if body is None else json.dumps(body).encode()
            answer = self._connection.request(method, path, data, JSON)
            if not answer.complete or answer.get("connection") == "close":
                self.close()
            if not answer.complete:
                raise OSError("an answer broke off")
            return answer.status, json.loads(answer.body or b"{}"), answer.get("x-layer-cache") or ""
        except (OSError, ValueError, AssertionError) as error:
            self.close()
            raise OSError(repr(error)) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Writer(threading.Thread):
    """Owns groups of keys, one after another: a group with a write of unknown outcome is left behind."""

    number: int
    routers: list[Program]
    seed: int
    stop: threading.Event
    bulk: bool
    writes: list[Write] = field(default_factory=list)
    groups: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        super().__init__(name=f"writer-{self.number}", daemon=True)
        self._random = random.Random(self.seed)
        self._keeps = [Keep(router) for router in self.routers]
        self._begin_group()

    __hash__ = threading.Thread.__hash__

    def _begin_group(self) -> None:
        self.groups += 1
        self.group = f"w{self.number}g{self.groups}"
        count = BULK_KEYS if self.bulk else SINGLE_KEYS
        self.live = dict.fromkeys((f"{self.group}k{n}" for n in range(count)), False)
        self.version = dict.fromkeys(self.live, 0)

    def watched(self) -> str:
        """A key that is worth fetching now."""
        keys = list(self.live)[:SINGLE_KEYS]
        return self._random.choice(keys)

    def run(self) -> None:
        while not self.stop.is_set():
            self._one()
        for keep in self._keeps:
            keep.close()

    def _one(self) -> None:
        keys, shows, body = self._choose()
        number = self._random.randrange(len(self._keeps))
        keep = self._keeps[number]
        how = f"{next(iter(body))} of {len(keys)} through router {number}"
        start = time.monotonic()
        try:
            status, _, _ = keep.request("POST", PATH, body)
        except OSError:
            status = 0
        end = time.monotonic()
        for key, shown in zip(keys, shows, strict=True):
            version = self.version[key] + 1
            self.version[key] = version
            self.live[key] = shown != ABSENT
            self.writes.append(Write(key, version, shown, start, end, status == 200, how))
        if status != 200:
            self.refused += 1
            self._begin_group()

    def _choose(self) -> tuple[list[str], list[int], dict]:
        """The keys that are affected, what each shows then, and the write's body."""
        alive = [key for key, live in self.live.items() if live]
        if not alive or self._random.random() < 0.4:
            keys = list(self.live) if self.bulk else [self._random.choice(list(self.live))]
            return self._upsert(keys)
        kind = self._random.choice(["patch", "delete", "patch_by_filter", "delete_by_filter"])
        if kind == "patch":
            key = self._random.choice(alive)
            number = self.version[key] + 1
            return [key], [number], {"patch_rows": [{"id": key, "v": number}]}
        if kind == "delete":
            key = self._random.choice(alive)
            return [key], [ABSENT], {"deletes": [key]}
        of_group = ["group", "Eq", self.group]
        if kind == "delete_by_filter":
            return alive, [ABSENT] * len(alive), {"delete_by_filter": of_group}
        # One number for all: every row's version must grow to it.
        number = max(self.version[key] for key in alive) + 1
        for key in alive:
            self.version[key] = number - 1
        return alive, [number] * len(alive), {"patch_by_filter": {"filters": of_group, "patch": {"v": number}}}

    def _upsert(self, keys: list[str]) -> tuple[list[str], list[int], dict]:
        numbers = [self.version[key] + 1 for key in keys]
        pairs = zip(keys, numbers, strict=True)
        rows = [{"id": key, "v": number, "group": self.group} for key, number in pairs]
        return keys, numbers, {"upsert_rows": rows}


@dataclass
class Reader(threading.Thread):
    """Fetches what the writers are busy with, one key at a time or several together, and half of it a second time at
    once, so that the cache has some of it however fast the writers are."""

    number: int
    router: Program
    writers: list[Writer]
    seed: int
    stop: threading.Event
    fetches: list[Fetch] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(name=f"reader-{self.number}", daemon=True)
        self._random = random.Random(self.seed)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        keep = Keep(self.router)
        keys: list[str] = []
        while not self.stop.is_set():
            again = keys and self._random.random() < 1 / 2
            if not again:
                keys = [self._random.choice(self.writers).watched() for _ in range(self._random.choice([1, 1, 1, 5]))]
            start = time.monotonic()
            try:
                self._fetch(keep, keys, start)
            except OSError as error:
                self.failures.append(f"{keys}: {error}")
        keep.close()

    def _fetch(self, keep: Keep, keys: list[str], start: float) -> None:
        if len(keys) == 1:
            status, body, cache = keep.request("GET", f"{PATH}/documents/{keys[0]}")
            found = {keys[0]: body["attributes"]["v"]} if status == 200 else {}
        else:
            status, body, cache = keep.request("POST", f"{PATH}/documents", {"ids": keys})
            documents = body.get("documents", []) if status == 200 else []
            found = {document["id"]: document["attributes"]["v"] for document in documents}
        end = time.monotonic()
        if status not in (200, 404):
            self.failures.append(f"{keys}: {status} {body}")
            return
        cache = f"{cache} of {len(keys)}"
        self.fetches += [Fetch(key, found.get(key, ABSENT), start, end, self.number, cache) for key in set(keys)]
