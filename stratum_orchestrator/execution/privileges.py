"""What the daemon hides from others, and what a step does not inherit of its rights."""

import ctypes
import os

_PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 4, 24
_KEPT = frozenset(
    {
        0,  # CHOWN
        1,  # DAC_OVERRIDE
        3,  # FOWNER
        4,  # FSETID
        5,  # KILL
        6,  # SETGID
        7,  # SETUID
        10,  # NET_BIND_SERVICE
        31,  # SETFCAP, without which root cannot make a user namespace
    }
)
"""What a step of a daemon that runs as root keeps; not for looking into other processes."""
_MOST = 64

_libc = ctypes.CDLL(None, use_errno=True)


def hide() -> None:
    """Keep other processes of this account from reading our memory and environment.

    There are no core dumps either, and no debugger gets in. OSError if refused.
    """
    if _libc.prctl(_PR_SET_DUMPABLE, *map(ctypes.c_ulong, (0, 0, 0, 0))):
        raise OSError(ctypes.get_errno(), "not dumpable")


def shed() -> None:
    """Give up, for all that the calling thread starts, what root may do beyond files.

    Without privileges there is nothing to give up.
    """
    if os.geteuid():
        return
    for capability in range(_MOST):
        arguments = map(ctypes.c_ulong, (capability, 0, 0, 0))
        if capability not in _KEPT and _libc.prctl(_PR_CAPBSET_DROP, *arguments):
            return  # the kernel knows no more of them
