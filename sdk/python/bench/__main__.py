"""What the SDK costs over the official client, and how soon a call is answered past a router that is gone.

Both clients make the same calls of the same router, in turns, so that a ratio is made within a round. Writes the page
docs/benchmarks-sdk-python.md with --out; run it by `make bench-sdk-python`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from turbopuffer import AsyncTurbopuffer, Turbopuffer

from hevlayer import AsyncHevlayer, Hevlayer, Settings

sys.path[:0] = [
    str(Path(__file__).parent),
    str(Path(__file__).parents[1] / "tests"),
    str(Path(__file__).parents[3] / "tests"),
]

from far import far  # noqa: E402
from mesh.parts import Mesh  # noqa: E402

from harness.programs import KEY, start_stand_in  # noqa: E402

DIMENSIONS, ROWS, TOP_K = 128, 200, 10
FAR = 5
"""So many times fewer calls go far: they take longer."""
PAGE_HEAD = """# What the Python SDK costs

<!-- Written by make bench-sdk-python. -->

Both clients make the same calls of one router before the stand-in, one call at a time, in turns: a ratio is made within a
round, and the table shows the median of the rounds with the lowest and highest in brackets. The calls are as small as calls
get. First with an origin as far away as Turbopuffer: what passes between the router and the stand-in takes 4 ms each way, which
makes a query as fast as the fastest that Turbopuffer publishes (8 ms, warm, p50; its writes take longer). The aim, less than 3 %,
is for that. Then with nothing in between, all on one machine: there the same microseconds are the largest part that they can be.
"""


def row(number: int) -> dict[str, Any]:
    """One row with a vector."""
    return {
        "id": number,
        "title": f"title {number}",
        "vector": [((number * 7 + at) % 100) / 100 for at in range(DIMENSIONS)],
    }


QUERY: dict[str, Any] = {
    "rank_by": ["vector", "ANN", row(3)["vector"]],
    "top_k": TOP_K,
    "include_attributes": ["title"],
}
WRITE: dict[str, Any] = {"upsert_rows": [row(1)], "distance_metric": "cosine_distance"}


Cost = tuple[float, float]
"""Of a call, in milliseconds: the median of its time, and the mean of what it takes of this process's CPU."""


def timed(call: Callable[[], Any], count: int) -> Cost:
    """What a call costs."""
    took, cpu = [], time.process_time()
    for _ in range(count):
        begun = time.perf_counter()
        call()
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1000, (time.process_time() - cpu) / count * 1000


async def timed_async(call: Callable[[], Awaitable[Any]], count: int) -> Cost:
    """The same on asyncio."""
    took, cpu = [], time.process_time()
    for _ in range(count):
        begun = time.perf_counter()
        await call()
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1000, (time.process_time() - cpu) / count * 1000


Rounds = list[tuple[float, float]]
"""For each round the official client's figure and this one's, in milliseconds."""
Costs = list[tuple[Cost, Cost]]


def in_turns(rounds: int, official: Callable[[], Cost], ours: Callable[[], Cost]) -> Costs:
    """Measures both in each round; who is first turns."""
    measured: Costs = []
    for number in range(rounds):
        if number % 2:
            second, first = ours(), official()
        else:
            first, second = official(), ours()
        measured.append((first, second))
    return measured


def threads(mesh: Mesh, rounds: int, calls: int) -> dict[str, Costs]:
    """The clients for threads."""
    official = Turbopuffer(base_url=mesh.url, api_key=KEY)
    ours = mesh.client()
    results = {}
    for name, arguments in (("query", QUERY), ("write", WRITE)):
        sides = [getattr(client.namespace("bench"), name) for client in (official, ours)]
        calls_of = [lambda side=side, arguments=arguments: side(**arguments) for side in sides]
        for call in calls_of:
            timed(call, calls)
        results[name] = in_turns(rounds, *[lambda call=call: timed(call, calls) for call in calls_of])
    official.close()
    ours.close()
    return results


