"""Landlock: what a thread, and every process that it starts, may still reach.

Speaks to the kernel through ctypes, as <https://docs.kernel.org/userspace-api/landlock.html>
describes it. Needs no privilege; rights that an older kernel does not know are left out.
"""

import ctypes
import os
import stat
import struct
import sys
from contextlib import closing
from dataclasses import dataclass
from errno import ENOSYS
from functools import cache

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FIRST_RIGHTS = _REFER - 1
_FOR_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_TCP = 0b11
_SIGNALS_AND_ABSTRACT_SOCKETS = 0b11
_ABI_REFER, _ABI_TRUNCATE, _ABI_TCP, _ABI_IOCTL, _ABI_SCOPE = 2, 3, 4, 5, 6

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Rules:
    """Paths that stay within reach, each with all below it; everything else is denied."""

    read: tuple[str, ...] = ()
    browse: tuple[str, ...] = ()
    """May be listed, with all folders below; their files stay closed."""
    execute: tuple[str, ...] = ()
    """May be read and executed."""
    write: tuple[str, ...] = ()
    """May be read, written, created and removed, not executed; name a path twice for both."""
    network: bool = False
    """Whether TCP may be used; kernels before ABI 4 cannot deny it."""


@cache
def abi() -> int:
    """Return the kernel's Landlock version; 0 when there is none."""
    if sys.platform != "linux":
        return 0
    version = _libc.syscall(
        ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION_FLAG)
    )
    return max(0, int(version))


def restrict(rules: Rules) -> None:
    """Bind the calling thread, and what it starts, to `rules` for ever.

    Raises OSError when the kernel has no Landlock or refuses, or when a path does not exist.
    """
    version = abi()
    if version == 0:
        raise OSError(ENOSYS, "this kernel has no Landlock")
    rights = _rights(version)
    with closing(_ruleset(version, rights, network=rules.network)) as ruleset:
        for path in rules.read:
            ruleset.allow(path, rights & (_READ_FILE | _READ_DIR))
        for path in rules.browse:
            ruleset.allow(path, rights & _READ_DIR)
        for path in rules.execute:
            ruleset.allow(path, rights & (_READ_FILE | _READ_DIR | _EXECUTE))
        for path in rules.write:
            ruleset.allow(path, rights & ~_EXECUTE)
        ruleset.enforce()


@dataclass(frozen=True, slots=True)
class _Ruleset:
    descriptor: int

    def allow(self, path: str, rights: int) -> None:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(place).st_mode):
                rights &= _FOR_FILES
            rule = struct.pack("=Qi", rights, place)
            _call(f"landlock rule for {path}", _ADD_RULE, self.descriptor, _PATH_BENEATH, rule)
        finally:
            os.close(place)

    def enforce(self) -> None:
        if _libc.prctl(_PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0))):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        _call("landlock restrict", _RESTRICT_SELF, self.descriptor)

    def close(self) -> None:
        os.close(self.descriptor)


def _ruleset(version: int, rights: int, *, network: bool) -> _Ruleset:
    tcp = _TCP if version >= _ABI_TCP and not network else 0
    scope = _SIGNALS_AND_ABSTRACT_SOCKETS if version >= _ABI_SCOPE else 0
    known = 24 if version >= _ABI_SCOPE else 16 if version >= _ABI_TCP else 8
    handled = struct.pack("=QQQ", rights, tcp, scope)[:known]
    return _Ruleset(_call("landlock ruleset", _CREATE_RULESET, handled, len(handled)))


def _rights(version: int) -> int:
    rights = _FIRST_RIGHTS
    rights |= _REFER if version >= _ABI_REFER else 0
    rights |= _TRUNCATE if version >= _ABI_TRUNCATE else 0
    rights |= _IOCTL_DEV if version >= _ABI_IOCTL else 0
    return rights


def _call(purpose: str, number: int, *arguments: int | bytes) -> int:
    """Make one system call, unused arguments zero; OSError with `purpose` when it fails."""
    padded = (*arguments, *(0,) * (4 - len(arguments)))
    words = [each if isinstance(each, bytes) else ctypes.c_long(each) for each in padded]
    answer = int(_libc.syscall(ctypes.c_long(number), *words))
    if answer < 0:
        raise OSError(ctypes.get_errno(), purpose)
    return answer
