"""Folders that live as long as one process."""

import os
import shutil
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import anyio
from anyio import to_thread

from stratum_orchestrator.execution.errors import starting

_STEPS = "steps"
_SHIM = "shim"
_REMOVE_S = 60


class Scratch:
    """The daemon's own folder for what is temporary; nobody else writes to it."""

    def __init__(self, root: Path) -> None:
        """Create the folder when it is missing, readable by us alone."""
        self._steps = root.absolute() / _STEPS
        self._steps.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._serial = count(time.time_ns())  # what an earlier daemon left has other names
        self.shim = str(_shim(root.absolute() / _SHIM))
        """A folder for the front of PATH."""

    @asynccontextmanager
    async def folder(self) -> AsyncIterator[str]:
        """Give an empty folder that is gone, with all in it, when the block ends.

        CannotStart when there is no room for it.
        """
        path = f"{self._steps}/{next(self._serial)}"
        with starting():
            os.mkdir(path, 0o700)  # noqa: PTH102 - each step pays for it
        try:
            yield path
        finally:
            await _remove(path)

    async def clear(self) -> None:
        """Remove what an earlier daemon left; call it before the first step."""
        for left in await to_thread.run_sync(os.listdir, self._steps):
            await _remove(str(self._steps / left))


def _shim(folder: Path) -> Path:
    """Make a folder with an empty executable `tput`.

    Without a terminal, Nushell starts `tput` eight times to learn its width. An empty file
    cannot be executed, and ends the search along PATH: a start costs a third.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    tput = folder / "tput"
    tput.touch()
    tput.chmod(0o755)
    return folder


async def _remove(path: str) -> None:
    try:
        os.rmdir(path)  # noqa: PTH106 - most are empty, and this needs no thread
    except OSError:
        with anyio.move_on_after(_REMOVE_S, shield=True):
            await to_thread.run_sync(_remove_tree, path, abandon_on_cancel=True)


def _remove_tree(path: str) -> None:
    try:
        shutil.rmtree(path)
    except OSError:
        _take_rights_back(path)
        shutil.rmtree(path, ignore_errors=True)


def _take_rights_back(path: str) -> None:
    """Make folders writable again: some tools write-protect their own caches."""
    for folder, below, _ in os.walk(path):
        for each in (Path(folder, name) for name in below):
            if not each.is_symlink():
                each.chmod(stat.S_IRWXU)