def loop(mesh: Mesh, rounds: int, calls: int) -> dict[str, Costs]:
    """The clients for asyncio."""
    results = {}
    with asyncio.Runner() as runner:
        clients: list[AsyncTurbopuffer | AsyncHevlayer] = [
            AsyncTurbopuffer(base_url=mesh.url, api_key=KEY),
            mesh.async_client(),
        ]
        for name, arguments in (("query", QUERY), ("write", WRITE)):
            sides = [getattr(client.namespace("bench"), name) for client in clients]
            calls_of = [lambda side=side, arguments=arguments: side(**arguments) for side in sides]
            measured = [lambda call=call: runner.run(timed_async(call, calls)) for call in calls_of]
            for measure in measured:
                measure()
            results[name] = in_turns(rounds, *measured)
        for client in clients:
            runner.run(client.close())
    return results


def both(mesh: Mesh, rounds: int, calls: int) -> dict[str, Costs]:
    """All clients."""
    costs = {f"{name}, threads": each for name, each in threads(mesh, rounds, calls).items()}
    return costs | {f"{name}, asyncio": each for name, each in loop(mesh, rounds, calls).items()}


def once(call: Callable[[], Any]) -> float:
    """How long one call takes, in milliseconds."""
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


def without_layer(mesh: Mesh, times: int) -> dict[str, list[tuple[float, float]]]:
    """For each kind of absence: an official client's first call of Turbopuffer, and this one's first call past Layer."""
    results: dict[str, list[tuple[float, float]]] = {"killed": [], "suspended": []}
    for _ in range(times):
        for kind, end, begin in (("killed", mesh.kill, mesh.start), ("suspended", mesh.pause, mesh.resume)):
            with Turbopuffer(base_url=mesh.origin.url, api_key=KEY) as official, mesh.client() as ours:
                for _ in range(Settings().hedge_samples_min * 2):
                    ours.namespace("bench").query(**QUERY)
                end()
                first = once(lambda official=official: official.namespace("bench").query(**QUERY))
                results[kind].append((first, once(lambda ours=ours: ours.namespace("bench").query(**QUERY))))
                begin()
    return results


def figures(costs: dict[str, Costs], which: int) -> dict[str, Rounds]:
    """One of both figures of a cost."""
    return {name: [(one[which], two[which]) for one, two in rounds] for name, rounds in costs.items()}


def spread(values: list[float], digits: int) -> str:
    """The median, with the lowest and highest."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def table(title: str, names: tuple[str, str, str], results: dict[str, Rounds]) -> str:
    """A table of ratios."""
    lines = [f"\n## {title}\n", f"| | {names[0]}, ms | {names[1]}, ms | {names[2]} |", "|---|---|---|---|"]
    for name, rounds in results.items():
        ratio = spread([ours / official for official, ours in rounds], 3)
        lines.append(
            f"| {name} | {spread([each[0] for each in rounds], 3)} | {spread([each[1] for each in rounds], 3)} | {ratio} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, prints, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        origin = start_stand_in(Path(folder) / "origin")
        mesh = Mesh(origin, Path(folder), cache=False)
        mesh.start()
        with Hevlayer(base_url=mesh.url, api_key=KEY) as client:
            client.namespace("bench").write(
                upsert_rows=[row(number) for number in range(ROWS)], distance_metric="cosine_distance"
            )
        costs = both(mesh, given.rounds, given.calls)
        absent = without_layer(mesh, 5)
        with far(origin.port) as url:
            mesh.kill()
            mesh.start({"origin.url": url})
            distant = both(mesh, given.rounds, max(given.calls // FAR, 1))
        mesh.stop()
        origin.process.kill()
    machine = (
        f"\nPython {platform.python_version()}, {os.cpu_count()} cores, {given.rounds} rounds of {given.calls} calls.\n"
    )
    names = ("official client", "this SDK", "ratio")
    page = PAGE_HEAD + machine + table("A call through Layer, as far away as Turbopuffer", names, figures(distant, 0))
    page += table("A call through Layer, all on one machine", names, figures(costs, 0))
    page += table("What it takes of the client's CPU, all on one machine", names, figures(costs, 1))
    page += "\nThe third table hangs less on what else the machine does.\n"
    page += table(
        "The first answer without Layer", ("official client at Turbopuffer", "this SDK past Layer", "ratio"), absent
    )
    page += "\nIn the first row the router is gone; in the second it still accepts connections, and the hedge is waited for.\n"
    print(page)
    if given.out is not None:
        given.out.write_text(page)


main()
