"""One server for one folder: nats-server itself would let two share their files."""

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from platform_nats.errors import ServerInUse

_WAIT_S = 5.0  # the server of a daemon that was killed needs a moment to end
_POLL_S = 0.05


@asynccontextmanager
async def lock(folder: Path) -> AsyncIterator[int]:
    """Hold the folder; yield the descriptor for the server to inherit. Raises ServerInUse.

    The lock belongs to the open file, so a server that survives its daemon keeps it.
    """
    file = _open(folder)
    try:
        with anyio.move_on_after(_WAIT_S) as patience:
            await _acquire(file)
        if patience.cancelled_caught:
            raise ServerInUse(folder, _holder(file))
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        yield file
    finally:
        os.close(file)


def _open(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


async def _acquire(file: int) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await anyio.sleep(_POLL_S)
        else:
            return


def _holder(file: int) -> str:
    pid = os.pread(file, 20, 0).decode(errors="replace")
    return f" by process {pid} or the nats-server that it started" if pid.isdigit() else ""
