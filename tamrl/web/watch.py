"""Deadlines for open connections."""

import contextlib
import os
import socket
import threading
import time


class Watch:
    """Closes connections at a deadline, so that a server which sends byte by byte cannot stall the program."""

    def __init__(self) -> None:
        self.expired, self.why = False, ""
        self._deadline, self._done, self._lock = time.monotonic(), threading.Event(), threading.Lock()
        self._sockets: list[socket.socket] = []
        self._thread: threading.Thread | None = None

    def until(self, seconds: float, why: str) -> None:
        """Close the connections after this many seconds, unless `until` or `close` is called before."""
        self._deadline, self.why = time.monotonic() + seconds, why
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def add(self, connected: socket.socket) -> None:
        """Watch a connection through a duplicate handle, because TLS takes over the first one."""
        with self._lock:
            self._sockets.append(socket.socket(fileno=os.dup(connected.fileno())))
        if self.expired:
            self._shut()

    def close(self) -> None:
        """Stop watching."""
        self._done.set()
        with self._lock:
            for handle in self._sockets:
                handle.close()
            self._sockets.clear()

    def _run(self) -> None:
        while (left := self._deadline - time.monotonic()) > 0:
            if self._done.wait(left):
                return
        if not self._done.is_set():
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            for handle in self._sockets:
                handle.shutdown(socket.SHUT_RDWR)
