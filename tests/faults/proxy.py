"""A TCP proxy that can be told to cut, refuse, stall or delay: a network that fails."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from harness.ports import free_port

PIECE_BYTES = 64 * 1024


class Proxy:
    """In front of one address. All methods may be called from any thread."""

    def __init__(self, to_port: int) -> None:
        self.port = free_port()
        self._to_port = to_port
        self._delay_s = 0.0
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        self._started.wait()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Closes every connection, and each new one at once, until `heal`."""
        self._call(self._cut)

    def stall(self) -> None:
        """Takes bytes and passes none on, until `heal`."""
        self._call(self._open.clear)

    def delay(self, seconds: float) -> None:
        """Keeps every piece for so long."""
        self._call(lambda: setattr(self, "_delay_s", seconds))

    def heal(self) -> None:
        """A good network again. What was stalled arrives late."""

        def heal() -> None:
            self._refuses = False
            self._delay_s = 0.0
            self._open.set()

        self._call(heal)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _call(self, change) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (change(), done.set()))
        done.wait()

    def _cut(self) -> None:
        self._refuses = True
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._open.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._started.set()
        self._loop.run_forever()
        server.close()
        self._cut()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        try:
            from_there, to_there = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_there}
        try:
            await asyncio.gather(self._pump(reader, to_there), self._pump(from_there, writer))
        finally:
            self._writers -= {writer, to_there}
            for each in (writer, to_there):
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                await self._open.wait()
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()
