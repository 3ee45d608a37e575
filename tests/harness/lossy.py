"""A TCP proxy that loses one answer: what was asked is done, and who asked does not learn of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

PIECE_BYTES = 64 * 1024


class Lossy:
    """In front of a port of loopback."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._lock = threading.Lock()
        self._lose: tuple[bytes, bytes] | None = None
        self.lost = 0
        """Answers that were lost."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, name="lossy", daemon=True).start()

    def __enter__(self) -> Lossy:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        # A thread in accept is woken by this, and by a close alone it is not.
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def lose(self, method: str, part: str) -> None:
        """Loses the next answer to such a request, with this part in its target."""
        with self._lock:
            self._lose = method.encode() + b" ", part.encode()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._server.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._to_port))
                doomed = threading.Event()
                for source, sink, back in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pump, args=(source, sink, doomed, back), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, doomed: threading.Event, back: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                if back and doomed.is_set():
                    # The answer's head is here, so the server has done it.
                    self.lost += 1
                    break
                if not back and self._is_the_one(piece):
                    doomed.set()
                sink.sendall(piece)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _is_the_one(self, piece: bytes) -> bool:
        with self._lock:
            if self._lose is None:
                return False
            method, part = self._lose
            # Nothing is sent ahead on these connections: a request begins where a piece does.
            if not piece.startswith(method) or part not in piece.partition(b"\r\n")[0]:
                return False
            self._lose = None
            return True
