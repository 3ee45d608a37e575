"""No call fails that should have gone past Layer, whatever becomes of the router."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from faults.proxy import Proxy

from harness.programs import Program
from harness.waiting import let_pass, until
from mesh.chaos import Account, Customer, as_thread
from mesh.parts import Mesh
from mesh.recorder import Recorder

SECONDS = float(os.environ.get("LAYER_FAULT_SECONDS", "15"))
SEED = int(os.environ.get("LAYER_FAULT_SEED", "1"))
THREADS, TASKS = 8, 8
AWAY_S, THERE_S = 1.5, 1.0
WRITE_TIMEOUT_S = 2.0
"""Turbopuffer too has to answer in that time, on a machine that is busy."""


@pytest.fixture
def recorder(origin: Program) -> Iterator[Recorder]:
    made = Recorder(origin.port)
    yield made
    made.stop()


class Storm:
    """What happens to the router."""

    def __init__(self, mesh: Mesh, proxy: Proxy) -> None:
        self.mesh, self.proxy = mesh, proxy
        self.log: list[tuple[float, str]] = []

    def faults(self) -> list[Callable[[], None]]:
        return [self.killed, self.suspended, self.cut_off, self.drained, self.restarted]

    def do(self, fault: Callable[[], None]) -> None:
        self.log.append((time.monotonic(), fault.__name__))
        fault()
        self.log.append((time.monotonic(), "there"))
        let_pass(THERE_S)

    def killed(self) -> None:
        self.mesh.kill()
        let_pass(AWAY_S)
        self.mesh.start()

    def suspended(self) -> None:
        self.mesh.pause()
        let_pass(AWAY_S + WRITE_TIMEOUT_S)
        self.mesh.resume()

    def cut_off(self) -> None:
        self.proxy.stall()
        let_pass(AWAY_S + WRITE_TIMEOUT_S)
        self.proxy.cut()
        self.proxy.heal()

    def drained(self) -> None:
        self.mesh.drain()
        let_pass(AWAY_S)
        self.mesh.start()

    def restarted(self) -> None:
        self.mesh.kill()
        self.mesh.start()


def run_tasks(customers: list[Customer], until: threading.Event) -> threading.Thread:
    """Customers with clients for asyncio, all in one loop."""

    async def all_of_them() -> None:
        await asyncio.gather(*(customer.work(until) for customer in customers))
        for customer in customers:
            await customer.client.close()

    thread = threading.Thread(target=lambda: asyncio.run(all_of_them()), name="tasks")
    thread.start()
    return thread


@pytest.mark.timeout(SECONDS + 120)
def test_chaos(mortal: Mesh, recorder: Recorder, namespace: str) -> None:
    mortal.kill()
    mortal.start({"origin.url": recorder.url})
    proxy = Proxy(mortal.port)
    events: list[Any] = []
    options: dict[str, Any] = {
        "base_url": f"http://127.0.0.1:{proxy.port}",
        "turbopuffer_base_url": recorder.url,
        "timeout": httpx2.Timeout(5.0, read=WRITE_TIMEOUT_S),
        "on_event": events.append,
    }
    customers = [Customer(mortal.client(**options), namespace, f"t{n}", SEED * 100 + n) for n in range(THREADS)]
    others = [Customer(mortal.async_client(**options), namespace, f"a{n}", SEED * 200 + n) for n in range(TASKS)]
    customers[0].space.write(upsert_rows=[{"id": "first", "version": 1, "mark": "first"}])
    until, storm = threading.Event(), Storm(mortal, proxy)
    threads = [as_thread(customer, until) for customer in customers] + [run_tasks(others, until)]
    try:
        weather(storm)
    finally:
        until.set()
        for thread in threads:
            thread.join(60)
    accounts = [customer.account for customer in customers + others]
    report(accounts, events, storm.log)
    judge(accounts, recorder)
    settle(customers[0], accounts)
    for customer in customers:
        customer.client.close()
    proxy.stop()


def weather(storm: Storm) -> None:
    """One fault after another, each of them at least once."""
    end, order = time.monotonic() + SECONDS, random.Random(SEED)
    let_pass(THERE_S)
    while True:
        for fault in order.sample(storm.faults(), 5):
            storm.do(fault)
        if time.monotonic() > end:
            return


def judge(accounts: list[Account], recorder: Recorder) -> None:
    failed = [each for account in accounts for each in account.failed]
    assert failed == [], f"{len(failed)} failed:\n" + "\n".join([*failed[:20], *history(accounts, recorder)])
    twice = {
        mark: recorder.marks[mark]
        for account in accounts
        for mark in account.acknowledged + account.unknown
        if recorder.marks[mark] > 1
    }
    assert twice == {}
    assert [mark for account in accounts for mark in account.acknowledged if recorder.marks[mark] != 1] == []
    assert sum(account.calls.total() for account in accounts) > 100


def history(accounts: list[Account], recorder: Recorder) -> list[str]:
    """How the writes of those who failed came to the origin."""
    names = {account.name for account in accounts if account.failed}
    return [f"{at:.3f} {what}" for at, what in recorder.writes if what.split(":")[0] in names]


def settle(customer: Customer, accounts: list[Account]) -> None:
    """In the end every row is what was written last, at the origin and through Layer."""
    wanted = {name: version for account in accounts for name, version in account.versions.items()}
    until(lambda: not customer.client.fall_through.breaker.is_open, "it returns to Layer", 30)
    chosen: Any = ["id", "In", list(wanted)]
    answer = customer.space.query(rank_by=["id", "asc"], top_k=1000, filters=chosen, include_attributes=["version"])
    rows = answer.rows or []
    assert {row.id: row.version for row in rows} == wanted
    got = customer.client.fetch_documents(customer.namespace, list(wanted))
    assert {each.id: each.attributes["version"] for each in got.documents} == wanted


def report(accounts: list[Account], events: list[Any], log: list[tuple[float, str]]) -> None:
    """Prints how much was done, and what each transition has cost."""
    calls = sum(account.calls.total() for account in accounts)
    unknown = sum(len(account.unknown) for account in accounts)
    fallbacks = sum(event.kind == "fallback" for event in events)
    opened = sum(event.kind == "opened" for event in events)
    print(f"\n{calls} calls, {fallbacks} direct, {opened} times away, {unknown} outcomes unknown (seed {SEED})")
    for (begun, name), (ended, _) in zip(log[::2], log[1::2], strict=True):
        took = [t for account in accounts for at, t in account.answered if begun <= at <= ended + THERE_S]
        typical = sorted(took)[len(took) // 2] if took else 0.0
        lost = max(took, default=0.0)
        print(f"  {name:10} {len(took):6} calls, half within {typical * 1000:6.1f} ms, slowest {lost * 1000:7.1f} ms")
