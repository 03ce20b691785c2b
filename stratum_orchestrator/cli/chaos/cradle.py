"""A warm interpreter: everything is imported once, and each process is a fork of it.

    python -m stratum_orchestrator.cli.chaos.cradle

reads orders from stdin, one JSON document a line, and says which processes began and ended.
There is one thread, no event loop and no engine in it, so a fork is whole. When its stdin
ends, so do the processes that it started, and the steps that they left.
"""

import logging
import os
import select
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import anyio
import msgspec
from msgspec import Struct

from stratum_orchestrator.boot import daemon
from stratum_orchestrator.boot.launch import Launch
from stratum_orchestrator.cli.chaos import evidence
from stratum_orchestrator.execution.orphans import end_orphans
from stratum_orchestrator.home import Home
from stratum_orchestrator.startup import SOFTWARE, StartFailed

_ORDER = 1 << 20  # bytes read at a time


class Serve(Struct, frozen=True, kw_only=True, tag="serve"):
    """Be a daemon, as `stratum dev` is."""

    home: str
    variables: Mapping[str, str]
    log: str
    """Takes what it says, behind what is there."""


class Collect(Struct, frozen=True, kw_only=True, tag="collect"):
    """Read what is on record of a home that no daemon serves, and write it to a file."""

    home: str
    variables: Mapping[str, str]
    log: str
    into: str


Order = Serve | Collect


class Told(Struct, frozen=True, kw_only=True):
    """What became of an order: a process that has begun, or one that has ended."""

    pid: int
    ended: int | None = None
    """Exit code, or the negative number of the signal."""


class Cradle:
    """The processes that live, by the descriptor at which their end shows."""

    def __init__(self) -> None:
        self._homes: set[str] = set()
        self._lives: dict[int, int] = {}
        self._rest = b""

    def serve(self) -> None:
        """Do as ordered until there is nobody left to order anything."""
        while True:
            ready, _, _ = select.select([0, *self._lives], [], [])
            for pidfd in set(ready) & set(self._lives):
                self._bury(pidfd)
            if 0 in ready and not self._obey():
                break
        for pid in self._lives.values():
            os.kill(pid, signal.SIGKILL)
        for home in self._homes:  # steps outlive a daemon that was killed
            anyio.run(end_orphans, Home(Path(home)).marker())

    def _obey(self) -> bool:
        chunk = os.read(0, _ORDER)
        *orders, self._rest = (self._rest + chunk).split(b"\n")
        for order in orders:
            self._bear(msgspec.json.decode(order, type=Order))
        return bool(chunk)

    def _bear(self, order: Order) -> None:
        self._homes.add(order.home)
        pid = os.fork()
        if pid == 0:
            for pidfd in self._lives:
                os.close(pidfd)
            _live(order)
        self._lives[os.pidfd_open(pid)] = pid
        _tell(Told(pid=pid))

    def _bury(self, pidfd: int) -> None:
        pid = self._lives.pop(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        _tell(Told(pid=pid, ended=os.waitstatus_to_exitcode(status)))


def _tell(told: Told) -> None:
    os.write(1, msgspec.json.encode(told) + b"\n")


def _live(order: Order) -> None:
    """What the fork does. It never returns."""
    code = SOFTWARE
    try:
        os.setsid()
        _redirect(order)
        if isinstance(order, Serve):
            code = daemon.run(Launch(home=Path(order.home), dev=True))
        else:
            code = evidence.collect(Path(order.home), Path(order.into))
    except StartFailed as failure:
        _say(failure)
        code = failure.code
    except BaseException:  # a fork must not go on in its parent's loop, whatever happens
        logging.getLogger(__name__).exception("life met a fault")
    daemon.leave(code)


def _redirect(order: Order) -> None:
    log = os.open(order.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for theirs, ours in ((null, 0), (log, 1), (log, 2)):
        os.dup2(theirs, ours)
    os.environ.clear()  # noqa: TID251 - this process begins with the environment of its order
    os.environ.update(order.variables)  # noqa: TID251
    os.chdir(Path(order.home).parent)


def _say(failure: Exception) -> None:
    sys.stderr.write(f"stratum: {failure}\n")


if __name__ == "__main__":
    Cradle().serve()
