"""Workers: processes that do what pipelines and functions want done.

Start as many as you like; no two ever have the same work at the same time::

    from hevlayer.worker import function, run_worker

    @function("language-of", output="language")
    def language_of(*, text: str = "") -> str:
        return detect(text)

    run_worker(language_of)
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import Any

from .._async.client import AsyncHevlayer
from ._jobs import FunctionItem, Handler, Job, Output, Permanent, PipelineDocument, Rows, Transient, function, pipeline
from ._loop import OnWork, Pace, WorkerEvent, work
from ._queues import queue_of

__all__ = [
    "FunctionItem",
    "Handler",
    "Job",
    "OnWork",
    "Output",
    "Permanent",
    "PipelineDocument",
    "Rows",
    "Transient",
    "WorkerEvent",
    "function",
    "pipeline",
    "run_worker",
    "run_worker_async",
]


async def run_worker_async(
    job: Job,
    *,
    client: AsyncHevlayer | None = None,
    worker_id: str | None = None,
    concurrency: int = 1,
    lease_seconds: float = 60.0,
    wait_seconds: float = 5.0,
    drain_seconds: float = 30.0,
    once: bool = False,
    stop: asyncio.Event | None = None,
    on_work: OnWork | None = None,
) -> None:
    """Works on a job until `stop` is set, or with `once` until nothing is left to claim.

    Leases are extended in the background, three times in the time of a lease. What a handler raises fails its batch: for good
    with `Permanent`, else to be tried again. While Layer is away the worker waits, and goes on when it is back. Once it is to
    stop it begins nothing new; what is being done may take `drain_seconds`, then it is given back. A thread that a handler is in
    cannot be ended: it goes on for as long as the process does, and what it answers does not count.

    What Layer refuses of one result fails that one, for good. A key that is refused meanwhile, or a fault of Layer, makes no dead
    letters: the call is made again.

    Args:
      job: Made by `pipeline` or `function`.
      client: The client; by default one of the environment's settings.
      worker_id: Who claims, for operators; by default the host and the process.
      concurrency: Batches at a time.
      lease_seconds: How long work is kept from others when nothing is heard of this worker.
      wait_seconds: How long a claim waits for work.
      drain_seconds: How long work in hand may take after the stop.
      once: End when a claim has brought nothing.
      stop: Ends the worker.
      on_work: Told of what is claimed, done, failed, lost, released and retried.

    Raises:
      LayerError: the pipeline or function is not there, or the key is not accepted.
    """
    used = client or AsyncHevlayer()
    name = worker_id or f"{socket.gethostname()}-{os.getpid()}"
    queue = queue_of(used, job, name, lease_seconds)
    pace = Pace(concurrency, wait_seconds, drain_seconds, once)
    try:
        await work(queue, job, pace, stop or asyncio.Event(), on_work)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        if client is None:
            await used.close()


def run_worker(
    job: Job, *, handle_signals: bool = True, client_options: dict[str, Any] | None = None, **options: Any
) -> None:
    """Works on a job until SIGTERM or SIGINT, which let it drain; see `run_worker_async` for the options.

    `client_options` are those of `AsyncHevlayer`. Without `handle_signals`, or outside of the main thread, only `once` ends it.
    """

    async def run() -> None:
        stop = asyncio.Event()
        if handle_signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with AsyncHevlayer(**(client_options or {})) as client:
            await run_worker_async(job, client=client, stop=stop, **options)

    asyncio.run(run())
