"""What a service manager is told of the daemon, when it has asked to be told: sd_notify(3).

A datagram for each message, to the socket that `NOTIFY_SOCKET` names. With `WATCHDOG_USEC`, the
event loop says twice in that time that it turns; a daemon that hangs is then started again.
"""

import logging
import os
import socket
from collections.abc import Mapping

import anyio

log = logging.getLogger(__name__)

_SOCKET, _TIME, _WHO = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_A_SECOND = 1_000_000


class ServiceManager:
    """Whoever started us as a service; nobody, most of the time."""

    def __init__(self, variables: Mapping[str, str], pid: int | None = None) -> None:
        self._address = _address(variables.get(_SOCKET, ""))
        self.watchdog_s = _watchdog_s(variables, os.getpid() if pid is None else pid)
        """How long we may be silent, in seconds; 0 for ever."""

    def ready(self, status: str) -> None:
        """The start is done."""
        self._say("READY=1", f"STATUS={_line(status)}")

    def stopping(self, status: str) -> None:
        """The end has begun."""
        self._say("STOPPING=1", f"STATUS={_line(status)}")

    async def keep_alive(self) -> None:
        """Say that the event loop turns, until cancelled."""
        while self._address and self.watchdog_s:
            self._say("WATCHDOG=1")
            await anyio.sleep(self.watchdog_s / 2)

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
            ) as told:
                told.sendto("\n".join(lines).encode(), self._address)
        except OSError as why:  # it must not end the daemon
            log.warning("service manager not told", extra={"what": lines[0], "why": str(why)})


def _address(named: str) -> str:
    """The socket's address: a path, or an abstract name after `@`; empty when we cannot."""
    if named.startswith("@"):
        return "\0" + named[1:]
    return named if named.startswith("/") else ""


def _watchdog_s(variables: Mapping[str, str], pid: int) -> float:
    said, whose = variables.get(_TIME, ""), variables.get(_WHO, "")
    if not said.isdecimal() or whose not in {"", str(pid)}:
        return 0
    return int(said) / _A_SECOND


def _line(text: str) -> str:
    return " ".join(text.split())
