"""A network before an S3 server that also can answer in its place: 503 Slow Down, to everything."""

from __future__ import annotations

import asyncio
import contextlib

from faults.proxy import PIECE_BYTES, Proxy

SLOW_DOWN = (
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
ANSWER = (
    b"HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s"
    % (len(SLOW_DOWN), SLOW_DOWN)
)


class Refusing(Proxy):
    """A proxy with one more fault."""

    def __init__(self, to_port: int) -> None:
        self._answers = False
        self.refused = 0
        super().__init__(to_port)

    def refuse(self) -> None:
        """Answers 503 to all that is asked, until `heal`. Open connections end."""

        def begin() -> None:
            for writer in self._writers:
                writer.transport.abort()
            self._writers.clear()
            self._answers = True

        self._call(begin)

    def heal(self) -> None:
        self._answers = False
        super().heal()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._answers:
            await super()._serve(reader, writer)
            return
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            sizes = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            left = int(sizes[0]) if sizes else 0
            while left > 0 and (piece := await reader.read(min(left, PIECE_BYTES))):
                left -= len(piece)
            self.refused += 1
            writer.write(ANSWER)
            await writer.drain()
        writer.close()
