"""HTTP/1.1 to the byte, for both ends of a test: what is sent is what was written, what came is what is told."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

HEAD_BYTES_MAX = 1 << 20
RECEIVE_BYTES = 1 << 18

Headers = list[tuple[str, str]]


class BrokenOff(Exception):
    """The other side closed before the message was whole."""


class Stream:
    """A socket that can be read by lines and by counts."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.received = 0
        self._buffer = b""

    def _more(self) -> None:
        piece = self.socket.recv(RECEIVE_BYTES)
        if not piece:
            raise BrokenOff
        self.received += len(piece)
        self._buffer += piece

    def at_end(self) -> bool:
        """Whether the other side has closed and nothing is left; waits for either."""
        try:
            if not self._buffer:
                self._more()
        except (BrokenOff, ConnectionResetError):
            return True
        return False

    def until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            assert len(self._buffer) < HEAD_BYTES_MAX, "a head without an end"
            self._more()
        text, self._buffer = self._buffer.split(mark, 1)
        return text

    def pieces(self, count: int) -> Iterable[bytes]:
        """The next `count` bytes, in pieces as they come."""
        while count:
            if not self._buffer:
                self._more()
            piece, self._buffer = self._buffer[:count], self._buffer[count:]
            count -= len(piece)
            yield piece

    def close(self) -> None:
        self.socket.close()


@dataclass
class Message:
    """A request or an answer."""

    start: str
    headers: Headers
    body: bytes = b""
    trailers: Headers = field(default_factory=list)
    complete: bool = False
    """The body came whole."""

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    @property
    def status(self) -> int:
        return int(self.start.split()[1])

    @property
    def method(self) -> str:
        return self.start.split()[0]

    @property
    def target(self) -> str:
        return self.start.split()[1]


def read_head(stream: Stream) -> Message:
    lines = stream.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
    return Message(lines[0], [parse_header(line) for line in lines[1:]])


def parse_header(line: str) -> tuple[str, str]:
    name, value = line.split(":", 1)
    return name, value.strip()


def body_pieces(stream: Stream, message: Message, to_end: bool) -> Iterable[bytes]:
    """The body in pieces; sets trailers. `to_end`: one without a length ends with the connection."""
    if (message.get("transfer-encoding") or "").lower() == "chunked":
        yield from chunks(stream, message)
    elif (length := message.get("content-length")) is not None:
        yield from stream.pieces(int(length))
    elif to_end:
        while not stream.at_end():
            yield from stream.pieces(1)


def chunks(stream: Stream, message: Message) -> Iterable[bytes]:
    while size := int(stream.until(b"\r\n").split(b";")[0], 16):
        yield from stream.pieces(size)
        assert stream.until(b"\r\n") == b""
    while line := stream.until(b"\r\n"):
        message.trailers.append(parse_header(line.decode("latin-1")))


def head(start: str, headers: Sequence[tuple[str, str]]) -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)


LAST_CHUNK = b"0\r\n\r\n"
