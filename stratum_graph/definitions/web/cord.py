"""What all connections of a session hang on, so that they can be cut from outside."""

import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Cord:
    """What all connections of a session hang on."""

    def __init__(self) -> None:
        self.is_cut = False
        self._is_over = False
        self._held: set[socket.socket] = set()
        self._parting: set[socket.socket] = set()
        self._turn = object()
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._held)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut everything when the block takes longer; not for several threads at once."""
        turn = object()
        with self._lock:
            self.is_cut, self._turn = self._is_over, turn
        timer = threading.Timer(seconds, self._cut, [turn])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._part()

    def hold(self, connection: socket.socket) -> socket.socket:
        """Another handle of a connection: one that TLS does not take over."""
        twin = connection.dup()
        with self._lock:
            self._held.add(twin)
            if self.is_cut:  # by now
                twin.shutdown(socket.SHUT_RDWR)
        return twin

    def let_go(self, twin: socket.socket) -> None:
        """The connection is closed; its last answer may still be read, until the block ends."""
        with self._lock:
            self._parting.add(twin)

    def end(self) -> None:
        """Cut everything now and for good: nobody waits for it any more. From any thread."""
        self._is_over = True
        self._cut(self._turn)

    def _part(self) -> None:
        with self._lock:
            for each in self._parting:
                self._held.discard(each)
                each.close()
            self._parting.clear()

    def _cut(self, turn: object) -> None:
        with self._lock:
            if self._turn is not turn:
                return
            self.is_cut = True
            for each in self._held:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


def _close(held: set[socket.socket]) -> None:
    for each in held:
        each.close()
