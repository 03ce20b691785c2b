"""A server that ends with the process that started it, however that ends."""

import os
import shutil

_UNLESS_ORPHANED = 'test "$PPID" = "$0" && exec "$@"'
"""Whoever dies before its child asks to be told of it leaves a child that is never told."""


def tethered(signal: str) -> list[str]:
    """What to put in front of a command, so that the signal (`TERM`) ends it with this process.

    Start it in the main thread: it ends with the thread that started it. Empty where
    util-linux's setpriv is missing; see PR_SET_PDEATHSIG in prctl(2).
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    return [
        setpriv,
        "--pdeathsig",
        signal,
        "--",
        "sh",
        "-c",
        _UNLESS_ORPHANED,
        str(os.getpid()),
    ]
